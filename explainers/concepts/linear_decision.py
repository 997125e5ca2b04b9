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
    have mean 0 under `means`. An answer contributes weight x (probability - mean), whatever number was added:
    its presence counts where the text has more of it than the average one, its absence where it has less.

    Attributes:
        weights: (K, C) of each label and concept.
        bias: (K,).
        means: (C,) mean probabilities over the training texts.
        question: (C,) the number of each concept's question.
        relative: whether only differences between labels decide (a softmax over them, not a sigmoid each).
            Every number is then compared with its mean over labels, which decides nothing.
    """

    weights: Floats
    bias: Floats
    means: Floats
    question: Ints
    relative: bool = True

    @property
    def base(self) -> Floats:
        """(K,) the logits of a text of average concepts, relative to the mean over labels if `relative`."""
        return self._compared(self.weights @ self.means + self.bias)

    @property
    def effects(self) -> Floats:
        """(K, C) the weights relative to the average text, and to the mean over labels if `relative`."""
        of_question = np.eye(int(self.question.max(initial=-1)) + 1)[self.question]
        total = self.means @ of_question
        centre = (self.weights * self.means) @ of_question / np.where(total > 0, total, 1.0)
        return self._compared(self.weights - centre @ of_question.T)

    def contributions(self, probabilities: Floats) -> Floats:
        """(N, K, C) what each concept contributes to each logit.

        base + contributions.sum(axis=2) are the logits exactly, less their mean over labels if `relative`.

        Args:
            probabilities: (N, C).
        """
        return (probabilities - self.means)[:, None] * self.effects

    def _compared(self, of_labels: Floats) -> Floats:
        return of_labels - of_labels.mean(axis=0) if self.relative else of_labels
