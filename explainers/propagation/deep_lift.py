"""DeepLift, from a reference text to the text, at any layer with one vector per token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.paths.path_gradients import straight_paths
from assay.explainers.propagation.single_pass import SinglePass
from assay.explainers.protocol import Request, Traits
from assay.models.deep_lift_rule import PRODUCTS, DeepLiftRule
from assay.models.engine import Engine, PropagationBatch
from assay.tasks.errors import InputError

Products = Literal["refuse", "shapley"]


@dataclass(frozen=True, slots=True)
class DeepLift(SinglePass[PropagationBatch]):
    """Difference to the baseline x multipliers of the target logit, by the rules of `DeepLiftRule`.

    Signed; the scores sum to f(x) - f(baseline) exactly, which is checked for every text.
    layer: whose difference is attributed; "embedding" is what the first layer reads. products: what to do
    about a model that multiplies things which depend on the input (gates, attention, normalisation), for
    which the paper has no rule: "refuse" it, or share each product out by "shapley".
    Raises InputError where the scores do not add up. Source: Shrikumar et al., ICML 2017.
    """

    layer: str = "embedding"
    products: Products = "refuse"
    version: ClassVar[int] = 2
    name: ClassVar[str] = "deep_lift"

    def __post_init__(self) -> None:
        if self.products not in ("refuse", "shapley"):
            raise InputError(
                f"explainer.deep_lift.products is {self.products!r}; expected 'refuse' or 'shapley'"
            )

    @property
    def traits(self) -> Traits:
        return Traits(
            signed=True,
            additive=True,
            stochastic=False,
            needs=frozenset({"open_layers"}),
            baseline="reference",
            refuses=self._refuses,
        )

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[PropagationBatch]:
        assert baseline is not None
        paths = straight_paths(engine, requests, baseline, np.ones(1))
        return engine.propagate(paths, DeepLiftRule(), layer=self.layer, compare=True)

    def scores(self, batch: PropagationBatch) -> Tensor:
        """(M, B, T)."""
        difference = batch.states[0] - batch.states[1]
        return (batch.gradients.double() * difference.double()).sum(dim=-1)

    def check(self, record: Explanation) -> None:
        """Raise InputError unless the scores sum to the difference of the logits at the two ends."""
        difference = record.value_input - record.value_baseline
        # Scores that cancel out leave their own rounding errors behind.
        tolerance = 1e-4 + 1e-2 * abs(difference) + 1e-4 * float(np.abs(record.scores).sum())
        if not abs(record.completeness_gap) <= tolerance:
            raise InputError(
                f"explainer 'deep_lift': the scores of example {record.example_id!r} for class "
                f"{record.target} sum to {record.scores.sum():.4g}, but the logit changes by "
                f"{difference:.4g}; the model takes steps in its open_logits that no rule covers, so route "
                "them through `rule` or use another explainer"
            )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Both ends forward and, per target, backward."""
        return 2, 2 * targets

    def _refuses(self, capabilities: frozenset[str]) -> str | None:
        if f"layer:{self.layer}" not in capabilities:
            layers = sorted(name.removeprefix("layer:") for name in capabilities if name.startswith("layer:"))
            return f"the model has no layer {self.layer!r} with a vector per token, only {', '.join(layers)}"
        products = sorted(name for name in PRODUCTS if f"step:{name}" in capabilities)
        if products and self.products == "refuse":
            return (
                f"DeepLift has no rule for the products in this model ({', '.join(products)}), unless "
                "products=shapley shares them out"
            )
        return None
