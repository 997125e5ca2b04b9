"""SmoothGrad and VarGrad: saliency over noisy copies of the text, where the model's first layer reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.explainers.gradient.saliency import Aggregation, aggregate, check_aggregation
from assay.explainers.paths.path_gradients import AtPoints, at_points, pools, variance_over_points
from assay.explainers.protocol import Explanations, Request, Traits, explanations
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import Noise
from assay.tasks.errors import InputError, check_at_least


@dataclass(frozen=True, slots=True)
class NoisyGradient(ABC):
    """Gradients of the target logit at copies of the text with Gaussian noise.

    noise_level: its standard deviation as a share of the range of the numbers that the first layer reads.
    """

    samples: int = 50
    noise_level: float = 0.1
    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 1
    name: ClassVar[str]
    traits = Traits(signed=False, additive=False, stochastic=True, needs=frozenset({"gradients"}))

    def __post_init__(self) -> None:
        check_aggregation(self.aggregation)
        check_at_least(f"explainer.{self.name}.samples", self.samples, 2)
        if not self.noise_level > 0:
            raise InputError(
                f"explainer.{self.name}.noise_level is {self.noise_level}; expected a share above 0, such as "
                "0.1"
            )

    @abstractmethod
    def at_copies(self, engine: Engine, copies: Sequence[Path]) -> list[AtPoints]:
        """For every text values (M, S, T), whose means over S are the scores."""

    def standard_error(self, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """(M, T) that of the means over S of values (M, S, T), where it is known."""
        return None

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        found = []
        for pool in pools(requests, self.samples):
            copies = self.at_copies(engine, [self._copies(request) for request in pool])
            for request, at, (logits, cost) in zip(pool, copies, _texts(engine, pool), strict=True):
                error = self.standard_error(at.values)
                scores = at.values.mean(axis=1)
                found.append(explanations(request, scores, logits, standard_error=error, cost=at.cost + cost))
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every copy forward and, per target, backward; and the text itself."""
        return self.samples + 1, self.samples * targets

    def _copies(self, request: Request) -> Path:
        row = full_rows(request.encoding)
        noise = Noise((request.seed, self.name, request.example.id), self.noise_level, relative=True)
        return Path(row, row, np.ones(self.samples), request.targets, noise)


@dataclass(frozen=True, slots=True)
class SmoothGrad(NoisyGradient):
    """Mean of `assay.explainers.gradient.saliency.Saliency` over copies of the text with Gaussian noise.

    The standard error of the mean over the copies is recorded. Source: Smilkov et al. 2017.
    """

    name: ClassVar[str] = "smooth_grad"

    def at_copies(self, engine: Engine, copies: Sequence[Path]) -> list[AtPoints]:
        return at_points(engine, copies, lambda batch: aggregate(batch.gradients.abs(), self.aggregation))

    def standard_error(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.std(axis=1, ddof=1) / np.sqrt(self.samples)


@dataclass(frozen=True, slots=True)
class VarGrad(NoisyGradient):
    """Variance of the gradient of the target logit over copies of the text with Gaussian noise, aggregated
    over the embedding.

    Source: Adebayo et al. 2018, "Local explanation methods for deep neural networks lack sensitivity to
    parameter values".
    """

    name: ClassVar[str] = "vargrad"

    def at_copies(self, engine: Engine, copies: Sequence[Path]) -> list[AtPoints]:
        return variance_over_points(engine, copies, lambda v: aggregate(v, self.aggregation))


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
