"""What a recommendation rests on: the metrics that count, and their estimates in one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assay.metrics.cell_data import Metric
from assay.results.checks import FAILS, Checks
from assay.results.property_metrics import SIX, removal_operator
from assay.results.records import CellScores, Group, Method, Results
from assay.results.statistics.best_group import better_than, is_level
from assay.results.statistics.clusters import is_pool
from assay.results.statistics.comparison import aligned, estimate, units_of
from assay.results.statistics.estimates import Bootstrap, Estimate
from assay.results.statistics.informed import few_texts
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.text_pairs import is_pairwise
from assay.results.statistics.verdicts import is_extreme
from assay.tasks.errors import InputError, did_you_mean

COST = "compute time"
# Where nothing beats random scores, nothing is recommended: what an explainer says has no better judge.
TRUTH = ("faithfulness", "human agreement", "ground truth")
TELLS = "tells"
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Property:
    """A property and the metric that stands for it: the first configured one that its check did not fail.

    Attributes:
        name: of the property.
        metrics: the metric by removal operator; by "" where it takes no tokens away.
        tells: whether its check says that it tells good explanations from bad ones.
    """

    name: str
    metrics: Mapping[str, Metric]
    tells: bool


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One metric in one group.

    Attributes:
        property: that it measures.
        metric: what was measured.
        operator: what it takes tokens away with, "" for none.
        tells: as in `Property`.
        estimates: by method, of those that rest on texts enough.
        random: the estimate of the random control, where that is a level; it scores 0.
        rivals: those of the candidates and of gold marks, of which the best scores 1.
        better: the methods in question that are better than random for certain, all at once.
        few: the methods with values of fewer than ten texts, or groups of texts, which are no estimates.
    """

    property: str
    metric: Metric
    operator: str
    tells: bool
    estimates: Mapping[Method, Estimate]
    random: Estimate | None
    rivals: tuple[Estimate, ...]
    better: frozenset[Method] = frozenset()
    few: frozenset[Method] = frozenset()

    def of(self, methods: Sequence[Method], level: float) -> Evidence:
        """With those of the methods that are better than random (max-T lower bounds, `better_than`)."""
        present = [method for method in methods if method in self.estimates]
        if self.random is None or not present:
            return replace(self, better=frozenset())
        above = better_than(self.random, [self.estimates[one] for one in present], self.metric, level)
        better = frozenset(method for method, is_above in zip(present, above, strict=True) if is_above)
        return replace(self, better=better)

    def counts(self) -> bool:
        """Whether it says who is better: some method beats random, or it is a cost."""
        return self.property == COST or bool(self.better)


def chosen_properties(metrics: Sequence[Metric], removal: str, checks: Checks) -> list[Property]:
    """The properties that are measured, in order, without metrics that failed their check and extremes."""
    found: dict[str, Property] = {}
    first: dict[str, str] = {}
    for metric in metrics:
        base = metric.name.partition("[")[0]
        check = checks.get(base)
        if (check is not None and check.verdict == FAILS) or is_extreme(metric):
            continue
        if first.setdefault(metric.property, base) != base:
            continue
        tells = check is not None and check.verdict == TELLS
        known = found.get(metric.property, Property(metric.property, {}, tells))
        by_operator = {**known.metrics, removal_operator(metric, removal): metric}
        found[metric.property] = replace(known, metrics=by_operator)
    return list(found.values())


def weights_of(given: Weights | None, properties: Sequence[Property], metrics: Sequence[Metric]) -> Weights:
    """The weight of every property that counts.

    Args:
        given: by property; what is not named does not count. None: all of the study's properties, and ground
            truth, that a metric tells, count alike, without cost.
        properties: by `chosen_properties`.
        metrics: that were measured.

    Raises:
        InputError: on a property that was not measured, or no weight above 0.
    """
    names = [each.name for each in properties]
    if given is None:
        counted = (*SIX, *TRUTH)
        return {each.name: 1.0 for each in properties if each.tells and each.name in counted}
    for name, weight in given.items():
        if name not in names and name in {metric.property for metric in metrics}:
            raise InputError(
                f"weight of {name!r}: every metric of it here failed its check, or is an extreme"
            )
        if name not in names:
            raise InputError(f"no metric here measures {name!r}; {did_you_mean(name, names)}")
        if not 0 <= weight < float("inf"):
            raise InputError(f"the weight of {name!r} is {weight}; expected 0 or more")
    if not any(given.values()):
        raise InputError("all weights are 0; expected one above 0")
    return {name: float(given[name]) for name in names if given.get(name, 0) > 0}


def random_levels(evidence: Sequence[Evidence], level: float) -> list[float]:
    """The level at which each metric's methods must beat random. To beat it on one of those that judge truth
    is enough, so these share the error that one alone may make (Bonferroni)."""
    judges = [each.tells and each.property in TRUTH and each.random is not None for each in evidence]
    shared = 1 - (1 - level) / max(1, sum(judges))
    return [shared if is_judge else level for is_judge in judges]


def measure(
    results: Results,
    group: Group,
    properties: Sequence[Property],
    bootstrap: Bootstrap,
    shared: SharedEstimates | None = None,
) -> list[Evidence]:
    """The estimates of every property's metrics in a group, by metric and removal operator.

    Texts are resampled jointly: metrics over texts have the same draws, also where some lack texts that
    others have. Pairs of texts are drawn apart. shared: what was estimated already of the group.
    """
    cells = [
        cell
        for cell in results.cells
        if cell.group == group and cell.method.explainer not in results.controls - _levels(results)
    ]
    wanted = [(each, operator, metric) for each in properties for operator, metric in each.metrics.items()]
    of_texts = {metric.name for _, _, metric in wanted if not is_pairwise(metric) and not is_pool(metric)}
    units = units_of(cell for cell in cells if cell.metric in of_texts)
    clusters = results.clusters_of(group)
    found = []
    for each, operator, metric in wanted:
        of_metric = [cell for cell in cells if cell.metric == metric.name]
        if metric.name in of_texts:
            of_metric = [_on_all(cell, units) for cell in of_metric]
        estimated = estimate(of_metric, metric, bootstrap, clusters, shared)
        valued = {method: one for method, (one, _) in estimated.items() if one.values}
        few = frozenset(method for method, one in valued.items() if few_texts(one.texts, one.n))
        estimates = {method: one for method, one in valued.items() if method not in few}
        found.append(replace(_evidence(each, operator, metric, estimates, results), few=few))
    return found


def _levels(results: Results) -> frozenset[str]:
    return frozenset({results.random, results.gold})


def _on_all(cell: CellScores, units: Sequence[str]) -> CellScores:
    """The cell on all units, without values on those that it lacks."""
    if len(cell.units) == len(units):
        return cell
    return replace(cell, units=tuple(units), parts=aligned(cell, units))


def _evidence(
    of: Property, operator: str, metric: Metric, estimates: Mapping[Method, Estimate], results: Results
) -> Evidence:
    random = next((one for method, one in estimates.items() if method.explainer == results.random), None)
    rivals = [one for method, one in estimates.items() if method.explainer != results.random]
    level = random if is_level(random, metric) else None
    return Evidence(of.name, metric, operator, of.tells, estimates, level, tuple(rivals))
