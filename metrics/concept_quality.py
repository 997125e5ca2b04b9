"""How well a model answers a question about texts, and how far its probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.models.concept_report import calibration_error
from assay.tasks.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class AnswerQuality:
    """Of one question, over the N texts whose answer is known; NaN where there is none.

    Attributes:
        texts: N.
        accuracy: the share of texts whose most probable answer is right.
        majority: that of the answer most frequent in training.
        brier: mean over texts of the sum over answers of (probability - right)²; 0 to 2, lower is better.
        brier_constant: that of the frequencies in training, in place of the model's probabilities.
        calibration_error: of the most probable answer (`assay.models.concept_report.calibration_error`).
    """

    texts: int
    accuracy: float
    majority: float
    brier: float
    brier_constant: float
    calibration_error: float


def answer_quality(probabilities: Floats, gold: Ints, frequencies: Floats) -> AnswerQuality:
    """The quality of the answers to one question.

    Args:
        probabilities: (N, C) of the answers.
        gold: (N,) the right answer, -1 where it is not known; such texts are left out.
        frequencies: (C,) how frequent the answers are in training, of sum 1.

    Example:
        >>> found = answer_quality(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]), np.array([0.6, 0.4]))
        >>> found.accuracy, found.majority, round(found.brier, 2), round(found.calibration_error, 2)
        (0.5, 1.0, 0.65, 0.45)
    """
    known = gold >= 0
    probabilities, gold = probabilities[known], gold[known]
    if not len(gold):
        nan = float("nan")
        return AnswerQuality(0, nan, nan, nan, nan, nan)
    right = np.eye(len(frequencies))[gold]
    given = probabilities.argmax(axis=1)
    return AnswerQuality(
        len(gold),
        float((given == gold).mean()),
        float((gold == frequencies.argmax()).mean()),
        float(((probabilities - right) ** 2).sum(axis=1).mean()),
        float(((frequencies - right) ** 2).sum(axis=1).mean()),
        calibration_error(probabilities, gold),
    )


def frequencies(gold: Ints, answers: int) -> Floats:
    """(answers,) how frequent each answer is among the known ones (not -1); equal where none is known."""
    counts = np.bincount(gold[gold >= 0], minlength=answers).astype(np.float64)
    return counts / counts.sum() if counts.sum() else np.full(answers, 1 / answers)
