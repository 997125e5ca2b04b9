"""Explanations of known quality: exact ones, with noise, turned around, or nothing but noise.

Metrics are checked with them (assay.harness.validation.check_metrics); they are no explainers to choose in
an experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Explainer, Explanations, Request, Traits, explanation
from assay.models.engine import Engine
from assay.models.saving import weights_hash
from assay.models.training import Trainable
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class Quality:
    """How much truth an explanation holds.

    truth: what exact scores are multiplied by: 1, -1 (inverted) or 0 (random). noise: standard deviation of
    added normal noise, in units of the exact scores' own over the text; where there is no truth, of
    `KnownQuality.scale`, since a unit of the text's own would tell of the truth.
    """

    name: str
    truth: int = 1
    noise: float = 0.0


EXACT = Quality("exact")
NOISY = tuple(Quality(f"noise {level:g}", noise=level) for level in (0.5, 1.0, 2.0, 4.0))
INVERTED = Quality("inverted", truth=-1)
RANDOM = Quality("random", truth=0, noise=1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """An exact explainer that answers a question it was asked before from memory.

    Exact explainers draw nothing, so the request's seed is no part of the question; the weights are.
    """

    of: Explainer
    version: ClassVar[int] = 1
    _known: dict[tuple[object, ...], Explanation] = field(default_factory=dict)

    @property
    def traits(self) -> Traits:
        return self.of.traits

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Those of the first time."""
        return self.of.model_rows(tokens, targets)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        about = weights_hash(cast(Trainable, engine.model)), baseline and baseline.name
        keys = [
            [(*about, r.example.texts, r.encoding.ids.tobytes(), target) for target in r.targets.tolist()]
            for r in requests
        ]
        new = [at for at, of_one in enumerate(keys) if any(key not in self._known for key in of_one)]
        computed = self.of.explain(engine, [requests[at] for at in new], baseline)
        for at, records in zip(new, computed, strict=True):
            self._known.update(zip(keys[at], records, strict=True))
        return [
            [replace(self._known[key], example_id=request.example.id) for key in of_one]
            for request, of_one in zip(requests, keys, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class KnownQuality:
    """The scores of `exact`, as far as `quality` leaves them.

    Like every explainer's, its draws depend on the request's seed, the example and the target, and neither on
    the model nor on the rest of the question: asked again about another model, it errs alike.
    """

    exact: Explainer
    quality: Quality
    scale: float = 1.0
    version: ClassVar[int] = 1

    @property
    def traits(self) -> Traits:
        return replace(self.exact.traits, additive=False, stochastic=True)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Those of the exact explainer, none without truth."""
        return self.exact.model_rows(tokens, targets) if self.quality.truth else (0, 0)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        if self.quality.truth:
            records = self.exact.explain(engine, requests, baseline)
        else:
            records = [
                [explanation(r, target, np.zeros(len(r.encoding))) for target in r.targets.tolist()]
                for r in requests
            ]
        return [
            [replace(record, scores=self._scores(request, record)) for record in of_one]
            for request, of_one in zip(requests, records, strict=True)
        ]

    def _scores(self, request: Request, record: Explanation) -> NDArray[np.float32]:
        rng = generator(request.seed, "known quality", self.quality.name, request.example.id, record.target)
        content = request.encoding.content
        unit = spread(record.scores, content) if self.quality.truth else self.scale
        noise = self.quality.noise * unit * rng.standard_normal(len(record.scores))
        scores = self.quality.truth * record.scores.astype(np.float64) + noise
        return np.where(content, scores, 0.0).astype(np.float32)


def spread(scores: NDArray[np.floating], content: NDArray[np.bool_]) -> float:
    """Standard deviation of the content tokens' scores, 0 where there are none."""
    return float(scores[content].astype(np.float64).std()) if content.any() else 0.0
