"""Human agreement: do the scores rank the tokens first that people marked as the reason?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import MetricBase
from assay.metrics.rationale_scores import Rule, scored
from assay.metrics.rationales import Marks, annotators_option, evidence_option, rationale_info
from assay.metrics.resampling import ratio
from assay.metrics.targets import target_option
from assay.metrics.ties import tie_groups
from assay.tasks.arrays import Bools, Floats, Reals


@dataclass(frozen=True, slots=True)
class HumanAgreement(MetricBase):
    """Mean average precision of the scores against human rationales.

    Only tokens of the text are ranked, special tokens are not. An example without a rationale for any of the
    classes is left out and counted; one that is nothing but rationale stays in with a precision of 1, which
    every explainer gets alike. An example with several such classes counts once, with the mean over them. Of
    ties the value is the expectation over their orders, so constant scores get what a random order gets. The
    value is NaN if no example of a resample has a rationale.

    Attributes:
        target: The classes whose scores are compared with the rationale for the same class: "gold" (the
            study), "predicted", or "all" classes that have a rationale.
        annotators: The rationale of a class that several people marked: what any of them marked ("union"), or
            what more than half of them did ("majority"; without such a token there is none; who marked
            nothing, or only what was cut off, has a vote). "each" takes the mean over annotators of the
            values against each of them. The parts `ceiling:...` then measure how well people agree: the value
            of one annotator's marks as scores against each other annotator's, averaged over all ordered
            pairs. Marks are binary, so they tie where scores rank, and a good ranking can exceed it.
        evidence: The rationale of an annotator that is several groups of evidence, each enough: all of them
            ("union"), or the group that the scores match best ("best"), within each order of ties. Part
            `ap_random` is then that of the best group, too.

    Source: Atanasova et al. 2020.
    """

    info = rationale_info(
        "human_agreement",
        "Human agreement (MAP)",
        random_level="the mean of part `ap_random`, a little above the share of rationale tokens",
        part="ap",
        version=4,
    )

    target: str = target_option("gold")
    annotators: str = annotators_option()
    evidence: str = evidence_option()

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `ap`, its expectation under a random order `ap_random`, and the share of
        rationale tokens `prevalence`; the rest as `assay.metrics.rationale_scores.scored` says.

        Raises InputError when a class that is asked for was not explained.
        """
        return scored(subject, self, Rule(precisions, ("ap",), "ap_random"))


def precisions(scores: Reals, has: Marks, shard: Shard) -> dict[str, Floats]:
    """(M,) `ap` of the scores (M, T), `ap_random` and `prevalence` of every rationale."""
    content = shard.content[has.rows]
    positives, tokens = has.tokens.sum(axis=1), content.sum(axis=1)
    return {
        "ap": average_precision(scores, has.tokens, content),
        "ap_random": expected_average_precision(positives, tokens),
        "prevalence": positives / tokens,
    }


def average_precision(scores: Reals, relevant: Bools | Floats, content: Bools) -> Floats:
    """(N,) average precision of ranking the content tokens of each row by score; all arrays (N, T).

    The mean, over the relevant tokens, of the precision at their rank, expected over all orders of ties
    (`assay.metrics.ties`). Without ties that is scikit-learn's average_precision_score; ties share one
    threshold there. 1 is best; NaN for a row without relevant tokens. A grade from 0 to 1 in `relevant`
    counts as that share of a relevant token.
    """
    ties = tie_groups(scores, relevant, content)
    width = content.shape[1]
    place = np.sort(ties.place, axis=1)
    group = np.minimum(place, width - 1)
    size, hits, squares = (np.take_along_axis(values, group, axis=1) for values in ties[1:])
    tokens_above, hits_above = (
        np.take_along_axis(np.cumsum(values, axis=1) - values, group, axis=1)
        for values in (ties.size, ties.hits)
    )
    ranks = np.arange(1, width + 1)
    # The token at any rank of a group of n is each of them in 1 of n orders. One of grade g has above it all
    # of the groups before, and as the j-th of its group, j from 0, j of the n - 1 others; itself it counts g.
    others = (ranks - 1 - tokens_above) * (hits * hits - squares) / np.maximum(size - 1, 1)
    expected = (hits * hits_above + squares + others) / np.maximum(size, 1) / ranks
    # One after the other: the last digits of a plain sum would depend on how far the row is padded.
    gained = np.cumsum(np.where(place < width, expected, 0.0), axis=1)[:, -1]
    return ratio(gained, ties.hits.sum(axis=1))


def expected_average_precision(positives: NDArray[np.integer], tokens: NDArray[np.integer]) -> Floats:
    """(N,) mean average precision over all orders of `tokens` tokens of which `positives` >= 1 are relevant.

    At rank r a relevant token finds 1 + (r - 1)(p - 1)/(n - 1) relevant ones on average, itself included;
    averaging that over r, divided by r, gives s + (1 - s) H_n / n with s = (p - 1)/(n - 1).
    """
    share = np.where(tokens > 1, (positives - 1) / np.maximum(tokens - 1, 1), 0.0)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, tokens.max(initial=0) + 1))])
    return share + (1.0 - share) * ratio(harmonic[tokens], tokens)
