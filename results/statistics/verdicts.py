"""What is concluded from the estimates of one metric: who is best, who is no better than a simple control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple

from assay.metrics.cell_data import Metric
from assay.results.records import Method, Results
from assay.results.statistics.best_group import ALONE, better_than, is_level, why_none
from assay.results.statistics.estimates import Bootstrap, Estimate, p_from_best
from assay.results.statistics.heuristics import not_better
from assay.results.statistics.informed import few_texts
from assay.results.statistics.permutation import paired_permutation_test
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.text_pairs import DyadicTest, is_pairwise

NOTHING = Estimate({}, {})
EXTREME = "the value is an extreme, which has neither interval nor test"


class Verdicts(NamedTuple):
    """What is concluded of a metric in one group.

    few: why a method rests on too few texts, "" where it does not. p: adjusted, of the candidates. no_best:
    why none of them is called best. not_better: the heuristic controls that a method does not beat. better:
    those that are better than the random control, where it is a level and there are texts enough to tell.
    """

    few: Mapping[Method, str]
    p: Mapping[Method, float]
    no_best: str
    not_better: Mapping[Method, str]
    better: Set[Method] = frozenset()


def conclude(
    candidates: Sequence[Method],
    metric: Metric,
    found: Mapping[Method, tuple[Estimate, int]],
    results: Results,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None = None,
) -> Verdicts:
    """The verdicts on one metric in one group.

    Args:
        candidates: the methods that are no controls, in the order of the estimates' tests.
        metric: what was measured.
        found: by method the estimate, and the number of its units.
        results: for the controls.
        bootstrap: alpha of the tests.
        shared: what was tested already of the group.
    """
    few = {method: few_texts(one.texts, one.n) for method, (one, _) in found.items() if one.values}
    if is_extreme(metric):
        return Verdicts(few, {}, EXTREME, {})
    # What rests on few texts takes part in no test.
    usable = {method: one for method, (one, _) in found.items() if not few.get(method)}
    estimates = [usable.get(method, NOTHING) for method in candidates]
    random = next((one for method, one in usable.items() if method.explainer == results.random), None)
    better = None
    if random is not None and is_level(random, metric):
        present = [method for method in candidates if method in usable and usable[method].values]
        estimated = [usable[method] for method in present]
        above = better_than(random, estimated, metric, bootstrap.level) if estimated else []
        better = {method for method, is_above in zip(present, above, strict=True) if is_above}
    no_best = why_none(estimates, better, metric, bootstrap)
    if not any(one.values for one in estimates):
        no_best = next((few[one] for one in candidates if few.get(one)), no_best)
    test = paired_test(estimates, metric, bootstrap, shared)
    adjusted = p_from_best(estimates, higher=metric.direction == "higher", test=test)
    compared = {
        method: one
        for method, one in usable.items()
        if method in candidates or method.explainer in results.heuristics
    }
    tested = not_better(
        compared,
        results.heuristics,
        metric,
        lambda estimates: paired_test(estimates, metric, bootstrap, shared),
        bootstrap.alpha,
    )
    told = better if better and no_best in ("", ALONE) else frozenset[Method]()
    return Verdicts(few, dict(zip(candidates, adjusted, strict=True)), no_best, tested, told)


def paired_test(
    estimates: Sequence[Estimate],
    metric: Metric,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None = None,
) -> Callable[[Estimate, Estimate], float]:
    """The p of any two of the estimates: by swapping texts or, where units are pairs, by leaving some out.

    shared: what was tested already of the group.
    """
    if is_pairwise(metric):
        test = DyadicTest(metric, bootstrap.seed)
        return test if shared is None else shared.dyadic.setdefault((metric.name, bootstrap.seed), test)
    drawn = None if shared is None else shared.permutations
    return paired_permutation_test(estimates, metric, bootstrap, drawn)


def is_extreme(metric: Metric) -> bool:
    """Whether the metric is an extreme over units, for which neither bootstrap nor permutation is valid."""
    return bool(getattr(metric, "extreme", False))
