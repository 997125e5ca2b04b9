"""What can be wrong with the files of a store, folder by folder; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.harness.storage.layout import StoredCell, StoredModel, StoredPair, StoredTrial
from assay.harness.storage.store import intact
from assay.harness.trials.records import SCHEMA
from assay.harness.upkeep.provenance import Records, Texts, parsed
from assay.metrics.long_table import COLUMNS
from assay.models.saving import load, weights_hash
from assay.tasks.errors import InputError

UNSEALED = "is not what was written: it does not fit its own seal"
NO_JSON = "is no JSON record, or its checksum does not fit its content"
UNTRACED = "cannot be traced: its model, or the package of its explainer, is not here"
FOREIGN = "does not lead to its folder's name: another version of Assay made it, or it was altered"

# What the checks read of a record.
CELL = ("weights", "explained", "task", "model", "seed", "explainer", "baseline", "explainer_seed", "config")
TRIAL = ("weights", "explained", "sizes", "labels")


@dataclass(frozen=True, slots=True)
class Fault:
    """path: where. what: in one clause. aside: what has to go so that the next run computes it anew; nothing
    where it is no fault, but could not be checked."""

    path: Path
    what: str
    aside: tuple[Path, ...]


def model_faults(folder: Path, _: Records) -> Iterator[Fault]:
    """A model loads and has the weights that its card tells; one that was not trained here has no more."""
    card, report = StoredModel(folder).card, StoredModel(folder).training
    told = parsed(card)
    if card.exists() and (told is None or "weights" not in told):
        yield Fault(card, NO_JSON, (card,))
    if not report.exists():
        return
    if parsed(report) is None:
        yield Fault(report, NO_JSON, (folder,))
        return
    try:
        weights = weights_hash(load(folder))
    except InputError as error:
        yield Fault(folder, f"cannot be loaded: {error}", (folder,))
        return
    if told is not None and told.get("weights", weights) != weights:
        yield Fault(folder, f"has other weights than its {card.name} records", (folder,))


def trial_faults(folder: Path, known: Records) -> Iterator[Fault]:
    """A trial's record leads to its name, and there is one finite prediction per text."""
    path, told = StoredTrial(folder).predictions, StoredTrial(folder).record
    if not told.exists():
        if path.exists() and not intact(path):
            yield Fault(path, UNSEALED, (path,))
        return
    record = parsed(told)
    if record is None:
        yield Fault(told, NO_JSON, (told,))
        return
    if lacking := _lacking(record, TRIAL):
        yield Fault(told, lacking, (told,))
        return
    if known.fits_trial(record, folder.name) is False:
        yield Fault(told, FOREIGN, (folder,))
        return
    both = path, told
    if not path.exists():
        yield Fault(path, "is missing", both)
    elif not intact(path):
        yield Fault(path, UNSEALED, both)
    else:
        yield from (Fault(path, what, both) for what in _predictions(pq.read_table(path), record))


def _predictions(table: pa.Table, record: dict[str, Any]) -> Iterator[str]:
    if table.column_names != ["example_id", "probabilities"]:
        yield f"has the columns {', '.join(table.column_names)}; expected example_id, probabilities"
        return
    texts, classes = record["sizes"]["test"], len(record["labels"])
    if table.num_rows != texts or _doubled(table, ["example_id"]):
        yield f"does not hold each of {texts} texts once"
    if (_lengths(table, "probabilities") != classes).any() or not _finite(table, "probabilities"):
        yield f"does not hold {classes} finite probabilities per text"


def cell_faults(folder: Path, known: Records) -> Iterator[Fault]:
    """A finished cell's record leads to its name, and its shards hold every text once; scores are whole."""
    stored = StoredCell(folder)
    told = stored.record
    record = parsed(told)
    if told.exists():
        wrong = NO_JSON if record is None else _lacking(record, CELL)
        fits = None if record is None or wrong else known.fits_cell(record, folder.name)
        if fits is False:
            yield Fault(told, FOREIGN, (folder,))
            return
        if wrong or record is None:
            yield Fault(told, wrong, (told,))
        else:
            if fits is None:
                yield Fault(told, UNTRACED, ())
            yield from _shards(stored, record, known.texts(record))
    else:
        # The job that does it, or did, has not come to its end: what is there must be whole all the same.
        for path in stored.parts():
            yield from _table(path, (path,), lambda table: _explanations(table, None, None))
    yield from score_faults(folder, known)


