"""DeepLift, from a reference text to the text, at any layer with one vector per token."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from explainers.baselines import Baseline
from explainers.explanation import Cost, Explanation
from explainers.protocol import Request, Traits, explanation, insist
from models.contrast import PRODUCTS, Contrast
from models.engine import Engine, Path, PropagationBatch
from models.rows import full_rows
from tasks.errors import InputError

Products = Literal["refuse", "shapley"]

_HERE = np.ones(1)


@dataclass(frozen=True, slots=True)
class DeepLift:
    """Difference to the baseline x multipliers of the target logit, by the rules of models.contrast.

    Signed; the scores sum to f(x) - f(baseline) exactly, which is checked for every text.
    layer: whose difference is attributed; "embedding" is what the first layer reads. products: what to do
    about a model that multiplies things which depend on the input (gates, attention, normalisation), for
    which the paper has no rule: "refuse" it, or share each product out by "shapley".
    Raises InputError where the scores do not add up. Source: Shrikumar et al., ICML 2017.
    """

    layer: str = "embedding"
    products: Products = "refuse"
    version: ClassVar[int] = 1

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

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("deep_lift", self, engine, baseline)
        assert baseline is not None
        paths = [
            Path(
                baseline.rows(engine.model, request.encoding, ~request.encoding.content[None]),
                full_rows(request.encoding),
                _HERE,
                request.targets,
            )
            for request in requests
        ]
        found: list[list[Explanation]] = [[] for _ in requests]
        began = time.perf_counter()
        for batch in engine.propagate(paths, Contrast(), layer=self.layer, compare=True):
            scores, logits = _scores(batch), batch.logits.cpu().double().numpy()
            seconds = (time.perf_counter() - began) / int(batch.lengths.sum())
            for at, index in enumerate(batch.path.tolist()):
                request, length = requests[index], int(batch.lengths[at])
                cost = Cost(2, 2 * len(request.targets), 2 * length, seconds * length)
                found[index] = [
                    explanation(
                        request,
                        target,
                        _complete(scores[nth, at, :length], logits[:, at, target], request, target),
                        output_space="logit",
                        value_input=float(logits[0, at, target]),
                        value_baseline=float(logits[1, at, target]),
                        cost=cost,
                    )
                    for nth, target in enumerate(request.targets.tolist())
                ]
            began = time.perf_counter()
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Both ends forward and, per target, backward."""
        return 2, 2 * targets

    def _refuses(self, abilities: frozenset[str]) -> str | None:
        if f"layer:{self.layer}" not in abilities:
            layers = sorted(name.removeprefix("layer:") for name in abilities if name.startswith("layer:"))
            return f"the model has no layer {self.layer!r} with a vector per token, only {', '.join(layers)}"
        products = sorted(name for name in PRODUCTS if f"step:{name}" in abilities)
        if products and self.products == "refuse":
            return (
                f"DeepLift has no rule for the products in this model ({', '.join(products)}), unless "
                "products=shapley shares them out"
            )
        return None


def _scores(batch: PropagationBatch) -> NDArray[np.float64]:
    """(M, B, T)."""
    difference = batch.states[0] - batch.states[1]
    return (batch.gradients.double() * difference.double()).sum(dim=-1).cpu().numpy()


def _complete(
    scores: NDArray[np.float64], ends: NDArray[np.float64], request: Request, target: int
) -> NDArray[np.float64]:
    """The scores (T,), once they have been seen to sum to the difference of the logits at the two ends."""
    difference = float(ends[0] - ends[1])
    gap = abs(float(scores.sum()) - difference)
    # Scores that cancel out leave their own rounding errors behind.
    if not gap <= 1e-4 + 1e-2 * abs(difference) + 1e-4 * np.abs(scores).sum():
        raise InputError(
            f"explainer 'deep_lift': the scores of example {request.example.id!r} for class {target} sum to "
            f"{scores.sum():.4g}, but the logit changes by {difference:.4g}; the model takes steps in its "
            "open_logits that no rule covers, so route them through `arithmetic` or use another explainer"
        )
    return scores
