"""Integrated gradients, where the model's first layer reads (`EntryModel`) or further up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.paths.adaptive_quadrature import FIRST_LEVEL, completed
from assay.explainers.paths.path_gradients import (
    at_points,
    check_reference,
    directional,
    layer_traits,
    pools,
    straight_paths,
)
from assay.explainers.protocol import Explanations, Request, Traits, explanations
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.paths import ENTRY, check_layer
from assay.tasks.errors import InputError, check_at_least, check_choice

Rule = Literal["gauss_legendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """Difference to the baseline x mean gradient of the target logit on the straight path between them.

    Signed; the scores sum to f(x) - f(baseline) up to the error of the integration rule, which every record
    shows as its completeness gap. rule: at `steps` points. until: in place of both, as many points as make
    the gap at most this share of |f(x) - f(baseline)|, at most `max_steps`: 9, 17, ... of Clenshaw and Curtis
    where the path is smooth, where its kinks are otherwise (assay.explainers.paths.adaptive_quadrature), for
    each target by itself. layer: any of the model's layers; the path is straight there, everything below is
    as at the text. Special tokens are the same at both ends where the first layer reads and get 0; at inner
    layers they differ, and keep the scores without which the sum is not complete. Source: Sundararajan et
    al., ICML 2017, equation 1; both ends are texts in token ids, the path joins what they become at the
    layer.
    """

    steps: int = 50
    rule: Rule = "gauss_legendre"
    until: float | None = None
    max_steps: int = 129
    layer: str = ENTRY
    version: ClassVar[int] = 3
    name: ClassVar[str] = "integrated_gradients"

    def __post_init__(self) -> None:
        check_rule(self.name, self.rule, self.steps)
        if self.until is not None and not 0 < self.until < 1:
            raise InputError(
                f"explainer.{self.name}.until is {self.until}; expected a share between 0 and 1, such as 0.01"
            )
        check_at_least(f"explainer.{self.name}.max_steps", self.max_steps, 2**FIRST_LEVEL + 1)

    @property
    def traits(self) -> Traits:
        return layer_traits(self.layer)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        baseline = check_reference(self.name, baseline)
        check_layer(engine.model, self.layer)
        explain = self._at_steps if self.until is None else self._until
        explained: list[list[Explanation]] = []
        for pool in pools(requests, self.steps if self.until is None else self.max_steps):
            explained += explain(engine, pool, baseline)
        return explained

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every step forward and, per target, backward; with `steps` also both ends of the path, with
        `until` at most so many."""
        if self.until is None:
            return self.steps + 2, self.steps * targets
        return self.max_steps, self.max_steps * targets

    def _at_steps(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline
    ) -> Iterator[list[Explanation]]:
        alphas, weights = nodes(self.steps, self.rule)
        began = time.perf_counter()
        paths = straight_paths(engine, requests, baseline, alphas)
        ends = engine.answers([_ends(engine, request, baseline) for request in requests])
        tokens = sum(len(request.encoding) for request in requests)
        seconds_per_token = (time.perf_counter() - began) / max(tokens, 1)
        points = at_points(engine, paths, directional, self.layer, "layer")
        for request, at_steps, answer in zip(requests, points, ends, strict=True):
            seconds = seconds_per_token * len(request.encoding)
            cost = at_steps.cost + Cost(answer.rows, 0, answer.tokens, seconds)
            values = np.einsum("mst,s->mt", at_steps.values, weights)
            yield explanations(request, values, answer.logits[1], answer.logits[0], cost=cost)

    def _until(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline
    ) -> Iterator[list[Explanation]]:
        paths = straight_paths(engine, requests, baseline, np.zeros(0))
        for text in completed(engine, requests, paths, self.layer, self.until or 0.0, self.max_steps):
            yield explanations(text.request, text.scores, text.ends[1], text.ends[0], cost=text.cost)


def check_rule(explainer: str, rule: str, steps: int) -> None:
    """Raise InputError unless `rule` names an integration rule that has so many steps."""
    check_choice(f"explainer.{explainer}.rule", rule, get_args(Rule))
    check_at_least(f"explainer.{explainer}.steps", steps, 2 if rule == "riemann_trapezoid" else 1)


def nodes(steps: int, rule: Rule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in [0, 1] and weights summing to 1 of an integration rule.

    The rules are captum's but for the trapezoids, whose weights sum to (steps - 1) / steps there.
    """
    if rule == "gauss_legendre":
        x, w = np.polynomial.legendre.leggauss(steps)
        return (1 + x) / 2, w / 2
    if rule == "riemann_trapezoid":
        weights = np.full(steps, 1.0 / (steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weights
    shift = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}[rule]
    return (np.arange(steps) + shift) / steps, np.full(steps, 1.0 / steps)


def _ends(engine: Engine, request: Request, baseline: Baseline) -> MaskedInputs:
    content = request.encoding.content
    return baseline.rows(engine.model, request.encoding, np.stack([~content, np.ones_like(content)]))
