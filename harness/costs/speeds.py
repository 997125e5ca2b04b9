"""Seconds and bytes per unit of work, from finished cells or from a calibration."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from assay.explainers import averaging
from assay.explainers.averaging import MANY_WORDS
from assay.explainers.peers.peer import Peer
from assay.explainers.precisions import rows_asked_twice
from assay.explainers.protocol import Explainer
from assay.harness.config.choice import (
    EVERY_CAPABILITY,
    ChosenMetric,
    Method,
    capabilities_record,
    recorded_capabilities,
)
from assay.harness.config.engines import OF_PRECISION, read_precision
from assay.harness.config.keys import canonical, key
from assay.harness.costs.unloaded import absent_capabilities
from assay.harness.storage.layout import CELLS, StoredCell
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.census import TrialPreview

# At most so many finished cells are read for their times, the newest first.
NEWEST = 500
# Settings of a task or model that decide how much there is to do, not how fast it goes.
_AMOUNTS = ("train", "dev", "test", "seed", "init_only")

# Names of rates beside those of methods and metrics.
ASKING = "asking"  # per text: encoding and the model's probabilities
TRAINING = "training"  # per training text and epoch
WEIGHTS = "weights"  # per model: its bytes
MODEL = "model"  # per unit of work: methods that have no rate of their own


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of work takes.

    Attributes:
        seconds: per unit.
        bytes: on disk per text.
    """

    seconds: float
    bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Speeds:
    """The rates of one model on one task.

    Attributes:
        rates: by ASKING, TRAINING, WEIGHTS, MODEL, `method_name` and `metric_name`.
        capabilities: of the model; if it was not built, all but those that its files deny.
    """

    rates: Mapping[str, Rate]
    capabilities: Sequence[str] = tuple(sorted(EVERY_CAPABILITY))

    def method(self, method: Method) -> Rate | None:
        """Per unit of work; None if unknown."""
        if has_own_pace(method.explainer):
            return self.rates.get(method_name(method))
        return self.rates.get(method_name(method), self.rates.get(MODEL))


def has_own_pace(explainer: Explainer) -> bool:
    """Whether the model's speed does not tell an explainer's: its rows are not known, or another library asks
    for them one by one."""
    return not explainer.traits.cost_known or isinstance(explainer, Peer)


class Workload(NamedTuple):
    """The work of explaining all texts of a trial by one method, duplicate rows not yet dropped.

    Attributes:
        rows: forward and backward rows of the model, those asked in two precisions twice; at most so many
            where the baseline is a mixture.
        tokens: that the model reads in these rows.
        units: tokens, where a backward row counts like two forward rows, and every word of a text is one
            more, because methods that ask no model take time, too.
        mlm_rows: of a masked language model.
        plain_rows: as `rows`, with a baseline that puts in one token.
    """

    rows: float
    tokens: float
    units: float
    mlm_rows: float = 0.0
    plain_rows: float = 0.0


def workload(method: Method, preview: TrialPreview) -> Workload:
    """What a method, an explainer with its baseline, has to do in a trial."""
    lengths, count = preview.lengths, preview.count
    explainer, baseline, targets = method.explainer, method.baseline, preview.targets
    words = preview.words if baseline is not None and baseline.mixture and baseline.from_texts else MANY_WORDS
    rows = [averaging.model_rows(explainer, baseline, int(length), targets, words) for length in lengths]
    forward, backward, mlm = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    precision = read_precision(preview.trial.config.engine)
    forward = forward + [rows_asked_twice(explainer, precision, int(each)) for each in forward]
    units = (forward + mlm + 2 * backward + 1) * np.maximum(lengths, 1)
    both = forward + backward
    plain = np.array([sum(explainer.model_rows(int(length), targets)) for length in lengths])
    return Workload(
        float(both @ count),
        float(both * lengths @ count),
        float(units @ count),
        float(mlm @ count),
        float(plain @ count),
    )


def method_name(method: Method) -> str:
    """The name of a method's rate."""
    return f"method {key('method', method.identity)}"


def metric_name(chosen: ChosenMetric, method: Method) -> str:
    """The name of a metric's rate; that of one that explains again differs by the method of the cell."""
    again = "explaining" in chosen.metric.needs
    return f"metric {chosen.settings}" + (f" of {method_name(method)}" if again else "")


def texts_scored(chosen: ChosenMetric, texts: int) -> int:
    """How many of so many texts a metric scores: those with a budget of texts no more than that."""
    return min(texts, int(getattr(chosen.metric, "texts", texts)))


