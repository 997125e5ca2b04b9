"""Integrated gradients, where the model's first layer reads (models.protocol.EntryModel)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from explainers.baselines import Baseline
from explainers.explanation import Cost, Explanation
from explainers.protocol import Request, Traits, explanation
from models.engine import Answer, Engine, Path
from models.rows import Rows, full_rows
from tasks.errors import InputError

Rule = Literal["gauss_legendre", "riemann_middle"]


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """Difference to the baseline x mean gradient of the target logit on the straight path between them.

    Signed; the scores sum to f(x) - f(baseline) up to the error of the integration rule, which every record
    shows as its completeness gap. Special tokens are the same at both ends and get 0. Source: Sundararajan
    et al., ICML 2017, equation 1; both ends are texts in token ids, the path joins what they become there.
    """

    steps: int = 50
    rule: Rule = "gauss_legendre"
    version: ClassVar[int] = 2
    traits = Traits(
        signed=True, additive=True, stochastic=False, needs=frozenset({"gradients"}), baseline="reference"
    )

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"explainer.integrated_gradients.steps is {self.steps}; expected at least 1")
        if self.rule not in ("gauss_legendre", "riemann_middle"):
            raise InputError(
                f"explainer.integrated_gradients.rule is {self.rule!r}; expected 'gauss_legendre' or "
                "'riemann_middle'"
            )

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        if baseline is None or not baseline.references:
            raise InputError(
                "explainer 'integrated_gradients' starts its path at a baseline that keeps every token's "
                f"place, not at {baseline.name if baseline else None!r}; choose another"
            )
        alphas, weights = nodes(self.steps, self.rule)
        began = time.perf_counter()
        paths = [
            Path(_reference(engine, request, baseline), full_rows(request.encoding), alphas, request.targets)
            for request in requests
        ]
        scores = [np.zeros((len(request.targets), len(request.encoding))) for request in requests]
        for batch in engine.gradients(paths):
            # The difference is the same at every step, so each row can be multiplied before summing.
            rows = (batch.gradients * batch.difference).sum(dim=-1).cpu().double().numpy()
            for at, (index, step) in enumerate(zip(batch.path, batch.step, strict=True)):
                scores[index] += weights[step] * rows[:, at, : batch.lengths[at]]
        ends = engine.answers([_ends(engine, request, baseline) for request in requests])
        tokens = sum(len(request.encoding) for request in requests)
        seconds_per_token = (time.perf_counter() - began) / max(tokens, 1)
        return [
            self._records(request, of_request, answer, seconds_per_token)
            for request, of_request, answer in zip(requests, scores, ends, strict=True)
        ]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every step forward and, per target, backward; and both ends of the path."""
        return self.steps + 2, self.steps * targets

    def _records(
        self, request: Request, scores: NDArray[np.float64], ends: Answer, seconds_per_token: float
    ) -> list[Explanation]:
        """One record per target; scores: (M, T), ends: the answers at the baseline and at the input."""
        length, targets = len(request.encoding), request.targets.tolist()
        steps = self.steps if targets else 0
        cost = Cost(
            forward_rows=steps + ends.rows,
            backward_rows=steps * len(targets),
            tokens=steps * length + ends.tokens,
            seconds=seconds_per_token * length,
        )
        return [
            explanation(
                request,
                target,
                scores[nth],
                output_space="logit",
                value_input=float(ends.logits[1, target]),
                value_baseline=float(ends.logits[0, target]),
                cost=cost,
            )
            for nth, target in enumerate(targets)
        ]


def nodes(steps: int, rule: Rule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in (0, 1) and weights summing to 1 of an integration rule."""
    if rule == "gauss_legendre":
        x, w = np.polynomial.legendre.leggauss(steps)
        return (1 + x) / 2, w / 2
    return (np.arange(steps) + 0.5) / steps, np.full(steps, 1.0 / steps)


def _reference(engine: Engine, request: Request, baseline: Baseline) -> Rows:
    return baseline.rows(engine.model, request.encoding, ~request.encoding.content[None])


def _ends(engine: Engine, request: Request, baseline: Baseline) -> Rows:
    content = request.encoding.content
    return baseline.rows(engine.model, request.encoding, np.stack([~content, np.ones_like(content)]))
