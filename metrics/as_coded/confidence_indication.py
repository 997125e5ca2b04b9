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
    CONTRASTS,
    FEATURES,
    ConfidenceIndication,
    ConfidenceIndicationMax,
    contrast_features,
    contrasts_long,
    largest_error,
    mean_error,
)
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.long_table import Parts
from assay.metrics.targets import require_all_explained
from assay.tasks.arrays import Floats, Ints

SPLITS = 5
# The seeds of the script: of its splits, and of numpy's generator as it starts, from which it up-samples.
SPLIT_SEED, DRAW_SEED = 2, 1


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationAsCoded(MetricBase):
    """Mean absolute error of predicting the model's confidence from its explanation.

    Other than `ConfidenceIndication`: the features sum over special tokens, too; they are scaled by their
    range in all texts, the test part included; splits go by the texts' places in the data set, so the order
    of the examples matters; up-sampling counts a confidence of exactly 1 as a bucket of its own, and takes
    the largest bucket in random order. Each explainer draws what the first one of the script would.

    The script knows three classes or two; here others are contrasted alike. In a multi-label task, which it
    does not know, the most probable label is predicted. Source: confidence.py of Atanasova et al. 2020.
    """

    info = as_coded(ConfidenceIndication.info)

    def score(self, subject: CellData) -> pd.DataFrame:
        """As `ConfidenceIndication.score`, for the predicted class of every example.

        Raises InputError when a class was not explained.
        """
        return _score(subject, self.name)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean absolute error over the test part, averaged over the splits that have any."""
        return mean_error(parts, index)


@dataclass(frozen=True, slots=True)
class ConfidenceIndicationMaxAsCoded(MetricBase):
    """Largest error of predicting the model's confidence from its explanation, averaged over splits."""

    info = as_coded(ConfidenceIndicationMax.info)

    def score(self, subject: CellData) -> pd.DataFrame:
        """As `ConfidenceIndicationAsCoded.score`."""
        return _score(subject, self.name)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) largest absolute error in the test part, averaged over the splits that have any."""
        return largest_error(parts, index)


def _score(subject: CellData, metric: str) -> pd.DataFrame:
    rows = []
    for shard in subject.shards:
        require_all_explained(shard, subject.labels, metric)
        for row, example in enumerate(shard.examples):
            scores = shard.scores[row][:, : len(shard.encodings[row])].astype(np.float64)
            target = int(shard.probabilities[row].argmax())
            features = contrast_features(scores, target, pool_others=False)
            rows.append((example.id, target, shard.probabilities[row, target], *features))
    table = pd.DataFrame(rows, columns=list(CONTRASTS))
    features, confidence = table[list(FEATURES)].to_numpy(), table["confidence"].to_numpy()
    return contrasts_long(table, split_errors(features, confidence))


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
        taken = training[upsample_as_coded(confidence[training], rng)]
        fitted = LinearRegression().fit(scaled[taken], confidence[taken])
        parts[f"error@{split}"][test] = np.abs(confidence[test] - fitted.predict(scaled[test]))
        parts[f"reference@{split}"][test] = np.abs(confidence[test] - confidence[taken].mean())
    return parts


def upsample_as_coded(confidence: Floats, rng: np.random.RandomState) -> Ints:
    """Positions that give every occupied bucket int(10 * confidence) as many as the largest has.

    Buckets come in the order in which they first occur; the largest is drawn without replacement, the others
    with it.
    """
    buckets: dict[int, list[int]] = {}
    for at, value in enumerate(confidence.tolist()):
        buckets.setdefault(int(value * 10), []).append(at)
    largest = max(map(len, buckets.values()))
    drawn = [rng.choice(bucket, largest, replace=largest > len(bucket)) for bucket in buckets.values()]
    return np.concatenate(drawn)
