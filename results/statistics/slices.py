"""Every metric on parts of the texts: by label, length, whether the model is right, and how sure it is; and
against the marks of each group of annotators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import of_group
from assay.results.columns import SliceRow, to_table
from assay.results.records import CellScores, Group, Method, Results, TextFacts, grouped, trained_groups
from assay.results.statistics.ceiling import against
from assay.results.statistics.comparison import by_group_and_metric, by_seed, methods_of, units_of
from assay.results.statistics.estimates import Floats
from assay.results.statistics.informed import counts, informed_units
from assay.results.statistics.subset_values import subset_values

ALL, LABEL, LENGTH, RIGHT, CONFIDENCE = "all", "label", "length", "right", "confidence"
ANNOTATORS = "annotators"
DIMENSIONS = (ALL, LABEL, LENGTH, RIGHT, CONFIDENCE, ANNOTATORS)
# What depends on the texts alone, and so can be said of a pair of models too.
OF_TEXTS = frozenset({ALL, LABEL, LENGTH})
NO_LABEL = "no label"
# With fewer texts than this a tenth of them is too few.
FEWEST_FOR_DECILES = 200


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
    if facts.right is not None:
        found += _labels(facts)
    found += _parts(facts, LENGTH, *length_buckets(facts.tokens))
    if facts.right is not None:
        found += _parts(facts, RIGHT, np.where(facts.right, 0, 1), ("model right", "model wrong"))
    found += _parts(facts, CONFIDENCE, *confidence_buckets(facts.confidence))
    return [part for part in found if part.ids]


def _labels(facts: TextFacts) -> list[Slice]:
    ids: dict[str, set[str]] = {}
    for name, labels in zip(facts.ids, facts.labels, strict=True):
        for label in labels or (NO_LABEL,):
            ids.setdefault(label, set()).add(name)
    order = sorted(ids, key=lambda label: (label == NO_LABEL, -len(ids[label]), label))
    return [Slice(LABEL, place, label, frozenset(ids[label])) for place, label in enumerate(order)]


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
    """The table of SliceRow: per group of trained models, metric, slice and method the metric on the slice.

    value: mean over seeds of `summarise` on the slice's units, for those seeds in which it is defined.
    n_units: units of the slice, over seeds. n_texts: its texts with a value, in the seed that has fewest;
    n_groups: the groups of them that hang together, likewise.
    dimension: "all", "label", "length", "right", "confidence"; "annotators" for all texts that a group of
    annotators marked, against the marks of that group alone. A metric of two models has the first three only;
    one that counts pairs of texts has none, as they belong to two slices.
    """
    parts = {(facts.group, facts.seed): slices_of(facts) for facts in results.facts}
    methods, cells = methods_of(results), by_group_and_metric(results.cells)
    rows = []
    for group in trained_groups(cell.group for cell in results.cells):
        order = {method: index for index, method in enumerate(methods[group])}
        for metric in results.metrics:
            scored = cells.get((group, metric.name), [])
            clusters = results.clusters_of(group)
            measured = (
                *_measured(scored, group, metric, parts, clusters),
                *_by_annotators(scored, metric, clusters),
            )
            by_slice = grouped(measured, lambda each: (each.place, each.method))
            for place, method in sorted(by_slice, key=lambda key: (key[0], order[key[1]])):
                seeds = by_slice[place, method]
                row = SliceRow(
                    *group,
                    metric.name,
                    DIMENSIONS[place[0]],
                    place[-1],
                    *method,
                    value=float(np.mean([each.value for each in seeds])),
                    n_seeds=len(seeds),
                    n_units=sum(each.units for each in seeds),
                    n_texts=min(each.texts for each in seeds),
                    control=method.explainer in results.controls,
                    n_groups=min(each.groups for each in seeds),
                )
                rows.append(row)
    return to_table(SliceRow, rows)


class _Measured(NamedTuple):
    """A defined value of one method on one slice in one model seed, and the number of units behind it.

    place: of the slice, which sorts slices: index of its dimension, order in it, and its name. texts: those
    of the units that have a value. groups: of these that hang together.
    """

    place: tuple[int, int, str]
    method: Method
    value: float
    units: int
    texts: int
    groups: int


def _measured(
    cells: Sequence[CellScores],
    group: Group,
    metric: Metric,
    parts: Mapping[tuple[Group, str], Sequence[Slice]],
    clusters: Mapping[str, str],
) -> Iterator[_Measured]:
    """The values of the cells of one group and metric, seed by seed."""
    for seed, of_seed in by_seed(cells).items():
        units = units_of(of_seed)
        positions = list(_positions(_applicable(group, seed, parts), units))
        values = subset_values(of_seed, metric, units, [index[None] for _, index in positions])
        by_method = grouped(of_seed, lambda cell: cell.method).items()
        informed = {method: informed_units(runs, metric) for method, runs in by_method}
        for method, of_slices in values.items():
            for (part, index), value in zip(positions, of_slices, strict=True):
                if np.isfinite(value[0]):
                    place = DIMENSIONS.index(part.dimension), part.place, part.name
                    known = informed[method] & part.ids
                    behind = len(index), *counts(known, metric, clusters)
                    yield _Measured(place, method, float(value[0]), *behind)


def _by_annotators(
    cells: Sequence[CellScores], metric: Metric, clusters: Mapping[str, str]
) -> Iterator[_Measured]:
    """The values of the cells of one group and metric against the marks of each group of annotators."""
    names = sorted({name for cell in cells for name in cell.beside if name.startswith(of_group(""))})
    for place, name in enumerate(names):
        shown = DIMENSIONS.index(ANNOTATORS), place, name.removeprefix(of_group(""))
        for of_seed in by_seed(cells).values():
            marked = [against(cell, name) for cell in of_seed if name in cell.beside]
            units = units_of(marked)
            with_value = {
                method: informed_units(of_method, metric)
                for method, of_method in grouped(marked, lambda cell: cell.method).items()
            }
            everything = np.arange(len(units), dtype=np.intp)[None]
            for method, (value,) in subset_values(marked, metric, units, [everything]).items():
                if np.isfinite(value[0]):
                    behind = len(units), *counts(with_value[method], metric, clusters)
                    yield _Measured(shown, method, float(value[0]), *behind)


def _applicable(group: Group, seed: str, parts: Mapping[tuple[Group, str], Sequence[Slice]]) -> list[Slice]:
    """The slices of a model; of a pair of models those that depend on the texts alone."""
    if (group, seed) in parts:
        return list(parts[group, seed])
    same_texts = [slices for (other, _), slices in parts.items() if other[:2] == group[:2]]
    return [part for slices in same_texts[:1] for part in slices if part.dimension in OF_TEXTS]


def _positions(parts: Sequence[Slice], units: Sequence[str]) -> Iterator[tuple[Slice, NDArray[np.intp]]]:
    """The positions of each slice's texts among the units, of slices that have any."""
    for part in parts:
        index = np.array([place for place, unit in enumerate(units) if unit in part.ids], dtype=np.intp)
        if len(index):
            yield part, index
