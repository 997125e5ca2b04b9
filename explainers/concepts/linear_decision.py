"""A decision that is a linear function of concepts, taken apart exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.tasks.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class LinearDecision:
    """logits = weights @ probabilities + bias, where the probabilities are the answers to some questions.

    The answers to one question sum to 1, so a number added to the weights of all of them and taken off the
    bias changes no logit. Weights are therefore read relative to the average text: those of one question
    have mean 0 under `means`. An answer then contributes weight x probability; nothing, if the model does not
    give it; and the answers to one question together contribute sum of weight x (probability - mean),
    whatever number was added.

    Attributes:
        weights: (K, C) of each label and concept.
        bias: (K,).
        means: (C,) mean probabilities over the training texts.
        question: (C,) the number of each concept's question.
        relative: whether only differences between labels decide (a softmax over them, not a sigmoid each). A
            concept's contribution is then compared with its mean over labels, which moves all alike.
    """

    weights: Floats
    bias: Floats
    means: Floats
    question: Ints
    relative: bool = True

    @property
    def base(self) -> Floats:
        """(K,) the logits of a text of average concepts."""
        return self.weights @ self.means + self.bias

    @property
    def effects(self) -> Floats:
        """(K, C) the weights relative to the average text, and to the mean over labels if `relative`."""
        weights = self._gauged()
        return weights - weights.mean(axis=0) if self.relative else weights

    def contributions(self, probabilities: Floats) -> tuple[Floats, Floats]:
        """What each concept contributes to each logit, and what moves all logits alike.

        base + contributions.sum(axis=2) + rest are the logits, exactly.

        Args:
            probabilities: (N, C).

        Returns:
            (N, K, C) contributions and (N, K) rest, 0 unless `relative`.
        """
        found = probabilities[:, None] * self.effects
        common = probabilities @ (self._gauged() - self.effects).T
        return found, common

    def _gauged(self) -> Floats:
        of_question = np.eye(int(self.question.max(initial=-1)) + 1)[self.question]
        total = self.means @ of_question
        centre = (self.weights * self.means) @ of_question / np.where(total > 0, total, 1.0)
        return self.weights - centre @ of_question.T
