"""The layout of a store: the name of every file and folder in it. No other module joins or globs these names.

store.json          the mark of a store: its version
models/KEY/         a trained model, its training report, and its card: weights and capabilities
trials/KEY/         predictions on the explained texts; the record, trial.json, is written last
cells/KEY/          explanations and seconds in numbered parts, scores; the record, cell.json, is written last
pairs/KEY/          layer distances of two models, and the scores of pairs of cells
claims/NAME.json    the work of a living job (assay.harness.storage.locks)
ledger/NAME.json    a failure, with its traceback
experiments/NAME/   tables, figures and the page that people read; the snapshot of what is planned
tasks/KEY.json      the names of a large trial, for plans that do not load its texts
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from assay.tasks.errors import InputError

MODELS, TRIALS, CELLS, PAIRS = KINDS = ("models", "trials", "cells", "pairs")
EXPERIMENTS = "experiments"
TRACKING = "tracking"
FOLDERS = frozenset({*KINDS, "claims", "ledger", EXPERIMENTS, "tasks", "calibrations"})
_PART = re.compile(r"part-\d+\.parquet")
_DAMAGED = ".damaged"
# Files and folders under construction: .NAME.UNIQUE.part, and .KEY.UNIQUE of models.
_UNDER_CONSTRUCTION = re.compile(r"\..+\.part|\.[0-9a-f]{20}\..+")


@dataclass(frozen=True, slots=True)
class _Stored:
    """A folder in the store; its kinds follow.

    Attributes:
        folder: where it lies.
    """

    folder: Path


@dataclass(frozen=True, slots=True)
class _Child:
    """The path of a file or folder with a fixed name, as an attribute of the folder that it lies in."""

    name: str

    def __get__(self, stored: _Stored, _: type) -> Path:
        return stored.folder / self.name


class StoredModel(_Stored):
    """The folder of one trained model.

    Attributes:
        card: weights hash and capabilities; also there for models that were not trained here.
        training: the training report, written last.
    """

    card = _Child("card.json")
    training = _Child("training.json")


class StoredTrial(_Stored):
    """The folder of one trial.

    Attributes:
        record: sizes, labels and quality of the model, written last.
        predictions: the probabilities of the explained texts.
    """

    record = _Child("trial.json")
    predictions = _Child("predictions.parquet")

    def concepts(self, name: str) -> Path:
        """Explanations of the texts by concepts, by the key of their settings."""
        return self.folder / "concepts" / f"{name}.parquet"


class StoredScores(_Stored):
    """A folder with scores: of a cell, of a pair of models, or of a pool of pairs."""

    def score_file(self, name: str) -> Path:
        """A long table by the name of its file."""
        return self.folder / "scores" / name

    def score_files(self) -> list[Path]:
        """The long tables that are on disk."""
        return sorted((self.folder / "scores").glob("[!.]*.parquet"))


class StoredCell(StoredScores):
    """The folder of one cell.

    Attributes:
        record: the provenance of the cell, written once all parts are there.
        seconds_folder: the folder of the wall times.

    Example:
        >>> StoredCell(Path("cells/ab")).part(2).as_posix()
        'cells/ab/explanations/part-00002.parquet'
    """

    record = _Child("cell.json")
    seconds_folder = _Child("seconds")

    @property
    def done(self) -> bool:
        """Whether all explanations are there; scores may be missing."""
        return self.record.is_file()

    def part(self, number: int) -> Path:
        """The explanations of one shard."""
        return self.folder / "explanations" / f"part-{number:05d}.parquet"

    def seconds(self, number: int) -> Path:
        """The wall times of one shard."""
        return self.seconds_of(self.part(number))

    def seconds_of(self, part: Path) -> Path:
        """The wall times of the shard whose explanations are in `part`."""
        return self.seconds_folder / part.name

    def scores(self, metric_key: str) -> Path:
        """The long table of one metric."""
        return self.score_file(f"{metric_key}.parquet")

    def parts(self) -> list[Path]:
        """The explanations of all shards that are on disk, in order."""
        return part_files(self.folder / "explanations")

    def lost_parts(self) -> list[Path]:
        """Of explanations without wall times, or times without explanations, the files that lack."""
        parts, times = ({path.name: path for path in some} for some in (self.parts(), self.seconds_parts()))
        lost = [self.folder / "explanations" / name for name in times if name not in parts]
        lost += [self.seconds_of(path) for name, path in parts.items() if name not in times]
        return lost if parts or times else [self.part(0)]

    def seconds_parts(self) -> list[Path]:
        """The wall times of all shards that are on disk, in order."""
        return part_files(self.seconds_folder)


class StoredPair(StoredScores):
    """The folder of a pair of models, or of a pool of pairs.

    Attributes:
        distances: how far the layers of the two models are apart on each text.
    """

    distances = _Child("layer_distances.parquet")

    def scores(self, metric_key: str, cells_key: str) -> Path:
        """The long table of one metric on one pair of cells."""
        return self.score_file(f"{metric_key}-{cells_key}.parquet")


class StoredExperiment(_Stored):
    """The folder of one experiment.

    Attributes:
        report_record: the key of everything that the page was made from.
        command: the overrides that the experiment was last run with.
        page: the page that people read.
        verdict: which explainer to use for each task and model, in a sentence each, for a terminal.
        comparison, comparison_table: the main table, for a terminal and with all its columns.
        knowledge: the folder of what embeddings and hidden layers know.
        knowledge_record: what it was made from, and its figures.
    """

    report_record = _Child("report.json")
    command = _Child("command.json")
    page = _Child("report.html")
    verdict = _Child("verdict.txt")
    comparison = _Child("comparison.txt")
    comparison_table = _Child("comparison.csv")
    knowledge = _Child("knowledge")
    knowledge_record = _Child("knowledge.json")

    def manifest(self, digest: str) -> Path:
        """The snapshot of what a command plans, by the digest of command, code and configuration."""
        return self.folder / f"manifest-{digest}.json"

    def manifests(self) -> list[Path]:
        """All snapshots."""
        return sorted(self.folder.glob("manifest-*.json"))


class Layout:
    """The folders below the root of a store."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        # The file that makes a folder a store.
        self.mark = self.root / "store.json"

    def model(self, name: str) -> Path:
        return self.root / MODELS / name

    def trial(self, name: str) -> Path:
        return self.root / TRIALS / name

    def cell(self, name: str) -> Path:
        return self.root / CELLS / name

    def pair(self, name: str) -> Path:
        return self.root / PAIRS / name

    def claim(self, name: str) -> Path:
        return self.root / "claims" / f"{name}.json"

    def failure(self, name: str) -> Path:
        return self.root / "ledger" / f"{name}.json"

    def calibration(self, name: str) -> Path:
        return self.root / "calibrations" / f"{name}.json"

    def texts(self, name: str) -> Path:
        return self.root / "tasks" / f"{name}.json"

    def experiment(self, name: str) -> Path:
        """Raises InputError when the name is not a plain folder name."""
        if not name or name != Path(name).name or name.startswith("."):
            raise InputError(f"the experiment's name is {name!r}; expected a plain name without slashes")
        return self.root / EXPERIMENTS / name

    def folders(self, kind: str) -> list[Path]:
        """The folders of one of KINDS, or EXPERIMENTS: nothing set aside or under construction."""
        paths = sorted((self.root / kind).glob("[!.]*"))
        return [path for path in paths if path.is_dir() and not is_set_aside(path)]

    def misplaced(self, kind: str) -> list[Path]:
        """What stands in the place of a folder of one of KINDS, and is none."""
        paths = sorted((self.root / kind).glob("[!.]*"))
        return [path for path in paths if not path.is_dir() and not is_set_aside(path)]

    def claims(self) -> list[Path]:
        """The files of all claims."""
        return _records(self.root / "claims")

    def failures(self) -> list[Path]:
        """The files of all failures."""
        return _records(self.root / "ledger")

    def other_records(self) -> list[Path]:
        """The JSON records of experiments and of large trials."""
        return sorted([*self.root.glob(f"{EXPERIMENTS}/*/**/*.json"), *self.root.glob("tasks/*.json")])

    def is_of_tracker(self, path: Path) -> bool:
        """Whether a file lies in the folder of an experiment's tracker."""
        return path.relative_to(self.root).parts[2:3] == (TRACKING,)

    def tables(self) -> Iterator[Path]:
        """Every Parquet file of cells and pairs that is in a folder of its own kind."""
        return self.root.glob("*/*/*/*.parquet")

    def experiments(self) -> list[str]:
        """The names of the experiments that were run."""
        return [path.name for path in self.folders(EXPERIMENTS) if StoredExperiment(path).command.is_file()]

    def manifests(self, digest: str) -> list[Path]:
        """The snapshots of that digest, of whichever experiment."""
        experiments = sorted((self.root / EXPERIMENTS).glob("*"))
        return [path for one in experiments if (path := StoredExperiment(one).manifest(digest)).is_file()]

    def occupied(self) -> list[str]:
        """The names of folders below the root that a store would use."""
        return sorted(name for name in FOLDERS if (self.root / name).exists())


