"""Control explainers: what a table needs to be read against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explainer, Explanations, Request, Traits, explanation
from assay.models.alignment import gold_grades
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.tasks.randomness import generator


class Control(ABC):
    """An explainer that asks no model."""

    __slots__ = ()
    version: ClassVar[int] = 1

    @abstractmethod
    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        """(T,) scores of one target."""

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order."""
        return [
            [
                explanation(request, target, self.scores(request, target, engine.model))
                for target in request.targets.tolist()
            ]
            for request in requests
        ]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """None: no model is asked."""
        return 0, 0


@dataclass(frozen=True, slots=True)
class Random(Control):
    """Scores drawn uniformly from [0, 1) per token and class: the level that luck reaches."""

    traits = Traits(signed=False, additive=False, stochastic=True)

    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        # Drawn as float32, because a float64 just below 1 would be rounded up to it.
        rng = generator(request.seed, "random", request.example.id, target)
        return rng.random(len(request.encoding), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Gold(Control):
    """1 on the tokens people (or the generator of the text) marked for the target, the highest grade where
    marks are graded, 0 elsewhere.

    Where exactly one label is right, what was marked for another label speaks against the target: -1.
    """

    traits = Traits(signed=True, additive=False, stochastic=False, needs=frozenset({"rationales"}))

    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        grades = [gold_grades(request.encoding, request.example, label) for label in range(len(model.labels))]
        scores = grades[target].astype(np.float32)
        if not model.multi_label:
            others = np.any(grades[:target] + grades[target + 1 :], axis=0)
            scores[others & (grades[target] == 0)] = -1
        return scores


@dataclass(frozen=True, slots=True)
class Inverted:
    """Another explainer's scores with the sign turned: as wrong as that explainer is right."""

    of: Explainer
    version: ClassVar[int] = 1

    @property
    def traits(self) -> Traits:
        # Scores that were never negative are now never positive.
        return replace(self.of.traits, signed=True, additive=False)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Those of the explainer it inverts."""
        return self.of.model_rows(tokens, targets)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        return [
            [
                replace(record, scores=-record.scores, value_baseline=float("nan"), by_layer=None)
                for record in of_one
            ]
            for of_one in self.of.explain(engine, requests, baseline)
        ]
