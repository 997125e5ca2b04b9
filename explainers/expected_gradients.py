"""Expected gradients, alias GradientSHAP: integrated gradients by sampling the path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from explainers.baselines import Baseline
from explainers.explanation import Cost, Explanation
from explainers.integrated_gradients import directional
from explainers.points import at_points, check_reference, pools, reference
from explainers.protocol import Request, Traits, explanations
from models.engine import Engine, Path
from models.paths import Noise
from models.rows import full_rows
from tasks.errors import InputError
from tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class ExpectedGradients:
    """Mean over random points between baseline and text of difference x gradient of the target logit.

    An unbiased estimate of integrated gradients, averaged over references where the baseline has several.
    samples: points, drawn two by two from equal parts of the path, so that their spread within the parts
    gives the standard error. noise: standard deviation of Gaussian noise on the text where the first layer
    reads (captum's stdevs), drawn for each point; special tokens then carry scores too. Signed; the scores
    sum to f(x) - f(baseline) in expectation only, and only without noise.
    Source: Erion et al. 2021; Lundberg & Lee's GradientExplainer.
    """

    samples: int = 50
    noise: float = 0.0
    version: ClassVar[int] = 1
    name: ClassVar[str] = "expected_gradients"
    traits = Traits(
        signed=True, additive=False, stochastic=True, needs=frozenset({"gradients"}), baseline="reference"
    )

    def __post_init__(self) -> None:
        if self.samples < 2 or self.samples % 2:
            raise InputError(
                f"explainer.{self.name}.samples is {self.samples}; expected an even number, at least 2"
            )
        if not self.noise >= 0:
            raise InputError(f"explainer.{self.name}.noise is {self.noise}; expected 0 or more")

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        baseline = check_reference(self.name, baseline)
        found = []
        for pool in pools(requests, self.samples):
            paths = [self._path(engine, request, baseline) for request in pool]
            ends = engine.answers([row for path in paths for row in (path.start, path.end)])
            for nth, (request, here) in enumerate(
                zip(pool, at_points(engine, paths, directional), strict=True)
            ):
                low, high = ends[2 * nth : 2 * nth + 2]
                cost = here.cost + Cost(low.rows + high.rows, 0, low.tokens + high.tokens)
                scores, errors = mean_of_pairs(here.values)
                values = high.logits[0], low.logits[0]
                found.append(explanations(request, scores, *values, standard_error=errors, cost=cost))
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every point forward and, per target, backward; and both ends of the path."""
        return self.samples + 2, self.samples * targets

    def _path(self, engine: Engine, request: Request, baseline: Baseline) -> Path:
        seed = (request.seed, self.name, request.example.id)
        drawn = generator(*seed).random((self.samples // 2, 2))
        alphas = (np.arange(self.samples // 2)[:, None] + drawn) / (self.samples // 2)
        noise = Noise((*seed, "noise"), self.noise) if self.noise else None
        start, end = reference(engine, request, baseline), full_rows(request.encoding)
        return Path(start, end, alphas.ravel(), request.targets, noise)


def mean_of_pairs(draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M, T) means of draws (M, S, T) that stand two by two for S / 2 parts, and their standard errors."""
    pairs = draws.reshape(len(draws), -1, 2, draws.shape[2])
    half = (pairs[:, :, 0] - pairs[:, :, 1]) / 2
    return draws.mean(axis=1), np.sqrt((half**2).sum(axis=1)) / pairs.shape[1]
