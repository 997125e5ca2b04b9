"""Overlap with human rationales: are the tokens of the highest scores those that people marked?

The measures of ERASER (DeYoung et al., ACL 2020) as rationale_benchmark/metrics.py of its scripts has them,
on tokens of the text; special tokens are never ranked. The options `target`, `annotators` and `evidence` are
those of `HumanAgreement`. Examples without a rationale are left out and counted, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import MetricBase
from assay.metrics.options import option, whole
from assay.metrics.rationale_scores import Rule, scored
from assay.metrics.rationales import (
    Marks,
    annotators_option,
    compared,
    evidence_option,
    rationale_info,
    table,
)
from assay.metrics.resampling import ratio
from assay.metrics.targets import target_option
from assay.metrics.ties import expected_hits, tie_generator, tie_groups
from assay.metrics.token_masks import descending_order
from assay.tasks.arrays import Bools, Floats, Ints, Reals
from assay.tasks.errors import InputError


def _check_union(evidence: str, path: str) -> str:
    """Raise InputError unless all groups of evidence count as one."""
    if evidence != "union":
        raise InputError(
            f"{path} is {evidence}; expected union, because tied scores share one threshold here, so the "
            "best of several groups would place an explanation with ties below a random order; take "
            "human_agreement, which is the same without ties and takes the best group of each order of ties"
        )
    return evidence


def check_share(share: float | None, path: str) -> float | None:
    """Raise InputError unless `share` is None or a share above 0."""
    if share is not None and not 0 < share <= 1:
        raise InputError(f"{path} is {share}; expected above 0 and at most 1, or null")
    return share


@dataclass(frozen=True, slots=True)
class TokenF1(MetricBase):
    """Mean F1 of the chosen tokens against the marked ones, per text (ERASER's instance macro).

    The tokens of the highest scores are chosen; of ties the value is the expectation over their orders.
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
        version=2,
    )

    target: str = target_option("gold")
    share: float | None = option(None, check_share)
    annotators: str = annotators_option()
    evidence: str = evidence_option()

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `f1`, and its expectation under a random order `f1_random`; per example
        (target -1): `no_rationale`. Raises InputError when a class that is asked for was not explained."""
        return scored(subject, self, Rule(self._measure, ("f1",), "f1_random"))

    def _measure(self, scores: Reals, has: Marks, shard: Shard) -> dict[str, Floats]:
        counts = sizes(shard, has, self.share)
        hits = chosen_hits(scores, has, shard, counts)
        marked, tokens = has.tokens.sum(axis=1), shard.content[has.rows].sum(axis=1)
        # Of k tokens drawn at random, k * marked / tokens are marked.
        expected = counts * marked / tokens
        return {"f1": 2 * hits / (counts + marked), "f1_random": 2 * expected / (counts + marked)}


@dataclass(frozen=True, slots=True)
class TopKAgreement(MetricBase):
    """Mean share of the k tokens of the highest scores that people marked; of all tokens in shorter texts.

    A text with fewer than k marked tokens cannot reach 1. Of ties the value is the expectation over their
    orders. The value is NaN if no example of a resample has a rationale.

    Attributes:
        target: As in `HumanAgreement`.
        k: Number of tokens.
        annotators, evidence: As in `HumanAgreement`. With the best evidence a random order gets the mean of
            part `agreement_random`.
    """

    info = rationale_info(
        "top_k_agreement",
        "Top-k agreement",
        random_level="the share of rationale tokens, the mean of part `prevalence`",
        part="agreement",
        version=2,
    )

    target: str = target_option("gold")
    k: int = whole(5, least=1)
    annotators: str = annotators_option()
    evidence: str = evidence_option()

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `agreement` and `prevalence`, the share of all tokens that are marked; per
        example (target -1): `no_rationale`. Raises InputError when a class asked for was not explained."""
        return scored(subject, self, Rule(self._measure, ("agreement",), "prevalence"))

    def _measure(self, scores: Reals, has: Marks, shard: Shard) -> dict[str, Floats]:
        tokens = shard.content[has.rows].sum(axis=1)
        counts = np.minimum(tokens, self.k)
        hits = chosen_hits(scores, has, shard, counts)
        return {"agreement": hits / counts, "prevalence": has.tokens.sum(axis=1) / tokens}


@dataclass(frozen=True, slots=True)
class AuprcSteps(MetricBase):
    """Mean area under the precision-recall curve of the scores against the marked tokens, per text, by steps.

    At each threshold the precision there times the recall gained there, as in scikit-learn's
    average_precision_score. Ties share one threshold, so constant scores get the share of rationale tokens;
    `HumanAgreement` takes the expectation over their orders and is the same where nothing ties. The value is
    NaN if no example of a resample has a rationale.

    Attributes:
        target, annotators: As in `HumanAgreement`.
        evidence: "union" only, as ties share one threshold (`HumanAgreement` has "best").
    """

    info = rationale_info(
        "auprc_steps",
        "AUPRC",
        random_level="a little above the share of rationale tokens: see the random row",
        part="area",
    )

    target: str = target_option("gold")
    annotators: str = annotators_option()
    evidence: str = option("union", _check_union, later=True)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `area`; per example (target -1): `no_rationale`.

        Raises InputError when a class that is asked for was not explained."""
        return scored(subject, self, Rule(_step_areas, ("area",)))


def _step_areas(scores: Reals, has: Marks, shard: Shard) -> dict[str, Floats]:
    ties = tie_groups(scores, has.tokens, shard.content[has.rows])
    precision = ratio(np.cumsum(ties.hits, axis=1), np.cumsum(ties.size, axis=1))
    # One after the other: the last digits of a plain sum would depend on how far the row is padded.
    areas = np.cumsum(ties.hits * precision, axis=1)[:, -1]
    return {"area": ratio(areas, ties.hits.sum(axis=1))}


@dataclass(frozen=True, slots=True)
class AuprcAsCoded(MetricBase):
    """Mean area under the precision-recall curve of the scores against the marked tokens, as ERASER codes it.

    As scikit-learn's precision_recall_curve and auc: straight lines between the thresholds, from a precision
    of 1 at no recall. That flatters ties: constant scores get (1 + share of rationale tokens) / 2, above most
    explainers. Scores tie only if they are equal to the last digit, and what any annotator marked counts. For
    comparison with ERASER's figures; the value of `AuprcSteps` has no such lines. The value is NaN if no
    example of a resample has a rationale.

    Attributes:
        target: As in `HumanAgreement`.

    Source: DeYoung et al., ACL 2020, rationale_benchmark/metrics.py.
    """

    info = rationale_info(
        "auprc_as_coded",
        "AUPRC, as coded",
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


def chosen_hits(scores: Reals, has: Marks, shard: Shard, counts: Ints) -> Floats:
    """(M,) per rationale how many of its text's `counts` (M,) tokens of highest score (M, T) are marked."""
    ties = tie_groups(scores, has.tokens, shard.content[has.rows])
    return expected_hits(ties, counts)


def top_tokens(scores: Reals, has: Marks, shard: Shard, counts: Ints) -> Bools:
    """(M, T) bool: per rationale its text's `counts` (M,) tokens of highest score (M, T), ties in random
    order."""
    top = np.zeros_like(has.tokens)
    for index, (row, of_text) in enumerate(zip(has.rows, scores, strict=True)):
        rng = tie_generator(shard.examples[row].id)
        order = descending_order(of_text, shard.content[row], rng)
        top[index, order[: counts[index]]] = True
    return top