def part_files(folder: Path) -> list[Path]:
    """The numbered parts in a folder, in order; none where there is no such folder."""
    return [path for path in sorted(folder.glob("part-*")) if _PART.fullmatch(path.name)]


def role(path: Path) -> str:
    """The place of a file in its store, such as cells/KEY/explanations/part-00000.parquet; "" outside of one.

    It is part of the checksum of the file, so a file that takes another's place is seen to be damaged.
    """
    parts = path.parts
    start = next((at for at in range(len(parts) - 2, -1, -1) if parts[at] in FOLDERS), None)
    return "" if start is None else "/".join(parts[start:])


def is_of_pair(scores: Path) -> bool:
    """Whether a table of scores is of a pair of models, not of one cell."""
    return scores.parents[2].name == PAIRS


def aside(path: Path) -> Path:
    """The name under which a damaged file or folder is set aside."""
    return path.with_name(f"{path.name}{_DAMAGED}")


def is_set_aside(path: Path) -> bool:
    """Whether this is a damaged file or folder that was set aside."""
    return path.suffix == _DAMAGED


def scratch(path: Path) -> Path:
    """A hidden, unique name beside a file: jobs on several machines may write the same file at once."""
    return path.with_name(f".{path.name}.{uuid4().hex}.part")


def unfinished_training(folder: Path) -> Path:
    """Where the training of a model goes on if it is stopped; it is under construction, as its folder is."""
    return folder.with_name(f".{folder.name}.training")


def is_under_construction(path: Path) -> bool:
    """Whether this is a file or folder that a job is writing, or was writing when it was killed."""
    return _UNDER_CONSTRUCTION.fullmatch(path.name) is not None


def _records(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.json"))
