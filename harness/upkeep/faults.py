"""What can be wrong with the files of a store, folder by folder; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.explainers.explanation_columns import OPTIONAL
from assay.harness.storage.layout import StoredCell, StoredModel, StoredPair, StoredScores, StoredTrial
from assay.harness.storage.store import intact
from assay.harness.trials.records import SCHEMA
from assay.harness.upkeep.provenance import Records, Texts, parsed
from assay.metrics.long_table import COLUMNS
from assay.models.saving import load, weights_hash
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

UNSEALED = "is not what was written: it does not fit its own seal"
NO_JSON = "is no JSON record, or its checksum does not fit its content"
NO_FOLDER = "is no folder, but in the place of one"
UNTRACED = "cannot be traced: its model, or the package of its explainer, is not here"
FOREIGN = "does not lead to its folder's name: another version of Assay made it, or it was altered"

# The fields of a record that the checks read.
CELL = ("weights", "explained", "task", "model", "seed", "explainer", "baseline", "explainer_seed", "config")
TRIAL = ("weights", "explained", "sizes", "labels")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with a store.

    Attributes:
        path: where.
        what: in one clause.
        aside: what must be set aside so that the next run computes it anew; empty where it is no fault, but
            could not be checked.
    """

    path: Path
    what: str
    aside: tuple[Path, ...]


def model_faults(folder: Path, _: Records) -> Iterator[Fault]:
    """A model loads and has the weights of its card; one that was not trained here has only a card."""
    stored = StoredModel(folder)
    card = _record(stored.card, ["weights"]) if lexists(stored.card) else {}
    if isinstance(card, Fault):
        yield card
        card = {}
    if not lexists(stored.training):
        return
    training = parsed(stored.training)
    if training is None:
        yield Fault(stored.training, NO_JSON, (folder,))
        return
    try:
        weights = weights_hash(load(folder))
    except InputError as error:
        yield Fault(folder, f"cannot be loaded: {error}", (folder,))
        return
    for path, record in ((stored.card, card), (stored.training, training)):
        if record.get("weights", weights) != weights:
            yield Fault(folder, f"has other weights than its {path.name} records", (folder,))


def trial_faults(folder: Path, records: Records) -> Iterator[Fault]:
    """A trial's record leads to its name, and there is one finite prediction per text."""
    stored = StoredTrial(folder)
    path, record_path = stored.predictions, stored.record
    both = path, record_path
    if not lexists(record_path):
        if lexists(path):
            yield from _table(path, (path,), lambda _: iter(()))
        return
    record = _record(record_path, TRIAL)
    if isinstance(record, Fault):
        yield record
    elif records.fits_trial(record, folder.name) is False:
        yield Fault(record_path, FOREIGN, (folder,))
    elif not path.exists():
        yield Fault(path, "is missing", both)
    else:
        yield from _table(path, both, lambda table: _predictions(table, record))


def _predictions(table: pa.Table, record: dict[str, Any]) -> Iterator[str]:
    if table.column_names != ["example_id", "probabilities"]:
        yield f"has the columns {', '.join(table.column_names)}; expected example_id, probabilities"
        return
    texts, classes = record["sizes"]["test"], len(record["labels"])
    if table.num_rows != texts or not _unique(table, ["example_id"]):
        yield f"does not hold each of {texts} texts once"
    if (_lengths(table, "probabilities") != classes).any() or not _finite(table, "probabilities"):
        yield f"does not hold {classes} finite probabilities per text"


def cell_faults(folder: Path, records: Records) -> Iterator[Fault]:
    """A finished cell's record leads to its name, and its shards hold every text once; scores are whole."""
    stored = StoredCell(folder)
    if not lexists(stored.record):
        # The job that does it, or did, has not come to its end: what is there must be whole all the same.
        for path in stored.parts():
            yield from _table(path, (path,), lambda table: _explanations(table, None, None))
    elif isinstance(record := _record(stored.record, CELL), Fault):
        yield record
    else:
        fits = records.fits_cell(record, folder.name)
        if fits is False:
            yield Fault(stored.record, FOREIGN, (folder,))
            return
        if fits is None:
            yield Fault(stored.record, UNTRACED, ())
        yield from _shards(stored, record, records.texts(record))
    yield from _score_faults(folder)


