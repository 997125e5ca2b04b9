"""The mark of an explainer that is judged by what made it, and what to do where nothing else judges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from assay.metrics.cell_data import Metric
from assay.results.columns import ComparisonRow
from assay.results.property_metrics import removal_operator, shares_operator

SHARED = "†"
SHARING = (
    f"{SHARED} shares its operator: its baseline is what the metric takes tokens away with, which favours "
    "it over the others"
)
NONE_ALIKE: Mapping[str, frozenset[str]] = {}
# Baselines and metrics, both by name.
Pairs = Set[tuple[str, str]]


def shared_pairs(
    rows: Iterable[ComparisonRow],
    metrics: Iterable[Metric],
    removal: str,
    alike: Mapping[str, frozenset[str]],
) -> Pairs:
    """The baselines in rows with the metrics that put in the same. removal, alike: as in `Results`."""
    by_name = {metric.name: metric for metric in metrics}
    return {
        (row.baseline, row.metric)
        for row in rows
        if shares_operator(row.baseline, by_name[row.metric], removal, alike)
    }


def sharing(marks: Iterable[str]) -> list[str]:
    """What the mark means, if it is among the marks of a table."""
    return [SHARING] if SHARED in "".join(marks) else []


def alone(metrics: Sequence[Metric], removal: str) -> list[str]:
    """A line on how to get other metrics, where all that take tokens away do it by one operator.

    removal: the experiment's first operator.
    """
    operators = {removal_operator(metric, removal) for metric in metrics} - {""}
    if len(operators) != 1:
        return []
    (operator,) = operators
    other = "mask" if operator == "delete" else "delete"
    return [
        f"every metric here that takes tokens away does so by {operator}; "
        f"baseline@removal=[{operator},{other}] shows beside each one that does not"
    ]
