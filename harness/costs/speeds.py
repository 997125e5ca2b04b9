"""How fast work goes: seconds and bytes per unit, as measured by a calibration or by earlier runs."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from assay.explainers import averaging
from assay.harness.config.choice import ChosenMetric, Method
from assay.harness.config.keys import canonical, key
from assay.harness.config.schema import Targets
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.census import Outlook

# Finished cells, the newest first, that are looked at for timings.
LOOKED_AT = 500
# Settings of a task or model that decide how much there is to do, not how fast it goes.
_AMOUNTS = ("train", "dev", "test", "seed", "init_only")


@dataclass(frozen=True, slots=True)
class Rate:
    """What `units` of work take: once + each * units, in seconds or bytes. again: how many explanations of a
    text a metric asks for, for each of its units; their time is not in `each`."""

    once: float
    each: float
    again: float = 0.0

    def of(self, units: float) -> float:
        """Seconds, or bytes, of so many units."""
        return self.once + self.each * units


@dataclass(frozen=True, slots=True)
class Speeds:
    """rates: by the names that the functions below give. abilities: of the model, if it was built."""

    rates: Mapping[str, Rate]
    abilities: tuple[str, ...] | None = None


ASKING = "asking"  # per text: encode it and ask the model for its probabilities
TRAINING = "training"  # per training text and epoch
DISTANCES = "distances"  # per text: how far two models' layers are apart
WRITING = "writing"  # once per file, each per word and explained class of explanations
EXPLANATION_BYTES = "explanation bytes"  # once per part file, each per word and explained class
MODEL_BYTES = "model bytes"


def method_name(method: Method) -> str:
    """Of seconds per unit of `load`."""
    return f"method {key('method', method.identity)}"


def metric_name(chosen: ChosenMetric) -> str:
    """Of seconds per text that is looked at."""
    return f"metric {chosen.key}"


def bytes_name(chosen: ChosenMetric) -> str:
    """Of bytes per text that is looked at."""
    return f"bytes of {chosen.key}"


def load(
    method: Method, lengths: NDArray[np.integer], targets: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Forward rows, backward rows and units of work of one text of each length in words.

    A unit is a token that the model reads; a backward row counts like two forward rows. Every text is a unit
    for each of its words beside that, because methods that ask no model take time, too.
    """
    rows = [averaging.model_rows(method.explainer, method.baseline, int(n), targets) for n in lengths]
    forward, backward = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return forward, backward, (forward + 2 * backward + 1) * np.maximum(lengths, 1)


def targets_of(config: DictConfig, classes: int) -> int:
    """How many classes of a text are explained."""
    return classes if config.targets is Targets.all else 1


def speeds_key(config: Any) -> str:
    """Names what decides how fast a trial's work goes."""
    options = config.engine, config.targets
    return key("speeds", _without_amounts(config.task), _without_amounts(config.model), *options)


def keep(store: Store, name: str, speeds: Speeds) -> None:
    """Write a calibration into the store, over what it says of the same work."""
    rates = {**(_read(store, name).rates), **speeds.rates}
    record = {
        "abilities": speeds.abilities,
        "rates": {what: asdict(rate) for what, rate in rates.items()},
    }
    write_json(_path(store, name), record)


def known_speeds(outlook: Outlook, store: Store, timed: Sequence[Path]) -> Speeds:
    """What earlier runs and calibrations say; runs are nearer to the truth where both do.

    timed: the cells to look at (`newest_cells`).
    """
    kept = _read(store, speeds_key(outlook.trial.config))
    return Speeds({**kept.rates, **_of_runs(outlook, store, timed)}, kept.abilities)


def newest_cells(store: Store) -> list[Path]:
    """The files cell.json that were written last."""
    return heapq.nlargest(LOOKED_AT, store.root.glob("cells/*/cell.json"), lambda path: path.stat().st_mtime)


def _read(store: Store, name: str) -> Speeds:
    record = read_json(_path(store, name)) or {"abilities": None, "rates": {}}
    rates = {what: Rate(**rate) for what, rate in record["rates"].items()}
    return Speeds(rates, None if record["abilities"] is None else tuple(record["abilities"]))


def _path(store: Store, name: str) -> Path:
    return store.root / "calibrations" / f"{name}.json"


def _of_runs(outlook: Outlook, store: Store, timed: Sequence[Path]) -> dict[str, Rate]:
    """Rates of methods and metrics in finished cells of the same task and model, whatever their size."""
    config, wanted = outlook.trial.config, speeds_key(outlook.trial.config)
    methods = {
        canonical([config.explainer[m.explainer_name], config.baseline.get(m.baseline_name)]): m
        for m in outlook.trial.choice.methods
    }
    found: dict[str, list[float]] = {}
    for path in timed:
        record = json.loads(path.read_text(encoding="utf-8"))
        was = OmegaConf.create(record["config"])
        if speeds_key(was) != wanted:
            continue
        entries = was.explainer.get(record["explainer"]), was.baseline.get(record["baseline"])
        method = methods.get(canonical(list(entries)))
        if method is None:
            continue
        seconds = _seconds(path.parent)
        units = load(method, outlook.lengths, targets_of(config, len(outlook.trial.task.labels)))[2]
        mean = float(units @ outlook.count / outlook.count.sum())
        found.setdefault(method_name(method), []).append(float(np.mean(seconds)) / mean)
        for chosen, spent in _scoring(path, outlook):
            found.setdefault(metric_name(chosen), []).append(spent / looked_at(chosen, len(seconds)))
    return {what: Rate(0.0, median(values)) for what, values in found.items()}


def _without_amounts(config: Any) -> dict[str, Any]:
    return {str(name): value for name, value in config.items() if name not in _AMOUNTS}


def looked_at(chosen: ChosenMetric, texts: int) -> int:
    """How many of so many texts a metric looks at: those with a budget of texts take no more."""
    return min(texts, int(getattr(chosen.metric, "texts", texts)))


def _scoring(card: Path, outlook: Outlook) -> list[tuple[ChosenMetric, float]]:
    """The seconds of every metric of a cell, by when its file was written: each comes after another."""
    written = sorted(
        (path.stat().st_mtime, path.stem) for path in [card, *card.parent.glob("scores/*.parquet")]
    )
    spent = {name: end - start for (start, _), (end, name) in pairwise(written)}
    return [(one, spent[one.key]) for one in outlook.trial.choice.metrics if one.key in spent]


def _seconds(cell: Path) -> NDArray[np.float64]:
    """Of every text of a cell."""
    parts = [pq.read_table(path, columns=["seconds"]) for path in sorted(cell.glob("seconds/part-*.parquet"))]
    return np.concatenate([part["seconds"].to_numpy() for part in parts])
