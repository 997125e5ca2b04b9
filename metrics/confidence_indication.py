"""Confidence indication: can the model's confidence be read off its explanation?"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.long_table import Parts, long
from assay.metrics.resampling import ratio, unit_means
from assay.metrics.targets import require_all_explained
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

logger = logging.getLogger(__name__)

FEATURES = ("f_max", "f_mean", "f_min")
CONTRASTS = ("unit", "target", "confidence", *FEATURES)


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
        needs=frozenset({"all_targets"}),
    )

    splits: int = 5
    test_share: float = 0.1
    minimum: int = 20

    def __post_init__(self) -> None:
        _check(self)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `confidence`, `f_max`, `f_mean`, `f_min`, and per split s `error@s`, the
        absolute error, and `reference@s`, that of predicting the mean of the up-sampled training part; both
        NaN outside the test part of s.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean absolute error over the test part, averaged over the splits that have any."""
        return mean_error(parts, index)


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationMax(MetricBase):
    """Largest error of predicting the model's confidence from its explanation, averaged over splits."""

    info = replace(
        ConfidenceIndication.info,
        name="confidence_indication_max",
        title="Confidence indication (MAX)",
        random_level="about that of always predicting the mean of the up-sampled training part",
        extreme=True,
    )

    splits: int = 5
    test_share: float = 0.1
    minimum: int = 20

    def __post_init__(self) -> None:
        _check(self)

    def score(self, subject: CellData) -> pd.DataFrame:
        """As `ConfidenceIndication.score`."""
        return _score(self, subject)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) largest absolute error in the test part, averaged over the splits that have any."""
        return largest_error(parts, index)


Indication = ConfidenceIndication | ConfidenceIndicationMax


def _check(metric: Indication) -> None:
    if metric.splits < 1 or not 0 < metric.test_share < 1 or metric.minimum < 2:
        raise InputError(
            f"{metric.name}: splits={metric.splits}, test_share={metric.test_share}, "
            f"minimum={metric.minimum}; expected at least 1 split, a share between 0 and 1, and a minimum of "
            "2 or more texts"
        )


def _score(metric: Indication, subject: CellData) -> pd.DataFrame:
    tables = [_contrasts(metric, subject, shard) for shard in subject.shards]
    # Sorted, so that neither the order of the examples nor the cut into shards can move a split.
    table = pd.concat(tables, ignore_index=True).sort_values(["unit", "target"], ignore_index=True)
    units, text = np.unique(table["unit"].to_numpy(dtype=str), return_inverse=True)
    enough = len(units) >= metric.minimum
    if not enough:
        logger.warning(
            "%s: %d texts are too few to fit a regression, at least %d are needed; the result is NaN",
            metric.name,
            len(units),
            metric.minimum,
        )
    parts = {}
    for split in range(metric.splits):
        errors = references = np.full(len(table), np.nan)
        if enough:
            rng = generator(subject.seed, "confidence_indication", str(split))
            in_test = _in_test(len(units), metric.test_share, rng)[text]
            features, confidence = table[list(FEATURES)].to_numpy(), table["confidence"].to_numpy()
            errors, references = regression_errors(features, confidence, in_test, rng)
        parts |= {f"error@{split}": errors, f"reference@{split}": references}
    return contrasts_long(table, parts)


def _contrasts(metric: Indication, subject: CellData, shard: Shard) -> pd.DataFrame:
    """One row per example and class whose confidence is predicted: CONTRASTS."""
    require_all_explained(shard, subject.labels, metric.name)
    rows = []
    for row, example in enumerate(shard.examples):
        scores = shard.scores[row][:, shard.content[row]].astype(np.float64)
        probabilities = shard.probabilities[row]
        targets = range(len(scores)) if subject.multi_label else [int(probabilities.argmax())]
        for target in targets:
            values = contrast_features(scores, target, pool_others=subject.multi_label)
            rows.append((example.id, target, probabilities[target], *values))
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


def mean_error(parts: Parts, index: Ints) -> Floats:
    """(B,) mean of the parts `error@s` within each split, averaged over the splits that have any."""
    return _over_splits(parts, "error@", index, _mean)


def largest_error(parts: Parts, index: Ints) -> Floats:
    """(B,) largest of the parts `error@s` within each split, averaged over the splits that have any."""
    return _over_splits(parts, "error@", index, _largest)


def constant_predictor(parts: dict[str, Floats]) -> tuple[float, float]:
    """Mean and largest error of predicting the mean of the up-sampled training part, averaged over splits.

    An explainer that is no better than this says nothing of the confidence.
    """
    everything = np.arange(len(parts["confidence"]))[None]
    mean, largest = (_over_splits(parts, "reference@", everything, of) for of in (_mean, _largest))
    return float(mean[0]), float(largest[0])


def _over_splits(
    parts: dict[str, Floats], prefix: str, index: Ints, of_split: Callable[[Floats, Ints], Floats]
) -> Floats:
    errors = [parts[part] for part in sorted(parts) if part.startswith(prefix)]
    return unit_means(np.stack([of_split(of_one, index) for of_one in errors], axis=1))


def _mean(errors: Floats, index: Ints) -> Floats:
    present = ~np.isnan(errors)
    total = np.where(present, errors, 0.0).sum(axis=1)
    return ratio(total[index].sum(axis=1), present.sum(axis=1)[index].sum(axis=1))


def _largest(errors: Floats, index: Ints) -> Floats:
    per_text = np.where(np.isnan(errors), -np.inf, errors).max(axis=1)
    largest = per_text[index].max(axis=1)
    return np.where(np.isneginf(largest), np.nan, largest)
