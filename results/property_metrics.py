"""Which metrics stand for a property: the first configured one of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.metrics.cell_data import Metric

# The diagnostic properties of Atanasova et al. (2020).
SIX = (
    "human agreement",
    "faithfulness",
    "confidence indication",
    "rationale consistency",
    "dataset consistency",
    "compute time",
)


def first_per_property(metrics: Sequence[Metric]) -> list[Metric]:
    """The first metric of every property, in the order given."""
    found: dict[str, Metric] = {}
    for metric in metrics:
        found.setdefault(metric.property, metric)
    return list(found.values())


def six_properties(metrics: Sequence[Metric]) -> list[Metric]:
    """The first metric of each of the six properties, in the order given; all metrics if none is of those."""
    return [metric for metric in first_per_property(metrics) if metric.property in SIX] or list(metrics)


def removal_operator(metric: Metric, removal: str) -> str:
    """The operator a metric takes tokens away with, "" if it takes none away; removal: the experiment's."""
    return str(getattr(metric, "operator", removal)) if "removal" in metric.needs else ""


def shares_operator(baseline: str, metric: Metric, removal: str, alike: Mapping[str, frozenset[str]]) -> bool:
    """Whether a metric puts in for tokens what an explainer's baseline does.

    Args:
        baseline: the explainer's, by its name in the experiment; "" for none.
        metric: the metric.
        removal: the experiment's first operator.
        alike: as in `assay.results.records.Results`.
    """
    operator = removal_operator(metric, removal)
    return bool(baseline and operator) and operator in alike.get(baseline, {baseline})
