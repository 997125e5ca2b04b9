"""Overlap with human rationales: are the tokens of the highest scores those that people marked?

The measures of ERASER (DeYoung et al., ACL 2020) as rationale_benchmark/metrics.py of its scripts has them,
on tokens of the text; special tokens are never ranked. Where several annotators marked something, their union
counts. Examples without a rationale are left out and counted, as in `assay.metrics.human_agreement`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import MetricBase
from assay.metrics.options import option, whole
from assay.metrics.rationales import Marks, compared, rationale_info, table
from assay.metrics.targets import target_option
from assay.metrics.token_masks import descending_order
from assay.tasks.arrays import Bools, Ints, Reals
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


def check_share(share: float | None, path: str) -> float | None:
    """Raise InputError unless `share` is None or a share above 0."""
    if share is not None and not 0 < share <= 1:
        raise InputError(f"{path} is {share}; expected above 0 and at most 1, or null")
    return share


@dataclass(frozen=True, slots=True)
class TokenF1(MetricBase):
    """Mean F1 of the chosen tokens against the marked ones, per text (ERASER's instance macro).

    The tokens of the highest scores are chosen; ties are broken at random, identically for all explainers.
    The value is NaN if no example of a resample has a rationale.

    Attributes:
        target: As in `HumanAgreement`.
        share: Share of a text's tokens that are chosen, rounded, at least one. None: as many as people
            marked, so that precision, recall and F1 are one number (R-precision).
    """

    info = rationale_info(
        "token_f1",
        "Token F1",
        random_level="the mean of part `f1_random`; without a share that of rationale tokens",
        part="f1",
    )

    target: str = target_option("gold")
    share: float | None = option(None, check_share)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `f1`, and its expectation under a random order `f1_random`; per example
        (target -1): `no_rationale`. Raises InputError when a class that is asked for was not explained."""
        return pd.concat([self._score_shard(subject, shard) for shard in subject.shards], ignore_index=True)

    def _score_shard(self, subject: CellData, shard: Shard) -> pd.DataFrame:
        has = compared(subject, shard, self.target, self.name)
        counts = sizes(shard, has, self.share)
        hits = (top_tokens(subject, shard, has, counts) & has.tokens).sum(axis=1)
        marked, tokens = has.tokens.sum(axis=1), shard.content[has.rows].sum(axis=1)
        # Of k tokens drawn at random, k * marked / tokens are marked.
        expected = counts * marked / tokens
        parts = {"f1": 2 * hits / (counts + marked), "f1_random": 2 * expected / (counts + marked)}
        return table(shard, has, parts)


@dataclass(frozen=True, slots=True)
class TopKAgreement(MetricBase):
    """Mean share of the k tokens of the highest scores that people marked; of all tokens in shorter texts.

    A text with fewer than k marked tokens cannot reach 1. Ties are broken at random, identically for all
    explainers. The value is NaN if no example of a resample has a rationale.

    Attributes:
        target: As in `HumanAgreement`.
        k: Number of tokens.
    """

    info = rationale_info(
        "top_k_agreement",
        "Top-k agreement",
        random_level="the share of rationale tokens, the mean of part `prevalence`",
        part="agreement",
    )

    target: str = target_option("gold")
    k: int = whole(5, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `agreement` and `prevalence`, the share of all tokens that are marked; per
        example (target -1): `no_rationale`. Raises InputError when a class asked for was not explained."""
        return pd.concat([self._score_shard(subject, shard) for shard in subject.shards], ignore_index=True)

    def _score_shard(self, subject: CellData, shard: Shard) -> pd.DataFrame:
        has = compared(subject, shard, self.target, self.name)
        tokens = shard.content[has.rows].sum(axis=1)
        counts = np.minimum(tokens, self.k)
        hits = (top_tokens(subject, shard, has, counts) & has.tokens).sum(axis=1)
        parts = {"agreement": hits / counts, "prevalence": has.tokens.sum(axis=1) / tokens}
        return table(shard, has, parts)


@dataclass(frozen=True, slots=True)
class Auprc(MetricBase):
    """Mean area under the precision-recall curve of the scores against the marked tokens, per text (ERASER).

    As scikit-learn's precision_recall_curve and auc: straight lines between the thresholds, from a precision
    of 1 at no recall. That flatters ties: constant scores get (1 + share of rationale tokens) / 2. The
    average precision of `HumanAgreement` has no such lines. The value is NaN if no example of a resample has
    a rationale.

    Attributes:
        target: As in `HumanAgreement`.
    """

    info = rationale_info(
        "auprc",
        "AUPRC",
        random_level="somewhat above the share of rationale tokens: see the random row",
        part="area",
    )

    target: str = target_option("gold")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `area`; per example (target -1): `no_rationale`.

        Raises InputError when a class that is asked for was not explained."""
        return pd.concat([self._score_shard(subject, shard) for shard in subject.shards], ignore_index=True)

    def _score_shard(self, subject: CellData, shard: Shard) -> pd.DataFrame:
        has = compared(subject, shard, self.target, self.name)
        areas = []
        for row, label, tokens in zip(has.rows, has.labels, has.tokens, strict=True):
            content = shard.content[row]
            areas.append(precision_recall_area(shard.scores[row, label, content], tokens[content]))
        return table(shard, has, {"area": areas})


def precision_recall_area(scores: Reals, relevant: Bools) -> float:
    """Area under precision over recall of n tokens, (n,) each, at least one relevant; tied tokens share one
    threshold, and the curve is straight between thresholds, from (0, 1) on."""
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    ranks = np.flatnonzero(last_of_tie) + 1
    hits = np.cumsum(relevant[order])[last_of_tie]
    precision, recall = np.append(1.0, hits / ranks), np.append(0.0, hits / hits[-1])
    return float(np.trapezoid(precision, recall))


def sizes(shard: Shard, has: Marks, share: float | None) -> Ints:
    """(M,) how many tokens to choose: a share of them, or as many as are marked."""
    if share is None:
        return has.tokens.sum(axis=1)
    tokens = shard.content[has.rows].sum(axis=1)
    return np.maximum(np.floor(share * tokens + 0.5).astype(np.intp), 1)


def top_tokens(subject: CellData, shard: Shard, has: Marks, counts: Ints) -> Bools:
    """(M, T) bool: for each rationale the `counts` (M,) tokens of highest score in its text."""
    top = np.zeros_like(has.tokens)
    for index, (row, label) in enumerate(zip(has.rows, has.labels, strict=True)):
        rng = generator(subject.seed, shard.examples[row].id)
        order = descending_order(shard.scores[row, label], shard.content[row], rng)
        top[index, order[: counts[index]]] = True
    return top
