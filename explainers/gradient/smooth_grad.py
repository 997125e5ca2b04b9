"""SmoothGrad and VarGrad: saliency over noisy copies of the text, where the model's first layer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.gradient.saliency import Aggregation, aggregate, check_aggregation
from assay.explainers.paths.path_gradients import at_points, pools, variance_over_points
from assay.explainers.protocol import Request, Traits, explanations
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import Noise
from assay.tasks.errors import InputError, check_at_least

_NEEDS = frozenset({"gradients"})


@dataclass(frozen=True, slots=True)
class SmoothGrad:
    """Mean of `assay.explainers.gradient.saliency.Saliency` over copies of the text with Gaussian noise.

    noise_level: its standard deviation as a share of the range of the numbers that the first layer reads.
    The standard error of the mean over the copies is recorded. Source: Smilkov et al. 2017.
    """

    samples: int = 50
    noise_level: float = 0.1
    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "smooth_grad"
    traits = Traits(signed=False, additive=False, stochastic=True, needs=_NEEDS)

    def __post_init__(self) -> None:
        _check(self.name, self.samples, self.noise_level, self.aggregation)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        found = []
        for pool in pools(requests, self.samples):
            copies = at_points(
                engine,
                _noisy(self.name, pool, self.samples, self.noise_level),
                lambda batch: aggregate(batch.gradients.abs(), self.aggregation),
            )
            for request, here, (logits, cost) in zip(pool, copies, _texts(engine, pool), strict=True):
                mean = here.values.mean(axis=1)
                error = here.values.std(axis=1, ddof=1) / np.sqrt(self.samples)
                found.append(explanations(request, mean, logits, standard_error=error, cost=here.cost + cost))
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every copy forward and, per target, backward; and the text itself."""
        return self.samples + 1, self.samples * targets


@dataclass(frozen=True, slots=True)
class VarGrad:
    """Variance of the gradient of the target logit over copies of the text with Gaussian noise, aggregated
    over the embedding.

    noise_level: as in SmoothGrad. Source: Adebayo et al. 2018, "Local explanation methods for deep neural
    networks lack sensitivity to parameter values".
    """

    samples: int = 50
    noise_level: float = 0.1
    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "vargrad"
    traits = Traits(signed=False, additive=False, stochastic=True, needs=_NEEDS)

    def __post_init__(self) -> None:
        _check(self.name, self.samples, self.noise_level, self.aggregation)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        found = []
        for pool in pools(requests, self.samples):
            paths = _noisy(self.name, pool, self.samples, self.noise_level)
            spreads = variance_over_points(engine, paths, lambda v: aggregate(v, self.aggregation))
            for request, here, (logits, cost) in zip(pool, spreads, _texts(engine, pool), strict=True):
                found.append(explanations(request, here.values[:, 0], logits, cost=here.cost + cost))
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every copy forward and, per target, backward; and the text itself."""
        return self.samples + 1, self.samples * targets


def _check(name: str, samples: int, noise_level: float, aggregation: str) -> None:
    check_aggregation(aggregation)
    check_at_least(f"explainer.{name}.samples", samples, 2)
    if not noise_level > 0:
        raise InputError(
            f"explainer.{name}.noise_level is {noise_level}; expected a share above 0, such as 0.1"
        )


def _noisy(name: str, requests: Sequence[Request], samples: int, level: float) -> list[Path]:
    paths = []
    for request in requests:
        row = full_rows(request.encoding)
        noise = Noise((request.seed, name, request.example.id), level, relative=True)
        paths.append(Path(row, row, np.ones(samples), request.targets, noise))
    return paths


def _texts(engine: Engine, requests: Sequence[Request]) -> list[tuple[NDArray[np.float64], Cost]]:
    """The logits (K,) of the texts without noise, and what they cost."""
    asked = [request for request in requests if len(request.targets)]
    answers = iter(engine.answers([full_rows(request.encoding) for request in asked]))
    nothing = np.zeros(len(engine.model.labels)), Cost()
    found = []
    for request in requests:
        if len(request.targets):
            answer = next(answers)
            found.append((answer.logits[0], Cost(answer.rows, 0, answer.tokens)))
        else:
            found.append(nothing)
    return found
