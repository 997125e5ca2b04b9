"""Confidence indication as the diagnostic study's script measures it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import MinMaxScaler

from assay.metrics.cell_data import CellData
from assay.metrics.confidence_indication import (
    ConfidenceIndication,
    ConfidenceIndicationMax,
    contrast_table,
    contrasts_long,
)
from assay.metrics.confidence_regression import FEATURES
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.long_table import Parts
from assay.metrics.resampling import largest_within_splits, mean_within_splits
from assay.tasks.arrays import Floats, Ints

SPLITS = 5
RANDOM_LEVEL = (
    "about the error of always predicting the mean of the up-sampled training part (parts `reference@s`)"
)
# The seeds of the script: of its splits, and of numpy's generator as it starts, from which it up-samples.
SPLIT_SEED, DRAW_SEED = 2, 1


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationAsCoded(MetricBase):
    """Mean absolute error of predicting the model's confidence from its explanation.

    Other than `ConfidenceIndication`: five random tenths of the texts are test parts, up-sampling draws, and
    the regressions stay as they are when texts are resampled or swapped, so intervals and tests leave out the
    luck of the fit and are too narrow; the features sum over special tokens, too; they are scaled by their
    range in all texts, the test part included; splits go by the texts' places in the data set, so the order
    of the examples matters; up-sampling counts a confidence of exactly 1 as a bucket of its own, and takes
    the largest bucket in random order. Each explainer draws what the first one of the script would.

    The script knows three classes or two; here others are contrasted alike. In a multi-label task, which it
    does not know, the most probable label is predicted. Source: confidence.py of Atanasova et al. 2020.
    """

    info = as_coded(
        ConfidenceIndication.info,
        random_level=RANDOM_LEVEL,
        part="error",
        summary=mean_within_splits,
    )

    def score(self: Indication, subject: CellData) -> pd.DataFrame:
        """As `ConfidenceIndication.score`, for the predicted class of every example.

        Raises InputError when a class was not explained.
        """
        contrasts = contrast_table(subject, self.name, multi_label=False, special_tokens=True)
        features, confidence = contrasts[list(FEATURES)].to_numpy(), contrasts["confidence"].to_numpy()
        return contrasts_long(contrasts, split_errors(features, confidence))


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationMaxAsCoded(MetricBase):
    """Largest error of predicting the model's confidence from its explanation, averaged over splits."""

    info = as_coded(
        ConfidenceIndicationMax.info,
        random_level=RANDOM_LEVEL,
        part="error",
        summary=largest_within_splits,
    )

    score = ConfidenceIndicationAsCoded.score


Indication = ConfidenceIndicationAsCoded | ConfidenceIndicationMaxAsCoded


def split_errors(features: Floats, confidence: Floats) -> dict[str, Floats]:
    """Absolute errors `error@s` and `reference@s` (M,), NaN outside the test part of split s.

    features: (M, F), confidence: (M,), in the order of the data set. All NaN for fewer than two texts.
    """
    texts = len(features)
    parts = {f"{part}@{s}": np.full(texts, np.nan) for s in range(SPLITS) for part in ("error", "reference")}
    if texts < 2:
        return parts
    scaled = MinMaxScaler().fit_transform(features)
    rng = np.random.RandomState(DRAW_SEED)
    splits = ShuffleSplit(n_splits=SPLITS, random_state=SPLIT_SEED).split(scaled)
    for split, (training, test) in enumerate(splits):
        sample = training[upsample_as_coded(confidence[training], rng)]
        fitted = LinearRegression().fit(scaled[sample], confidence[sample])
        parts[f"error@{split}"][test] = np.abs(confidence[test] - fitted.predict(scaled[test]))
        parts[f"reference@{split}"][test] = np.abs(confidence[test] - confidence[sample].mean())
    return parts


def upsample_as_coded(confidence: Floats, rng: np.random.RandomState) -> Ints:
    """Positions that give every occupied bucket int(10 * confidence) as many as the largest has.

    Buckets come in the order in which they first occur; the largest is drawn without replacement, the others
    with it.
    """
    buckets: dict[int, list[int]] = {}
    for position, value in enumerate(confidence.tolist()):
        buckets.setdefault(int(value * 10), []).append(position)
    largest = max(map(len, buckets.values()))
    drawn = [rng.choice(bucket, largest, replace=largest > len(bucket)) for bucket in buckets.values()]
    return np.concatenate(drawn)


def constant_predictor(parts: Parts) -> tuple[float, float]:
    """Mean and largest error of predicting the mean of the up-sampled training part, averaged over splits.

    An explainer that is no better than this says nothing of the confidence.
    """
    everything = np.arange(len(parts["confidence"]))[None]
    summaries = mean_within_splits, largest_within_splits
    mean, largest = (summary(parts, "reference", everything) for summary in summaries)
    return float(mean[0]), float(largest[0])
