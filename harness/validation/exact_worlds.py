"""Planted tasks with models whose every answer can be explained exactly: what metrics are checked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.explainers.controls.known_quality import Cached
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Explainer
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.linear import Linear
from assay.models.training import Training, fit
from assay.models.word_model import WordSpec
from assay.tasks.example import Task
from assay.tasks.planted import planted

SEEDS = (0, 1)
# Every coalition of so many tokens is asked.
LONGEST = 8


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Texts, models, and what every token contributes to every class, exactly.

    engines: of trained models of one architecture, then of as many untrained ones. exact: exact with every
    removal operator.
    """

    name: str
    task: Task
    engines: tuple[Engine, ...]
    exact: Explainer

    @property
    def trained(self) -> range:
        """Places of the trained models."""
        return range(len(self.engines) // 2)

    @property
    def untrained(self) -> range:
        """Places of the untrained models."""
        return range(len(self.engines) // 2, len(self.engines))


def additive(*, texts: int, train: int) -> World:
    """Texts of 6 to 30 words, their label the class with more keywords, read by a bag of words.

    A token adds its weight whatever else is there, so its contribution is what its absence takes away.
    """
    task = planted(name="additive", rule="counting", train=train, dev=train // 10, test=texts, length=(6, 30))
    training = Training(epochs=12, learning_rate=0.01, mask_rate=0.1)
    engines = _engines(task, lambda untrained: Linear(training=training, init_only=untrained))
    return World("additive", task, engines, Cached(Occlusion()))


def interacting(*, texts: int, train: int) -> World:
    """Texts of 4 to 8 words, of which "not" may turn the keyword round, read by convolutions.

    A token's contribution is its Shapley value, from all coalitions of tokens.
    """
    task = planted(
        name="interacting", rule="negation", train=train, dev=train // 10, test=texts, length=(4, LONGEST)
    )
    training = Training(epochs=12, learning_rate=0.003, mask_rate=0.1)

    def network(untrained: bool) -> Cnn:
        return Cnn(dimensions=32, widths=(2, 3), channels=24, training=training, init_only=untrained)

    exact = KernelShap(rows=2**LONGEST)
    return World("interacting", task, _engines(task, network), Cached(exact))


def _engines(task: Task, spec: Callable[[bool], WordSpec]) -> tuple[Engine, ...]:
    kinds = [(seed, untrained) for untrained in (False, True) for seed in SEEDS]
    return tuple(Engine(fit(spec(untrained), task, seed)[0]) for seed, untrained in kinds)