def _shards(stored: StoredCell, record: dict[str, Any], texts: Texts | None) -> Iterator[Fault]:
    size = int(record["config"]["shard"])
    classes = texts.classes if texts is not None and record["config"]["targets"] == "all" else None
    parts = stored.parts()
    # Without the texts it is known that there were shards up to the last one that is left.
    last = int(parts[-1].stem.rpartition("-")[2]) + 1 if parts else 0
    count = last if texts is None else -(-len(texts.ids) // size)
    expected = [stored.part(number) for number in range(count)]
    for number, path in enumerate(expected):
        ids = None if texts is None else texts.ids[number * size :][:size]
        yield from _shard(path, stored, ids, classes)
    for path in sorted(set(parts).difference(expected)):
        yield Fault(path, "holds texts that are not explained here", (path,))


def _shard(path: Path, stored: StoredCell, ids: Sequence[str] | None, classes: int | None) -> Iterator[Fault]:
    record, seconds = stored.record, stored.seconds_of(path)
    if not path.exists():
        yield Fault(path, f"is missing, though {record.name} says that the cell is done", (record,))
        return
    yield from _table(path, (path, record), lambda table: _explanations(table, ids, classes))
    if not seconds.exists():
        yield Fault(seconds, "is missing", (path, record))
    else:
        yield from _table(seconds, (seconds, path, record), lambda table: _seconds(table, ids))


def _explanations(table: pa.Table, ids: Sequence[str] | None, classes: int | None) -> Iterator[str]:
    """ids: the texts expected, None if unknown. classes: how many of each are, None if it varies."""
    version = b"schema_version"
    same_version = (table.schema.metadata or {}).get(version) == SCHEMA.metadata[version]
    needed = table.drop_columns([name for name in OPTIONAL if name in table.column_names])
    if not needed.schema.equals(SCHEMA) or not same_version:
        yield "does not have the columns of explanations of this version"
        return
    if not _unique(table, ["example_id", "target"]):
        yield "holds an explanation twice"
    texts = table["example_id"].to_pylist()
    if ids is not None and set(texts) != set(ids):
        yield f"holds other texts than the {len(ids)} that belong there"
    elif classes is not None and ids is not None and len(texts) != len(ids) * classes:
        held, expected = counted(len(texts), "explanation"), counted(len(ids), "text")
        yield f"holds {held}; expected {expected} for {counted(classes, 'class', 'classes')} each"
    lengths = [_lengths(table, name) for name in ("tokens", "scores", "word_ids", "starts", "ends")]
    if any((other != lengths[0]).any() for other in lengths):
        yield "does not hold one score per token"
    if not _finite(table, "scores"):
        yield "holds scores that are no finite numbers"


def _seconds(table: pa.Table, ids: Sequence[str] | None) -> Iterator[str]:
    if not {"example_id", "seconds"} <= set(table.column_names):
        yield "does not have the columns of wall times"
    elif ids is not None and table["example_id"].to_pylist() != list(ids):
        yield f"holds other texts than the {len(ids)} that belong there"


def pair_faults(folder: Path, _: Records) -> Iterator[Fault]:
    """The distances and the scores of a pair of models are whole."""
    path = StoredPair(folder).distances
    if lexists(path):
        yield from _table(path, (path,), _distances)
    yield from _score_faults(folder)


def _distances(table: pa.Table) -> Iterator[str]:
    if "example_id" not in table.column_names or not _unique(table, ["example_id"]):
        yield "does not hold each text once"


def _score_faults(folder: Path) -> Iterator[Fault]:
    """The long tables of a folder's scores are whole and hold no row twice."""
    for path in StoredScores(folder).score_files():
        yield from _table(path, (path,), _scores)


def _scores(table: pa.Table) -> Iterator[str]:
    if table.column_names != list(COLUMNS):
        yield f"has the columns {', '.join(table.column_names)}; expected {', '.join(COLUMNS)}"
    elif not _unique(table, ["unit", "target", "part"]):
        yield "holds a value twice"


def _record(path: Path, needed: Sequence[str]) -> dict[str, Any] | Fault:
    """The record, if it is whole and has the fields that are needed."""
    record = parsed(path)
    if record is None:
        return Fault(path, NO_JSON, (path,))
    missing = [name for name in needed if name not in record]
    return Fault(path, f"lacks {', '.join(missing)}", (path,)) if missing else record


def _table(
    path: Path, aside: tuple[Path, ...], faults: Callable[[pa.Table], Iterator[str]]
) -> Iterator[Fault]:
    if not intact(path):
        yield Fault(path, UNSEALED, aside)
        return
    yield from (Fault(path, what, aside) for what in faults(pq.read_table(path)))


def _unique(table: pa.Table, names: list[str]) -> bool:
    return table.group_by(names).aggregate([]).num_rows == table.num_rows


def _lengths(table: pa.Table, column: str) -> NDArray[np.intp]:
    """Of the lists of a column."""
    return np.array([len(values) for values in table[column].to_pandas()], dtype=np.intp)


def _finite(table: pa.Table, column: str) -> bool:
    return all(np.isfinite(values).all() for values in table[column].to_pandas())
