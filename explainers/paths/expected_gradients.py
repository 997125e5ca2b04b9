"""Expected gradients, alias GradientSHAP: integrated gradients by sampling the path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.explainers.paths.path_gradients import at_points, check_reference, directional, pools, reference
from assay.explainers.protocol import Explanations, Request, Traits, explanations
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import Noise
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class ExpectedGradients:
    """Mean over random points between baseline and text of difference x gradient of the target logit.

    An unbiased estimate of integrated gradients, averaged over references where the baseline has several.
    samples: points, drawn two by two from equal parts of the path; how the means of the parts scatter about
    their neighbours gives the standard error (`mean_and_error`). noise: standard deviation of Gaussian noise
    on the text where the first layer reads (captum's stdevs), drawn for each point; special tokens then carry
    scores too. Signed; the scores sum to f(x) - f(baseline) in expectation only, and only without noise.
    Source: Erion et al. 2021; Lundberg & Lee's GradientExplainer.
    """

    samples: int = 50
    noise: float = 0.0
    version: ClassVar[int] = 2
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

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        baseline = check_reference(self.name, baseline)
        found = []
        for pool in pools(requests, self.samples):
            paths = [self._path(engine, request, baseline) for request in pool]
            ends = engine.answers([row for path in paths for row in (path.start, path.end)])
            along = at_points(engine, paths, directional)
            for request, path, low, high in zip(pool, along, ends[::2], ends[1::2], strict=True):
                cost = path.cost + Cost(low.rows + high.rows, 0, low.tokens + high.tokens)
                scores, errors = mean_and_error(path.values)
                values = high.logits[0], low.logits[0]
                found.append(explanations(request, scores, *values, standard_error=errors, cost=cost))
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every point forward and, per target, backward; and both ends of the path."""
        return self.samples + 2, self.samples * targets

    def _path(self, engine: Engine, request: Request, baseline: Baseline) -> Path:
        seed = (request.seed, self.name, request.example.id)
        noise = Noise((*seed, "noise"), self.noise) if self.noise else None
        start, end = reference(engine, request, baseline), full_rows(request.encoding)
        return Path(start, end, points(self.samples, *seed), request.targets, noise)


def points(samples: int, *seed: object) -> NDArray[np.float64]:
    """(S,) positions in [0, 1], two drawn from each of S / 2 equal parts."""
    drawn = generator(*seed).random((samples // 2, 2))
    return ((np.arange(samples // 2)[:, None] + drawn) / (samples // 2)).ravel()


def mean_and_error(draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M, T) means of draws (M, S, T) that stand two by two for S / 2 parts, and their standard errors.

    Errors come from second differences of the parts' means, in which a steady slope cancels. The two draws
    of a part would do where the integrand is smooth; where it jumps, both mostly fall on one side of the
    jump and say nothing of it. With fewer than three parts they are all there is.
    """
    parts = draws.shape[1] // 2
    pairs = draws.reshape(len(draws), parts, 2, draws.shape[2])
    means = pairs.mean(axis=2)
    if parts < 3:
        half = (pairs[:, :, 0] - pairs[:, :, 1]) / 2
        return means.mean(axis=1), np.sqrt((half**2).sum(axis=1)) / parts
    # Of independent numbers of variance v, second differences have variance 6 v.
    variance = (np.diff(means, n=2, axis=1) ** 2).mean(axis=1) / 6
    return means.mean(axis=1), np.sqrt(variance / parts)