def _shards(stored: StoredCell, record: dict[str, Any], texts: Texts | None) -> Iterator[Fault]:
    told = stored.record
    size = int(record["config"]["shard"])
    every = record["config"]["targets"] == "all"
    there = stored.parts()
    numbers = range(len(there) if texts is None else -(-len(texts.ids) // size))
    for number in numbers:
        path, seconds = stored.part(number), stored.seconds(number)
        ids = None if texts is None else texts.ids[number * size :][:size]
        classes = texts.classes if texts is not None and every else None
        if not path.exists():
            yield Fault(path, f"is missing, though {told.name} says that the cell is done", (told,))
            continue
        yield from _table(path, (path, told), lambda t, i=ids, c=classes: _explanations(t, i, c))
        if not seconds.exists():
            yield Fault(seconds, "is missing", (path, told))
        else:
            yield from _table(seconds, (seconds, path, told), lambda t, i=ids: _seconds(t, i))
    for path in there:
        if path not in {stored.part(number) for number in numbers}:
            yield Fault(path, "holds texts that are not explained here", (path,))


def _explanations(table: pa.Table, ids: Sequence[str] | None, classes: int | None) -> Iterator[str]:
    """ids: the texts expected, None if unknown. classes: how many of each are, None if it varies."""
    version = b"schema_version"
    same_version = (table.schema.metadata or {}).get(version) == SCHEMA.metadata[version]
    if not table.schema.equals(SCHEMA) or not same_version:
        yield "does not have the columns of explanations of this version"
        return
    if _doubled(table, ["example_id", "target"]):
        yield "holds an explanation twice"
    found = table["example_id"].to_pylist()
    if ids is not None and set(found) != set(ids):
        yield f"holds other texts than the {len(ids)} that belong there"
    elif classes is not None and ids is not None and len(found) != len(ids) * classes:
        yield f"holds {len(found)} explanations; expected {len(ids)} texts for {classes} classes each"
    lengths = [_lengths(table, name) for name in ("tokens", "scores", "word_ids", "starts", "ends")]
    if any((one != lengths[0]).any() for one in lengths):
        yield "does not hold one score per token"
    if not _finite(table, "scores"):
        yield "holds scores that are no finite numbers"


def _seconds(table: pa.Table, ids: Sequence[str] | None) -> Iterator[str]:
    if not {"example_id", "seconds"} <= set(table.column_names):
        yield "does not have the columns of wall times"
    elif ids is not None and table["example_id"].to_pylist() != list(ids):
        yield f"holds other texts than the {len(ids)} that belong there"


def pair_faults(folder: Path, known: Records) -> Iterator[Fault]:
    """The distances and the scores of a pair of models are whole."""
    path = StoredPair(folder).distances
    if path.exists():
        yield from _table(path, (path,), _distances)
    yield from score_faults(folder, known)


def _distances(table: pa.Table) -> Iterator[str]:
    if "example_id" not in table.column_names or _doubled(table, ["example_id"]):
        yield "does not hold each text once"


def score_faults(folder: Path, _: Records) -> Iterator[Fault]:
    """The long tables of a folder's scores are whole and hold no row twice."""
    for path in StoredCell(folder).score_files():
        yield from _table(path, (path,), _scores)


def _scores(table: pa.Table) -> Iterator[str]:
    if table.column_names != list(COLUMNS):
        yield f"has the columns {', '.join(table.column_names)}; expected {', '.join(COLUMNS)}"
    elif _doubled(table, ["unit", "target", "part"]):
        yield "holds a value twice"


def _table(
    path: Path, aside: tuple[Path, ...], faults: Callable[[pa.Table], Iterator[str]]
) -> Iterator[Fault]:
    if not intact(path):
        yield Fault(path, UNSEALED, aside)
        return
    yield from (Fault(path, what, aside) for what in faults(pq.read_table(path)))


def _doubled(table: pa.Table, names: list[str]) -> bool:
    return table.group_by(names).aggregate([]).num_rows != table.num_rows


def _lacking(record: dict[str, Any], needed: Sequence[str]) -> str:
    missing = [name for name in needed if name not in record]
    return f"lacks {', '.join(missing)}" if missing else ""


def _lengths(table: pa.Table, column: str) -> NDArray[np.intp]:
    """Of the lists of a column."""
    return np.array([len(one) for one in table[column].to_pandas()], dtype=np.intp)


def _finite(table: pa.Table, column: str) -> bool:
    return all(np.isfinite(one).all() for one in table[column].to_pandas())
