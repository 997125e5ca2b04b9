"""Every metric on parts of the texts: by label, length, whether the model is right, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.subject import Metric
from assay.results.comparison import by_group_and_metric, methods_of
from assay.results.records import CellScores, Group, Method, Results, TextFacts, of_trained
from assay.results.statistics import Floats
from assay.results.values import by_seed, units_of, values_on

ALL, LABEL, LENGTH, RIGHT, CONFIDENCE = "all", "label", "length", "right", "confidence"
DIMENSIONS = (ALL, LABEL, LENGTH, RIGHT, CONFIDENCE)
# What depends on the texts alone, and so can be said of a pair of models too.
OF_TEXTS = frozenset({ALL, LABEL, LENGTH})
NO_LABEL = "no label"
# With fewer texts than this a tenth of them is too few.
FEWEST_FOR_DECILES = 200
COLUMNS = (
    *("task", "model", "kind", "metric", "dimension", "slice", "explainer", "baseline"),
    *("value", "n_seeds", "n_units", "control"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A part of the texts of one model, by their ids; place: its order among those of its dimension."""

    dimension: str
    place: int
    name: str
    ids: frozenset[str]


def slices_of(facts: TextFacts) -> list[Slice]:
    """All slices that have texts, the first of them all texts. A text with several labels is in several."""
    found = [Slice(ALL, 0, "all texts", frozenset(facts.ids))]
    found += _labels(facts)
    found += _parts(facts, LENGTH, *length_buckets(facts.tokens))
    found += _parts(facts, RIGHT, np.where(facts.right, 0, 1), ("model right", "model wrong"))
    found += _parts(facts, CONFIDENCE, *confidence_buckets(facts.confidence))
    return [part for part in found if part.ids]


def _labels(facts: TextFacts) -> list[Slice]:
    by_label: dict[str, set[str]] = {}
    for name, labels in zip(facts.ids, facts.labels, strict=True):
        for label in labels or (NO_LABEL,):
            by_label.setdefault(label, set()).add(name)
    order = sorted(by_label, key=lambda label: (label == NO_LABEL, -len(by_label[label]), label))
    return [Slice(LABEL, place, label, frozenset(by_label[label])) for place, label in enumerate(order)]


def _parts(facts: TextFacts, dimension: str, place: NDArray[np.intp], names: Sequence[str]) -> list[Slice]:
    ids = np.asarray(facts.ids, dtype=object)
    return [
        Slice(dimension, number, name, frozenset(ids[place == number].tolist()))
        for number, name in enumerate(names)
    ]


def length_buckets(tokens: Floats) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Which tercile of lengths each text (n,) is in, and what they are called; -1 where unknown."""
    known = tokens[np.isfinite(tokens)]
    if not len(known):
        return np.full(len(tokens), -1), ()
    low, high = (int(cut) for cut in np.quantile(known, [1 / 3, 2 / 3], method="lower"))
    place = np.where(np.isnan(tokens), -1, np.searchsorted([low, high], tokens))
    names = f"short: up to {low} tokens", f"medium: {low + 1} to {high}", f"long: {high + 1} and more"
    return place, names


def confidence_buckets(confidence: Floats) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Which tenth of the texts (n,) by confidence each is in, or fifth if they are few; 0 is the least sure.

    Equal confidences are in one part, so parts can be empty.
    """
    count, part = (10, "decile") if len(confidence) >= FEWEST_FOR_DECILES else (5, "quintile")
    edges = np.quantile(confidence, np.arange(1, count) / count, method="lower")
    ends = {1: ", least sure", count: ", most sure"}
    names = tuple(f"{part} {number}{ends.get(number, '')}" for number in range(1, count + 1))
    return np.searchsorted(edges, confidence), names


def slices(results: Results) -> pd.DataFrame:
    """The table of COLUMNS: per group of trained models, metric, slice and method the metric on the slice.

    value: mean over seeds of `summarise` on the slice's units, for those seeds in which it is defined.
    n_units: units of the slice, over seeds. dimension: "all", "label", "length", "right", "confidence". A
    metric of two models has the first three only; one that counts pairs of texts has none, as they belong to
    two slices.
    """
    facts = {(of.group, of.seed): slices_of(of) for of in results.facts}
    methods, cells = methods_of(results), by_group_and_metric(results.cells)
    rows = []
    for group in of_trained(cell.group for cell in results.cells):
        for metric in results.metrics:
            found = _sliced(by_seed(cells.get((group, metric.name), [])), group, metric, facts)
            for (dimension, _, name), of_methods in sorted(found.items(), key=_order):
                for method in methods[group]:
                    values, units = of_methods.get(method, ([], 0))
                    if values:
                        about = (*group, metric.name, dimension, name, *method)
                        control = method.explainer in results.controls
                        rows.append((*about, float(np.mean(values)), len(values), units, control))
    return pd.DataFrame(rows, columns=list(COLUMNS))


OfMethods = dict[Method, tuple[list[float], int]]
Found = dict[tuple[str, int, str], OfMethods]


def _order(item: tuple[tuple[str, int, str], OfMethods]) -> tuple[int, int, str]:
    dimension, place, name = item[0]
    return DIMENSIONS.index(dimension), place, name


def _sliced(
    seeds: Mapping[str, Sequence[CellScores]],
    group: Group,
    metric: Metric,
    facts: Mapping[tuple[Group, str], Sequence[Slice]],
) -> Found:
    """Per slice and method the defined values of the seeds, and the number of units behind them."""
    found: Found = {}
    for seed, cells in seeds.items():
        units = units_of(cells)
        chosen = list(_positions(_known(group, seed, facts), units))
        values = values_on(cells, metric, units, [places[None] for _, places in chosen])
        for number, (part, places) in enumerate(chosen):
            of_methods = found.setdefault((part.dimension, part.place, part.name), {})
            for method, of_slices in values.items():
                if np.isfinite(of_slices[number][0]):
                    before, count = of_methods.get(method, ([], 0))
                    of_methods[method] = [*before, float(of_slices[number][0])], count + len(places)
    return found


def _known(group: Group, seed: str, facts: Mapping[tuple[Group, str], Sequence[Slice]]) -> list[Slice]:
    """The slices of a model, or of a pair of models those that depend on the texts alone."""
    if (group, seed) in facts:
        return list(facts[group, seed])
    of_same_texts = [found for (where, _), found in facts.items() if where[:2] == group[:2]]
    return [part for found in of_same_texts[:1] for part in found if part.dimension in OF_TEXTS]


def _positions(parts: Sequence[Slice], units: Sequence[str]) -> Iterator[tuple[Slice, NDArray[np.intp]]]:
    """The places of each slice's texts among the units, of slices that have any."""
    for part in parts:
        places = np.array([place for place, unit in enumerate(units) if unit in part.ids], dtype=np.intp)
        if len(places):
            yield part, places
