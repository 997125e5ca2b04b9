"""Which explainers agree with people no better than a heuristic control, such as rare words first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from assay.metrics.cell_data import Metric
from assay.results.records import Method
from assay.results.statistics.estimates import Estimate, holm
from assay.results.statistics.ranking import sign

# Where a rule that asks no model says something about explainers that do.
PROPERTY = "human agreement"

Test = Callable[[Estimate, Estimate], float]


def not_better(
    estimates: Mapping[Method, Estimate],
    heuristics: Iterable[str],
    metric: Metric,
    test: Callable[[list[Estimate]], Test],
    alpha: float,
) -> dict[Method, str]:
    """Per explainer the heuristic controls that it is not shown to be better than, with commas between.

    Better is one whose value is, and whose p against the control is at most alpha, adjusted by Holm for all
    explainers that are compared with the same control.

    Args:
        estimates: of all explainers and controls to compare, by method; those without a value are left out.
        heuristics: the names of the heuristic controls; every other method is compared with each of them.
        metric: what was measured. Only human agreement is compared.
        test: from the estimates to the p of any two of them.
        alpha: family-wise error.
    """
    if metric.property != PROPERTY:
        return {}
    names = set(heuristics)
    present = {method: estimate for method, estimate in estimates.items() if estimate.values}
    explainers = {method: estimate for method, estimate in present.items() if method.explainer not in names}
    found: dict[Method, list[str]] = {}
    for control, level in present.items():
        if control.explainer in names and explainers:
            p_of = test([level, *explainers.values()])
            adjusted = holm([p_of(estimate, level) for estimate in explainers.values()])
            for (method, estimate), p in zip(explainers.items(), adjusted, strict=True):
                if not (sign(metric) * (estimate.value - level.value) > 0 and p <= alpha):
                    found.setdefault(method, []).append(control.explainer)
    return {method: ", ".join(controls) for method, controls in found.items()}
