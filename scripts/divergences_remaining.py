"""How far that moves the numbers which the scripts do and the metrics as coded do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from bar import Table
from divergences_lab import Lab, pair_tables, pooled, summary, transcription

from assay.explainers.protocol import Explainer
from assay.metrics.as_coded.dataset_consistency import DatasetConsistencyAsCoded, draw_pairs, padded_means
from assay.metrics.as_coded.rationale_consistency import RationaleConsistencyAsCoded
from assay.models.engine import Engine
from assay.models.seeding import seeded

# So many other streams tell how much depends on the draws.
STREAMS = 30


@dataclass(frozen=True)
class Effect:
    """A number as coded here, and as the scripts would have it; the mean over the trained networks.

    deviation: of the scripts' number over other draws, NaN where it was not measured.
    """

    what: str
    measure: str
    explainer: str
    here: float
    scripts: float
    deviation: float


def one_stream(lab: Lab, explainers: Mapping[str, Explainer]) -> Iterator[Effect]:
    """Up-sampled texts of all networks and explainers drawn from one stream, one after the other."""
    readers = {
        name: [cell.reader().instances for cell in lab.cells(method, lab.trained)]
        for name, method in explainers.items()
    }

    def values(seed: int) -> np.ndarray:
        """(explainers, 2) MAE and MAX."""
        stream = np.random.RandomState(seed)
        each = [[transcription.confidence(i, stream) for i in of_one] for of_one in readers.values()]
        return np.mean(each, axis=1)

    here = np.mean([[transcription.confidence(i) for i in of_one] for of_one in readers.values()], axis=1)
    scripts, others = (
        values(1),
        np.stack([values(seed) for seed in range(2, 2 + STREAMS)]).std(axis=0, ddof=1),
    )
    for place, name in enumerate(readers):
        for part, measure in enumerate(("Confidence indication (MAE)", "Confidence indication (MAX)")):
            before, after, deviation = (float(table[place, part]) for table in (here, scripts, others))
            yield Effect("one stream of draws", measure, name, before, after, deviation)


def dropout(
    lab: Lab, explainers: Mapping[str, Explainer], rationale: RationaleConsistencyAsCoded
) -> Iterator[Effect]:
    """Activations of networks in training mode, drawn anew for every pair; explanations as they are."""
    what, nowhere = "dropout in activations", float("nan")
    for name, method in explainers.items():
        trained, untrained = lab.cells(method, lab.trained), lab.cells(method, lab.untrained)
        kinds = ((trained, None), (untrained, None), (untrained, trained))
        numbers: list[float] = []
        for networks in ([], [*lab.trained, *lab.untrained]):
            with in_training_mode(networks):
                tables = pooled([table for kind in kinds for table in pair_tables(rationale, *kind)])
            numbers.append(summary(rationale, tables))
        here, scripts = numbers
        yield Effect(what, rationale.title, name, here, scripts, nowhere)
        metric = DatasetConsistencyAsCoded()
        each = [[_of_texts(metric, cell, networks) for networks in ([], [cell.model])] for cell in trained]
        here, scripts = np.mean(each, axis=0).tolist()
        yield Effect(what, metric.title, name, here, scripts, nowhere)


def _of_texts(metric: DatasetConsistencyAsCoded, cell: Any, networks: Sequence[Any]) -> float:
    """Dataset consistency with activations asked anew for both texts of every pair."""
    table = metric.score(cell.subject())
    pairs = draw_pairs(cell.examples, metric.pairs, metric.pool, transcription.random.Random(metric.seed))
    with in_training_mode(networks):
        first, second = (
            padded_means(Engine(cell.model), [cell.encodings[at] for at in side], metric.padded)[1]
            for side in (pairs.first.tolist(), pairs.second.tolist())
        )
    table.loc[table["part"] == "activation_distance", "value"] = np.abs(first - second).mean(axis=1)
    return summary(metric, table)


@contextmanager
def in_training_mode(models: Sequence[Any]) -> Iterator[None]:
    """With the dropout of these models active, their draws seeded."""
    for model in models:
        model.network.train()
    try:
        with seeded(1):
            yield
    finally:
        for model in models:
            model.network.eval()


def print_effects(effects: Sequence[Effect]) -> None:
    """As a table."""
    table = Table("what", "measure", "explainer", here=".3f", scripts=".3f", deviation=".3f")
    for effect in effects:
        table.row(*astuple(effect))
