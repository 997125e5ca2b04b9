"""The estimates that the claims on one group are made of, resampled together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.metrics.cell_data import Metric
from assay.results.claims.claim import Compared, Family, is_named
from assay.results.claims.contrasts import RIGHT, WRONG, part_of
from assay.results.property_metrics import first_per_property, shares_operator
from assay.results.records import CellScores, Group, Method, Results, TextFacts
from assay.results.statistics.best_group import is_better, is_level
from assay.results.statistics.clusters import is_pool
from assay.results.statistics.comparison import aligned, estimate, units_of
from assay.results.statistics.estimates import Bootstrap, Estimate, resolution
from assay.results.statistics.informed import few_texts
from assay.results.statistics.ranking import sign
from assay.results.statistics.text_pairs import is_pairwise
from assay.results.statistics.verdicts import is_extreme

HUMAN = "human agreement"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """compared: what there is. estimates: by property, or part of one, and method. signs: by property what
    makes more of its metric better."""

    compared: Compared
    estimates: Mapping[tuple[str, Method], Estimate]
    signs: Mapping[str, float]


def measure(results: Results, group: Group, family: Family, bootstrap: Bootstrap) -> Measured:
    """The estimates of the explainers of a family, and of random, in one group.

    Each property is measured by its first configured metric that is no extreme. Metrics over texts are
    resampled together; pairs of texts and pools of models apart.

    Args:
        results: the scores.
        group: of trained models.
        family: the explainers that claims are about.
        bootstrap: draws, and the level at which a property tells good explanations from random ones.
    """
    names = (*family.needed, *family.optional)
    wanted = [metric for metric in first_per_property(results.metrics) if not is_extreme(metric)]
    cells = [
        cell
        for cell in results.cells
        if cell.group == group
        and (cell.method.explainer == results.random or any(is_named(cell.method, name) for name in names))
    ]
    together = {metric.name for metric in wanted if _over_texts(metric)}
    units = units_of(cell for cell in cells if cell.metric in together)
    clusters = results.clusters_of(group)
    facts = [each for each in results.facts if each.group == group]
    found: dict[tuple[str, Method], Estimate] = {}
    methods: dict[str, list[Method]] = {}
    missing: dict[tuple[str, str], str] = {}
    tiny: dict[str, float] = {}
    signs: dict[str, float] = {}
    titles: dict[str, str] = {}
    telling = []
    for metric in wanted:
        of_metric = [cell for cell in cells if cell.metric == metric.name]
        if not of_metric:
            continue
        if _over_texts(metric):
            of_metric = [on_units(cell, units) for cell in of_metric]
        each = {metric.property: of_metric}
        if metric.property == HUMAN:
            each |= {part_of(HUMAN, part): _part(of_metric, facts, part == RIGHT) for part in (RIGHT, WRONG)}
        for property, of_part in each.items():
            estimated = estimate(of_part, metric, bootstrap, clusters)
            usable = {}
            for method, (one, _) in estimated.items():
                few = few_texts(one.texts, one.n) if one.values else f"no value of {metric.title}"
                if few:
                    missing |= {
                        (property, name): f"too few texts: {method.title} has {few}" if one.values else
                        f"{method.title} has {few}"
                        for name in names
                        if is_named(method, name)
                    }  # fmt: skip
                else:
                    usable[method] = one
            found |= {(property, method): one for method, one in usable.items()}
            methods[property], signs[property] = list(usable), sign(metric)
            titles[property] = metric.title
            tiny[property] = max((resolution(metric, one, one) for one in usable.values()), default=0.0)
            if property == metric.property and _tells(usable, metric, results.random, bootstrap):
                telling.append(property)
    random = next((cell.method for cell in cells if cell.method.explainer == results.random), None)
    sharing = frozenset(
        (metric.property, method)
        for metric in wanted
        for method in methods.get(metric.property, [])
        if shares_operator(method.baseline, metric, results.removal, results.alike)
    )
    compared = Compared(group, methods, titles, tuple(telling), random, missing, tiny, sharing)
    return Measured(compared, found, signs)


def _over_texts(metric: Metric) -> bool:
    return not is_pairwise(metric) and not is_pool(metric)


def _tells(estimates: Mapping[Method, Estimate], metric: Metric, random: str, bootstrap: Bootstrap) -> bool:
    """Whether the best of the explainers is better than random for certain."""
    level = next((one for method, one in estimates.items() if method.explainer == random), None)
    others = [one for method, one in estimates.items() if method.explainer != random]
    if level is None or not is_level(level, metric) or not others:
        return False
    best = max(others, key=lambda one: sign(metric) * one.value)
    return is_better(best, level, metric, bootstrap.level)


def on_units(cell: CellScores, units: Sequence[str]) -> CellScores:
    """The cell on all units (sorted, a superset of its own), without values on those that it lacks."""
    if len(cell.units) == len(units):
        return cell
    return replace(cell, units=tuple(units), parts=aligned(cell, units))


def _part(cells: Iterable[CellScores], facts: Sequence[TextFacts], right: bool) -> list[CellScores]:
    """The cells without values on texts that the model does not label right (or wrong); none where it is not
    known."""
    kept = []
    for cell in cells:
        known = next((each for each in facts if each.seed == cell.seed and each.right is not None), None)
        if known is None or known.right is None:
            continue
        chosen = {text for text, is_right in zip(known.ids, known.right, strict=True) if is_right == right}
        inside = np.array([unit in chosen for unit in cell.units])
        if inside.any():
            parts = {
                name: np.where(inside.reshape(-1, *[1] * (of.ndim - 1)), of, np.nan)
                for name, of in cell.parts.items()
            }
            kept.append(replace(cell, parts=parts))
    return kept
