"""What is on record about the heads of a model with concepts, and about what leaks through its bottleneck."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.models.report import Quality

# A head is learned if a constant would be as good by chance less often than this.
LEARNED_BELOW = 0.01
BINS = 15


@dataclass(frozen=True, slots=True)
class HeadQuality:
    """How well a head does on the texts of a split whose answer is known; NaN where there are none.

    known: number of these texts. accuracy, macro_f1: of the likeliest answer; macro_f1 is the mean over the
    answers that occur. majority: accuracy of the answer that is right most often on these texts.
    calibration_error, uncalibrated_error: expected calibration error (Guo et al., ICML 2017; 15 bins of equal
    width), 0 to 1, with the head's temperature and without.
    """

    known: int
    accuracy: float
    macro_f1: float
    majority: float
    calibration_error: float
    uncalibrated_error: float


@dataclass(frozen=True, slots=True)
class HeadReport:
    """One head.

    temperature: by which its logits are divided, fitted on the development texts; 1 where the decision was
    trained through them. p: of a sign test on the development texts that it is right more often than their
    most frequent answer, one-sided; 1 without known answers. learned: whether p is at most 0.01, so that the
    head is shown to be better; of few known answers a good head may not be.
    """

    question: str
    answers: tuple[str, ...]
    dev: HeadQuality
    test: HeadQuality
    temperature: float
    p: float
    learned: bool


@dataclass(frozen=True, slots=True)
class Leakage:
    """What reaches the decision of a bottleneck beside the answers, on the test texts.

    soft: main quality as the model is. hard: with 1 for the likeliest answer of each question and 0 for the
    others, in place of probabilities; what falls from soft to hard was in the probabilities, not in the
    answers. random: with as many answers that mean nothing, heads fitted on shuffled auxiliary labels.
    """

    soft: Quality
    hard: Quality
    random: Quality


@dataclass(frozen=True, slots=True)
class ConceptReport:
    """The heads, in the order of the questions; leakage: of a trained bottleneck, otherwise None."""

    heads: tuple[HeadReport, ...]
    leakage: Leakage | None = None

    def record(self) -> dict[str, Any]:
        """Ready for JSON, which has null where a number is unknown."""
        heads = [
            {**asdict(head), "dev": _known(asdict(head.dev)), "test": _known(asdict(head.test))}
            for head in self.heads
        ]
        if self.leakage is None:
            return {"heads": heads}
        parts = {name: getattr(self.leakage, name).record() for name in ("soft", "hard", "random")}
        return {"heads": heads, "leakage": parts}


def _known(record: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in record.items()}


def head_quality(
    probabilities: NDArray[np.float64], uncalibrated: NDArray[np.float64], gold: NDArray[np.int64]
) -> HeadQuality:
    """How good a head's probabilities (N, A) are for the answers (N,), below 0 where unknown."""
    known = gold >= 0
    if not known.any():
        return HeadQuality(0, *[math.nan] * 5)
    probabilities, uncalibrated, gold = probabilities[known], uncalibrated[known], gold[known]
    return HeadQuality(
        known=len(gold),
        accuracy=float((probabilities.argmax(axis=1) == gold).mean()),
        macro_f1=macro_f1(probabilities, gold),
        majority=float(np.bincount(gold).max() / len(gold)),
        calibration_error=calibration_error(probabilities, gold),
        uncalibrated_error=calibration_error(uncalibrated, gold),
    )


def macro_f1(scores: NDArray[np.floating], gold: NDArray[np.int64]) -> float:
    """Mean F1 over the answers that occur in gold (N,), of the answers of the largest scores (N, A); NaN
    without texts."""
    found, values = scores.argmax(axis=1), []
    for answer in np.unique(gold):
        right = ((found == answer) & (gold == answer)).sum()
        values.append(2 * right / ((found == answer).sum() + (gold == answer).sum()))
    return float(np.mean(values)) if values else math.nan


def calibration_error(probabilities: NDArray[np.float64], gold: NDArray[np.int64]) -> float:
    """Expected calibration error of probabilities (N, A) for answers (N,): the difference of mean confidence
    and accuracy in each bin, weighted by its texts."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(gold))


def beats_constant(scores: NDArray[np.floating], gold: NDArray[np.int64]) -> float:
    """p of a one-sided sign test that the answers of the largest scores (N, A) are right no more often than
    the most frequent of the known answers (N,), on the texts on which one of the two is right."""
    from scipy.stats import binom

    known = gold >= 0
    if not known.any():
        return 1.0
    constant = np.bincount(gold[known]).argmax()
    right, by_constant = scores[known].argmax(axis=1) == gold[known], gold[known] == constant
    better, worse = (right & ~by_constant).sum(), (~right & by_constant).sum()
    return float(binom.sf(better - 1, better + worse, 0.5))
