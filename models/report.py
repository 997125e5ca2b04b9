"""What is on record about a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assay.models.concept_report import ConceptReport


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training texts: mean losses, and the development macro-F1 after it.

    Of a model with concepts, dev_macro_f1 is that by which `assay.models.concept_training` finds the best
    epoch: the mean of the main labels' and of the heads'.
    penalty_weight, penalty: of a model trained with a penalty; penalty_weight * penalty is in the training
    loss and not in the development loss.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    dev_macro_f1: float
    penalty_weight: float | None = None
    penalty: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a model does on one split; every number from 0 to 1, higher is better.

    accuracy: share of texts with exactly the right labels. macro_f1: mean of `f1` over the task's labels.
    micro_f1: of all decisions together. label_accuracy, f1: per label name, presence against absence of that
    label. F1 is 0 where undefined.
    """

    accuracy: float
    macro_f1: float
    micro_f1: float
    label_accuracy: dict[str, float]
    f1: dict[str, float]

    def record(self) -> dict[str, Any]:
        """Ready for JSON, which has null where a number is unknown."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def unknown_quality() -> Quality:
    """That on texts without labels, or on no texts: NaN, and no label has a number."""
    return Quality(math.nan, math.nan, math.nan, {}, {})


@dataclass(frozen=True, slots=True)
class VoteDistance:
    """How far probabilities are from the shares of votes: total variation, 0 to 1, mean over texts.

    texts: with votes. model: the model's. constant: of the mean share over these texts, given for each.
    """

    texts: int
    model: float
    constant: float


@dataclass(frozen=True, slots=True)
class Majority:
    """A model beside a constant answer, on the texts whose labels are known.

    labels: the set of labels that most texts have. texts: how many there are. right: on how many the model
    gives exactly the right labels; constant: on how many the constant answer does. p: the exact probability
    that a model as good as the constant answer is right no more often, one-sided binomial.
    """

    labels: tuple[str, ...]
    texts: int
    right: int
    constant: int
    p: float


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """best_epoch: the one whose weights the model has, 0 for the initial ones. init_only: never trained.

    examples, truncated: per split, how many there are and how many were cut at the model's limit.
    dev, test: unknown where a split has no texts, or texts without labels.
    seconds: wall time of the whole, the only number here that a repetition does not reproduce.
    base: the report of the model that this one started from, trained first on the same texts; None without.
    concepts: of a model with concepts, its heads; None without.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    init_only: bool
    dev: Quality
    test: Quality
    examples: dict[str, int]
    truncated: dict[str, int]
    seconds: float
    base: TrainingReport | None = None
    concepts: ConceptReport | None = None

    def record(self) -> dict[str, Any]:
        """Everything but the seconds, ready for JSON; what is None is left out."""
        apart = ("seconds", "base", "concepts")
        kept = {name: value for name, value in asdict(self).items() if name not in apart}
        epochs = [
            {name: value for name, value in epoch.items() if value is not None} for epoch in kept["epochs"]
        ]
        base = {} if self.base is None else {"base": self.base.record()}
        concepts = {} if self.concepts is None else {"concepts": self.concepts.record()}
        measured = {"dev": self.dev.record(), "test": self.test.record()}
        return {**kept, "epochs": epochs, **measured, **base, **concepts}


def predicted_labels(logits: NDArray[np.float32], *, multi_label: bool) -> NDArray[np.bool_]:
    """(N, K) bool: the largest logit, or in a multi-label task every logit from 0 (probability 0.5) up."""
    if multi_label:
        return logits >= 0
    return np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None]


def quality(gold: NDArray[np.bool_], predicted: NDArray[np.bool_], labels: Sequence[str]) -> Quality:
    """How well labels were predicted, by scikit-learn.

    Args:
        gold: (N, K) bool, the right labels.
        predicted: (N, K) bool.
        labels: K names.

    Returns:
        accuracies and F1, 0 where F1 is undefined.
    """
    # Takes a second to import, and only training needs it.
    from sklearn.metrics import f1_score

    # scikit-learn's types know words only, its documentation numbers, too.
    undefined: Any = 0
    # Label by label, because scikit-learn reads a table of one column as two classes.
    f1 = np.array(
        [f1_score(*label, zero_division=undefined) for label in zip(gold.T, predicted.T, strict=True)]
    )
    right = (gold == predicted).mean(axis=0)
    return Quality(
        accuracy=float((gold == predicted).all(axis=1).mean()),
        macro_f1=float(f1.mean()),
        micro_f1=float(f1_score(gold.ravel(), predicted.ravel(), zero_division=undefined)),
        label_accuracy={label: float(value) for label, value in zip(labels, right, strict=True)},
        f1={label: float(value) for label, value in zip(labels, f1, strict=True)},
    )


def vote_distance(
    probabilities: NDArray[np.float64], shares: Sequence[Sequence[float]]
) -> VoteDistance | None:
    """How far probabilities (N, K) are from the shares of votes; None where no text has votes.

    shares: of each text K, or none.
    """
    voted = [place for place, of_text in enumerate(shares) if of_text]
    if not voted:
        return None
    given = np.array([shares[place] for place in voted])
    model, constant = (
        float(np.abs(answer - given).sum(axis=1).mean() / 2)
        for answer in (probabilities[voted], given.mean(axis=0))
    )
    return VoteDistance(len(voted), model, constant)


def majority(
    gold: NDArray[np.bool_], predicted: NDArray[np.bool_], labels: Sequence[str], *, multi_label: bool
) -> Majority | None:
    """How a model does beside the answer that is right most often; None without texts of known labels.

    Several labels count as one answer, their set, so that a text with no label, which in a multi-label task
    is an answer, too, counts alike.

    Args:
        gold: (N, K) bool, the right labels; a row without any is unknown unless multi_label.
        predicted: (N, K) bool.
        labels: K names.
        multi_label: whether a text may have several labels or none.
    """
    from scipy.stats import binom

    known = np.full(len(gold), multi_label) | gold.any(axis=1)
    if not known.any():
        return None
    sets, counts = np.unique(gold[known], axis=0, return_counts=True)
    most, texts = int(counts.argmax()), int(known.sum())
    right = int((gold == predicted).all(axis=1)[known].sum())
    named = tuple(label for label, has in zip(labels, sets[most], strict=True) if has)
    p = float(binom.cdf(right, texts, counts[most] / texts))
    return Majority(named, texts, right, int(counts[most]), p)
