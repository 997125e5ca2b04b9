"""The same metric with another meaning of "absent"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.metrics.cell_data import CellMetric


@dataclass(frozen=True, slots=True)
class WithRemoval:
    """A metric that takes tokens away, measured with a removal operator beside the experiment's first.

    The harness gives the operator to `score`; this gives the result a name of its own, everything else is
    the metric's.
    """

    metric: CellMetric
    operator: str

    @property
    def name(self) -> str:
        """The metric's, with the operator: "faithfulness[delete]"."""
        return f"{self.metric.name}[{self.operator}]"

    @property
    def title(self) -> str:
        """The metric's, with the operator."""
        return f"{self.metric.title}, by {self.operator}"

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.metric, attribute)
