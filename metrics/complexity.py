"""Complexity: on how few tokens does an explanation put its weight?

Both measures read the sizes of the scores of a text's n tokens, |s|, and nothing else: not which tokens they
are, nor whether the model needs them. A wrong explanation can be as simple as a right one. Special tokens do
not count. Scores that are all 0 prefer no token and are as complex as constant ones. A text of one token has
nothing to choose from; it is left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import UNIT, MetricBase, MetricInfo
from assay.metrics.long_table import ONE_TOKEN, with_left_out
from assay.metrics.targets import chosen, require_explained, target_option
from assay.tasks.arrays import Reals

complexity_info = partial(MetricInfo, bounds=UNIT, property="complexity")


@dataclass(frozen=True, slots=True)
class Sparsity(MetricBase):
    """Mean Gini index of |s|: 0 where all tokens weigh alike, 1 - 1/n where one has all the weight.

    The value is NaN if no text of a resample has two tokens. An example with several classes counts once,
    with the mean over them.

    Attributes:
        target: The classes whose scores are measured: "predicted", "gold" or "all".

    Source: Chalasani et al., ICML 2020; Hurley & Rickard, IEEE Trans. Inf. Theory 2009.
    """

    info = complexity_info(
        "sparsity",
        "Sparsity (Gini)",
        "higher",
        random_level="about 1/3, a little less in short texts",
        part="gini",
    )

    target: str = target_option("predicted")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `gini`; per example (target -1): `one_token`, 1 if it was left out.

        Raises InputError when a class that is asked for was not explained."""
        return _score(self, subject, gini)


@dataclass(frozen=True, slots=True)
class Entropy(MetricBase):
    """Mean entropy of |s| / sum |s|, over log n: 0 if one token has all the weight, 1 if all weigh alike.

    The value is NaN if no text of a resample has two tokens.

    Attributes:
        target: As in `Sparsity`.

    Source: Bhatt et al., IJCAI 2020 (complexity). Deviation: there without the division by log n.
    """

    info = complexity_info(
        "entropy",
        "Entropy of the scores",
        "lower",
        random_level="about 1 - 0.19 / log n for a text of n tokens",
        part="entropy",
    )

    target: str = target_option("predicted")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `entropy`; per example (target -1): `one_token`, 1 if it was left out.

        Raises InputError when a class that is asked for was not explained."""
        return _score(self, subject, entropy)


def gini(scores: Reals) -> float:
    """Gini index of the sizes of n >= 1 scores, from 0 to 1 - 1/n; 0 if all are 0."""
    sizes = np.sort(np.abs(scores.astype(np.float64)))
    total = sizes.sum()
    if total == 0:
        return 0.0
    n = len(sizes)
    # Of the sorted sizes, twice the share of the area under their Lorenz curve that is missing.
    index = 1 - 2 * (sizes / total * (n - np.arange(1, n + 1) + 0.5) / n).sum()
    return float(np.clip(index, 0.0, 1.0))


def entropy(scores: Reals) -> float:
    """Entropy of the shares that n >= 2 scores have of the sum of their sizes, over log n, from 0 to 1; 1 if
    all are 0."""
    sizes = np.abs(scores.astype(np.float64))
    total = sizes.sum()
    if total == 0:
        return 1.0
    shares = sizes[sizes > 0] / total
    # A share can be too small for a float although its size is not.
    shares = shares[shares > 0]
    return float(np.clip(-(shares * np.log(shares)).sum() / np.log(len(sizes)), 0.0, 1.0))


def _score(metric: Sparsity | Entropy, subject: CellData, measure: Callable[[Reals], float]) -> pd.DataFrame:
    tables = []
    for shard in subject.shards:
        one_token = shard.content.sum(axis=1) < 2
        targets = chosen(shard, metric.target, multi_label=subject.multi_label) & ~one_token[:, None]
        require_explained(shard, targets, subject.labels, metric.name)
        rows, labels = np.nonzero(targets)
        # One text at a time: the last digits of a sum over padded rows would depend on the padding.
        values = [
            measure(shard.scores[row, label, shard.content[row]])
            for row, label in zip(rows, labels, strict=True)
        ]
        parts = {metric.info.part: values}
        tables.append(with_left_out(shard.ids, rows, labels, parts, (ONE_TOKEN, one_token)))
    return pd.concat(tables, ignore_index=True)
