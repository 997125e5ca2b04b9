"""Confidence indication: can the model's confidence be read off its explanation?"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.long_table import Parts, long
from assay.metrics.options import option, whole
from assay.metrics.resampling import largest_within_splits, mean_within_splits
from assay.metrics.targets import require_all_explained
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

logger = logging.getLogger(__name__)

FEATURES = ("f_max", "f_mean", "f_min")
CONTRASTS = ("unit", "target", "confidence", *FEATURES)


def _check_test_share(share: float, path: str) -> float:
    if not 0 < share < 1:
        raise InputError(f"{path} is {share}; expected a share between 0 and 1")
    return share


@dataclass(frozen=True, slots=True)
class ConfidenceIndication(MetricBase):
    """Mean absolute error of predicting the model's confidence from its explanation.

    Per token, the score for the predicted class minus the score for every other class; `f_max`, `f_mean`
    and `f_min` are the sums over content tokens of the largest, the mean and the smallest difference. A
    linear regression maps them to the probability of the predicted class. It is fitted on the training part
    of each of `splits` random splits of the texts, after up-sampling every decile of confidence to the size
    of the largest, and judged on the other `test_share`; predictions are not clipped. The features are scaled
    to the range they have in the training part, which leaves the predictions of least squares as they are.
    The splits depend on the ids and the subject's seed alone, so all explainers of a model share them.

    A multi-label task is an extension of the study: every label of every text is predicted, its confidence
    is its own probability, and its score is contrasted with the mean over the other labels, so that the
    three features are one.

    Attributes:
        splits: Number of random splits.
        test_share: Share of the texts in the test part of a split.
        minimum: Fewest texts for a regression; with fewer every error is NaN.

    Source: Atanasova et al. 2020.
    """

    info = MetricInfo(
        "confidence_indication",
        "Confidence indication (MAE)",
        "lower",
        NONNEGATIVE,
        "about the error of always predicting the mean of the up-sampled training part (parts `reference@s`)",
        property="confidence indication",
        part="error",
        needs=frozenset({"all_targets"}),
        summary=mean_within_splits,
    )

    splits: int = whole(5, least=1)
    test_share: float = option(0.1, _check_test_share)
    minimum: int = whole(20, least=2)

    def score(self: Indication, subject: CellData) -> pd.DataFrame:
        """Per example and class: `confidence`, `f_max`, `f_mean`, `f_min`, and per split s `error@s`, the
        absolute error, and `reference@s`, that of predicting the mean of the up-sampled training part; both
        NaN outside the test part of s.

        Raises InputError when a class was not explained.
        """
        contrasts = contrast_table(subject, self.name, multi_label=subject.multi_label)
        # Sorted, so that neither the order of the examples nor the cut into shards can move a split.
        contrasts = contrasts.sort_values(["unit", "target"], ignore_index=True)
        features, confidence = contrasts[list(FEATURES)].to_numpy(), contrasts["confidence"].to_numpy()
        units, text = np.unique(contrasts["unit"].to_numpy(dtype=str), return_inverse=True)
        enough = len(units) >= self.minimum
        if not enough:
            logger.warning(
                "%s: %d texts are too few to fit a regression, at least %d are needed; the result is NaN",
                self.name,
                len(units),
                self.minimum,
            )
        parts = {}
        for split in range(self.splits):
            errors = references = np.full(len(contrasts), np.nan)
            if enough:
                rng = generator(subject.seed, "confidence_indication", str(split))
                in_test = _in_test(len(units), self.test_share, rng)[text]
                errors, references = regression_errors(features, confidence, in_test, rng)
            parts |= {f"error@{split}": errors, f"reference@{split}": references}
        return contrasts_long(contrasts, parts)


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationMax(MetricBase):
    """Largest error of predicting the model's confidence from its explanation, averaged over splits."""

    info = replace(
        ConfidenceIndication.info,
        name="confidence_indication_max",
        title="Confidence indication (MAX)",
        random_level="about that of always predicting the mean of the up-sampled training part",
        extreme=True,
        summary=largest_within_splits,
    )

    splits: int = whole(5, least=1)
    test_share: float = option(0.1, _check_test_share)
    minimum: int = whole(20, least=2)

    score = ConfidenceIndication.score


Indication = ConfidenceIndication | ConfidenceIndicationMax