def speeds_key(config: Any) -> str:
    """Names what decides how fast a trial's work goes."""
    settings = [
        {str(name): value for name, value in part.items() if name not in _AMOUNTS}
        for part in (config.task, config.model)
    ]
    engine = {
        str(name): value
        for name, value in config.engine.items()
        if name not in OF_PRECISION or config.engine.get("precision", "float32") != "float32"
    }
    return key("speeds", *settings, engine, config.targets)


def keep(store: Store, name: str, speeds: Speeds) -> None:
    """Write a calibration into the store, over what it says of the same work."""
    rates = {**_calibrated(store, name).rates, **speeds.rates}
    known = {what: asdict(rate) for what, rate in rates.items()}
    write_json(store.calibration(name), {"rates": known, **capabilities_record(speeds.capabilities)})


def _calibrated(store: Store, name: str) -> Speeds:
    record = read_json(store.calibration(name))
    if record is None:
        return Speeds({})
    rates = {what: Rate(**rate) for what, rate in record["rates"].items()}
    return Speeds(rates, tuple(sorted(recorded_capabilities(record))))


def recall(previews: Sequence[TrialPreview], store: Store) -> dict[str, Speeds]:
    """By `speeds_key` the rates of the trials' work, from calibrations and from finished cells.

    Where both tell of the same work, the cells count: an untrained model is only like the one that runs.
    """
    done = [cell for cell in map(StoredCell, store.folders(CELLS)) if cell.done]
    newest = heapq.nlargest(NEWEST, done, lambda cell: cell.record.stat().st_mtime)
    known: dict[str, Speeds] = {}
    for preview in previews:
        name = speeds_key(preview.trial.config)
        if name not in known:
            kept = _calibrated(store, name)
            has = frozenset(kept.capabilities) - absent_capabilities(preview.trial.config.model)
            known[name] = Speeds({**kept.rates, **_of_cells(preview, newest)}, tuple(sorted(has)))
    return known


def _of_cells(preview: TrialPreview, done: Sequence[StoredCell]) -> dict[str, Rate]:
    """Median rates in finished cells of the same task and model, however many texts they have."""
    config = preview.trial.config
    methods = {
        canonical([config.explainer[m.explainer_name], config.baseline.get(m.baseline_name)]): m
        for m in preview.trial.choice.methods
    }
    rates: dict[str, list[Rate]] = {}
    for cell in done:
        record = read_json(cell.record)
        if record is None:
            continue
        was = OmegaConf.create(record["config"])
        entries = [was.explainer.get(record["explainer"]), was.baseline.get(record["baseline"])]
        method = methods.get(canonical(entries))
        if method is not None and speeds_key(was) == speeds_key(config):
            for name, rate in _of_cell(cell, preview, method):
                rates.setdefault(name, []).append(rate)
    return {
        name: Rate(median(rate.seconds for rate in found), median(rate.bytes for rate in found))
        for name, found in rates.items()
    }


def _of_cell(cell: StoredCell, preview: TrialPreview, method: Method) -> Iterator[tuple[str, Rate]]:
    """The rates in one finished cell, by name."""
    try:
        parts = [pq.read_table(path, columns=["seconds"]) for path in cell.seconds_parts()]
        seconds = np.concatenate([part["seconds"].to_numpy() for part in parts])
    except (OSError, ValueError, KeyError):  # damaged or lost: `assay verify` tells of it
        return
    units = workload(method, preview).units / float(preview.count.sum())
    rate = Rate(float(seconds.mean()) / units, explanation_bytes(cell) / len(seconds))
    yield method_name(method), rate
    if method.explainer.model_rows(1, 1) != (0, 0) and not has_own_pace(method.explainer):
        yield MODEL, rate
    # Metrics are scored one after another, so each took as long as from the file before its own.
    files = sorted([cell.record, *cell.score_files()], key=lambda file: file.stat().st_mtime)
    for before, file in pairwise(files):
        for chosen in preview.trial.choice.metrics:
            if file.stem == chosen.settings or file.stem.startswith(f"{chosen.settings}-"):
                texts = texts_scored(chosen, len(seconds))
                spent = file.stat().st_mtime - before.stat().st_mtime
                yield metric_name(chosen, method), Rate(spent / texts, file.stat().st_size / texts)


def explanation_bytes(cell: StoredCell) -> int:
    """Bytes of the explanations of a cell on disk."""
    return sum(path.stat().st_size for path in cell.parts())
