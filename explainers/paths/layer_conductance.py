"""Layer conductance: how much of the output's change flows through each token of an inner layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.paths.path_gradients import (
    along,
    check_reference,
    layer_traits,
    pools,
    records_along,
    straight_paths,
)
from assay.explainers.protocol import Explanations, Request, Traits
from assay.models.engine import Engine
from assay.models.paths import ENTRY, check_layer
from assay.tasks.errors import check_at_least


@dataclass(frozen=True, slots=True)
class LayerConductance:
    """Gradient of the target logit at a layer x change of the layer, along the straight path from baseline to
    text where the first layer reads.

    Signed; the scores sum to f(x) - f(baseline) up to the error of the trapezoids over `steps` stretches,
    which every record shows as its completeness gap. A token's score is that of the layer's vector at its
    place, special tokens included: what flows through [CLS] belongs to the sum, and at the last layers that
    is nearly everything. layer: any of the model's layers; at "embedding" it is integrated gradients.
    Source: Dhamdhere et al., ICLR 2019; captum's LayerConductance takes the gradient where a
    stretch begins instead of the mean of both ends, and leaves out the path's own ends.
    """

    layer: str = ENTRY
    steps: int = 50
    version: ClassVar[int] = 1
    name: ClassVar[str] = "layer_conductance"

    def __post_init__(self) -> None:
        check_at_least(f"explainer.{self.name}.steps", self.steps, 1)

    @property
    def traits(self) -> Traits:
        return layer_traits(self.layer)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        baseline = check_reference(self.name, baseline)
        check_layer(engine.model, self.layer)
        alphas = np.linspace(0, 1, self.steps + 1)
        found = []
        for pool in pools(requests, len(alphas)):
            paths = straight_paths(engine, pool, baseline, alphas)
            stretches = along(engine, paths, self.layer)
            found += [records_along(*pair) for pair in zip(pool, stretches, strict=True)]
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every point of the path, both ends included, forward and, per target, backward."""
        return self.steps + 1, (self.steps + 1) * targets
