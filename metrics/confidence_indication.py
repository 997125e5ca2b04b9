"""Confidence indication: can the model's confidence be read off its explanation?"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.confidence_regression import FEATURES, CrossFitted
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.long_table import Parts, long
from assay.metrics.options import whole
from assay.metrics.resampling import Counts
from assay.metrics.targets import require_all_explained
from assay.tasks.arrays import Floats, Ints
from assay.tasks.grouping import cluster_numbers
from assay.tasks.randomness import generator

logger = logging.getLogger(__name__)

CONTRASTS = ("unit", "group", "target", "confidence", *FEATURES)


@dataclass(frozen=True, slots=True)
class ConfidenceIndication(MetricBase):
    """Mean absolute error of predicting the model's confidence from its explanation.

    Per token, the score for the predicted class minus the score for every other class; `f_max`, `f_mean`
    and `f_min` are the sums over content tokens of the largest, the mean and the smallest difference. A
    linear regression maps them to the probability of the predicted class. The texts are cut into `folds` at
    random, those of a group into one, the same for all explainers. Each fold's confidences are predicted by a
    regression on the other folds, in which every decile of confidence is up-sampled to the size of the
    largest; predictions are not clipped.

    Regressions are fitted anew on every resample and after every swap of texts between explainers, so
    intervals and tests cover the luck of the fit.

    A multi-label task is an extension of the study: every label of every text is predicted, its confidence
    is its own probability, and its score is contrasted with the mean over the other labels, so that the
    three features are one.

    Attributes:
        folds: Number of folds.
        copies: A text counts at most so many times in a regression.
        minimum: Fewest texts for a regression; with fewer the value is NaN.

    Source: Atanasova et al. 2020. Deviations: folds test each text once, where the study draws five random
    tenths; weights stand for up-sampling, so that nothing is drawn; and they are at most `copies`. Without
    that limit one or two texts of a rare confidence weigh as much as all texts of the commonest one, and
    intervals are far too narrow. `ConfidenceIndicationAsCoded` has none of the three.
    """

    info = MetricInfo(
        "confidence_indication",
        "Confidence indication (MAE)",
        "lower",
        NONNEGATIVE,
        "about the error of always predicting the weighted mean of the other folds",
        property="confidence indication",
        part="fold",
        needs=frozenset({"all_targets"}),
        version=2,
        of_groups=True,
    )

    folds: int = whole(10, least=2)
    copies: int = whole(5, least=1)
    minimum: int = whole(20, least=2)

    def score(self: Indication, subject: CellData) -> pd.DataFrame:
        """Per example and class: `confidence`, `f_max`, `f_mean`, `f_min`, and `fold`, NaN for too few texts.

        Raises InputError when a class was not explained.
        """
        contrasts = contrast_table(subject, self.name, multi_label=subject.multi_label)
        units, text = np.unique(contrasts["unit"].to_numpy(dtype=str), return_inverse=True)
        fold = np.full(len(units), np.nan)
        if len(units) >= self.minimum:
            grouped = contrasts.dropna(subset="group")
            groups = dict(zip(grouped["unit"], grouped["group"], strict=True))
            group = cluster_numbers(units.tolist(), groups)
            drawn = generator("confidence_indication").permutation(int(group.max()) + 1)
            fold = drawn[group] % self.folds
        else:
            logger.warning(
                "%s: %d texts are too few to fit a regression, at least %d are needed; the result is NaN",
                self.name,
                len(units),
                self.minimum,
            )
        return contrasts_long(contrasts, {"fold": fold[text].astype(np.float64)})

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean absolute errors over the texts of the resamples."""
        return CrossFitted(self.copies).mean_error(parts, index)

    def counted(self, parts: Parts, counts: Counts) -> Floats:
        """(B,) as `summarise`, of resamples that take the texts `counts` (n, B) times."""
        return CrossFitted(self.copies).counted_mean_error(parts, counts)


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationMax(MetricBase):
    """Largest error of predicting the model's confidence from its explanation, averaged over folds."""

    info = replace(
        ConfidenceIndication.info,
        name="confidence_indication_max",
        title="Confidence indication (MAX)",
        extreme=True,
    )

    folds: int = whole(10, least=2)
    copies: int = whole(5, least=1)
    minimum: int = whole(20, least=2)

    score = ConfidenceIndication.score

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) largest absolute errors within each fold, averaged over the folds."""
        return CrossFitted(self.copies).largest_error(parts, index)


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
                about = text.example.id, text.example.group
                rows.append((*about, target, text.probabilities[target], *features))
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