def contrast_table(
    subject: CellData, metric: str, *, multi_label: bool, special_tokens: bool = False
) -> pd.DataFrame:
    """One row per example and class whose confidence is predicted: CONTRASTS.

    Args:
        subject: The cell.
        metric: The metric's name, for error messages.
        multi_label: Whether the confidence of every label is predicted, each contrasted with the mean of the
            others; otherwise that of the predicted class.
        special_tokens: Whether special tokens count.

    Raises:
        InputError: A class was not explained.
    """
    rows = []
    for shard in subject.shards:
        require_all_explained(shard, subject.labels, metric)
        for text in shard.texts():
            scores = (text.scores if special_tokens else text.scores[:, text.content]).astype(np.float64)
            targets = range(len(scores)) if multi_label else [int(text.probabilities.argmax())]
            for target in targets:
                features = contrast_features(scores, target, pool_others=multi_label)
                rows.append((text.example.id, target, text.probabilities[target], *features))
    return pd.DataFrame(rows, columns=list(CONTRASTS))


def contrasts_long(contrasts: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """The long table of CONTRASTS, one row per example and class, with further parts (M,)."""
    arrays = {part: contrasts[part].to_numpy() for part in ("confidence", *FEATURES)}
    return long(contrasts["unit"].tolist(), arrays | parts, contrasts["target"].to_numpy())


def contrast_features(scores: Floats, target: int, *, pool_others: bool) -> tuple[float, float, float]:
    """(f_max, f_mean, f_min) of scores (K, n) for one class against the others.

    pool_others: contrast with the mean of the others, which makes the three equal. Without any other class
    the contrast is with 0.
    """
    others = np.delete(scores, target, axis=0)
    if not len(others):
        others = np.zeros((1, scores.shape[1]))
    elif pool_others:
        others = others.mean(axis=0, keepdims=True)
    difference = scores[target] - others
    largest, mean, smallest = difference.max(axis=0), difference.mean(axis=0), difference.min(axis=0)
    return float(largest.sum()), float(mean.sum()), float(smallest.sum())


def regression_errors(
    features: Floats, confidence: Floats, in_test: Bools, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Absolute errors (M,) of least squares and of its training mean, NaN outside the test part.

    features: (M, F). confidence: (M,). in_test: (M,). The training part is up-sampled first.
    """
    training = np.flatnonzero(~in_test)
    training = training[upsample(confidence[training], rng)]
    low, high = features[training].min(axis=0), features[training].max(axis=0)
    scaled = (features - low) / np.where(high > low, high - low, 1.0)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    # Two or three classes make the features collinear up to rounding: cut that off, well above rounding.
    weights = np.linalg.lstsq(design[training], confidence[training], rcond=1e-9)[0]
    error = np.abs((design * weights).sum(axis=1) - confidence)
    reference = np.abs(confidence[training].mean() - confidence)
    return np.where(in_test, error, np.nan), np.where(in_test, reference, np.nan)


def upsample(confidence: Floats, rng: np.random.Generator) -> Ints:
    """Positions that make every occupied decile of confidence as large as the largest, drawn with
    replacement; a decile that is already that large is taken as it is. A confidence of 1 is in the last."""
    decile = np.minimum((confidence * 10).astype(np.int64), 9)
    buckets = [np.flatnonzero(decile == which) for which in np.unique(decile)]
    largest = max(len(bucket) for bucket in buckets)
    return np.concatenate(
        [bucket if len(bucket) == largest else rng.choice(bucket, largest) for bucket in buckets]
    )


def _in_test(texts: int, share: float, rng: np.random.Generator) -> Bools:
    """(texts,) bool: a random share of the texts, rounded up, but never all of them."""
    size = min(int(np.ceil(share * texts)), texts - 1)
    chosen = np.zeros(texts, dtype=bool)
    chosen[rng.permutation(texts)[:size]] = True
    return chosen


def constant_predictor(parts: dict[str, Floats]) -> tuple[float, float]:
    """Mean and largest error of predicting the mean of the up-sampled training part, averaged over splits.

    An explainer that is no better than this says nothing of the confidence.
    """
    everything = np.arange(len(parts["confidence"]))[None]
    summaries = mean_within_splits, largest_within_splits
    mean, largest = (summary(parts, "reference", everything) for summary in summaries)
    return float(mean[0]), float(largest[0])
