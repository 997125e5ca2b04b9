from __future__ import annotations

import numpy as np
import pytest
import ties_written_out
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import Noise, World, keyword_examples, same_table, scored
from scipy.stats import rankdata

from assay.metrics.correlation import LeaveOneOutCorrelation
from assay.metrics.curves import AucRep, Deletion, Insertion
from assay.metrics.decision_flip import DecisionFlip
from assay.metrics.erasure import Comprehensiveness, LogOdds, Sufficiency
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro
from assay.metrics.feature_dropping import FeatureAttributionDropping
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.post_hoc import Aopc, PostHocAccuracy
from assay.metrics.span_overlap import IouF1
from assay.metrics.ties import RESOLUTION, centred_ranks, expected_hits, tie_groups, tie_levels
from assay.metrics.token_overlap import AuprcSteps, TokenF1, TopKAgreement

SCORE = st.sampled_from([-1.0, 0.0, 1e-7, 0.5, 0.5 + 4e-6, 0.5 + 8e-6, 0.5 + 2e-5, 1.0])
TOKEN = st.tuples(SCORE, st.booleans(), st.booleans())
ORDERED = [
    Faithfulness(),
    FaithfulnessMicro(),
    FeatureAttributionDropping(),
    Comprehensiveness(),
    Sufficiency(),
    LogOdds(),
    Deletion(),
    Insertion(),
    AucRep(),
    DecisionFlip(),
    PostHocAccuracy(),
    Aopc(),
    LeaveOneOutCorrelation(),
    LeaveOneOutCorrelation(measure="spearman"),
    HumanAgreement(),
    TokenF1(),
    TopKAgreement(),
    AuprcSteps(),
    IouF1(),
]


@given(st.lists(SCORE, min_size=1, max_size=9))
def test_levels_are_those_written_out(scores: list[float]) -> None:
    groups = ties_written_out.groups(scores)
    levels = tie_levels(np.array(scores))
    assert [set(np.flatnonzero(levels == level).tolist()) for level in range(len(groups))] == [
        set(group) for group in groups[::-1]
    ]


def test_ties_are_transitive_and_relative_to_the_largest_size() -> None:
    chain = np.array([0.0, 0.9, 1.8, 2.7]) * RESOLUTION * 10
    assert tie_levels(np.append(chain, -10.0)).tolist() == [1, 1, 1, 1, 0]
    assert tie_levels(np.append(chain, -1.0)).tolist() == [1, 2, 3, 4, 0]
    assert tie_levels(np.zeros(3)).tolist() == [0, 0, 0]


@settings(deadline=None)
@given(st.lists(st.lists(TOKEN, min_size=1, max_size=6), min_size=1, max_size=4), st.integers(0, 7))
def test_expected_hits_are_the_mean_over_all_orders(
    rows: list[list[tuple[float, bool, bool]]], count: int
) -> None:
    shape = len(rows), max(map(len, rows)) + 1
    scores, relevant, content = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for at, row in enumerate(rows):
        scores[at, : len(row)], relevant[at, : len(row)], content[at, : len(row)] = zip(*row, strict=True)
    found = expected_hits(tie_groups(scores, relevant, content), np.full(len(rows), count))
    for at in range(len(rows)):
        truth, own = relevant[at, content[at]], scores[at, content[at]].tolist()
        expected = 0.0
        if own:
            expected = ties_written_out.mean_over_orders(lambda order, t=truth: t[order[:count]].sum(), own)
        assert found[at] == pytest.approx(expected, rel=1e-12)


class Coarse(Noise):
    """Scores of few values and of sizes up to 1, so that many tie."""

    def __call__(self, example, encoding, model):
        return np.round(super().__call__(example, encoding, model)).clip(-2, 2) / 2


@pytest.mark.parametrize("metric", ORDERED, ids=lambda metric: f"{metric.name}")
@pytest.mark.parametrize("noise", [1e-7, 1e-6])
def test_noise_below_the_resolution_does_not_move_a_metric(metric, noise: float) -> None:
    world, coarse = World(keyword_examples(40)), Coarse()

    def noisy(example, encoding, model):
        scores = coarse(example, encoding, model)
        return scores + np.random.default_rng(len(example.texts[0])).uniform(-noise, noise, scores.shape)

    same_table(metric.score(world.subject(coarse)), metric.score(world.subject(noisy)))


@pytest.mark.parametrize("metric", ORDERED, ids=lambda metric: f"{metric.name}")
def test_ties_come_in_one_order_whatever_the_explainer_seed(metric) -> None:
    world, coarse = World(keyword_examples(20)), Coarse()
    assert scored(metric, world.subject(coarse, seed=0)) == scored(metric, world.subject(coarse, seed=3))


@settings(deadline=None)
@given(st.lists(st.lists(TOKEN, min_size=5, max_size=5), min_size=1, max_size=4))
def test_centred_ranks_are_those_of_the_tokens_that_count(rows: list[list[tuple[float, bool, bool]]]) -> None:
    scores = np.array([[score for score, _, _ in row] for row in rows])
    content = np.array([[counts for _, _, counts in row] for row in rows])
    found = centred_ranks(scores, content)
    for values, counts, ranks in zip(scores, content, found, strict=True):
        expected = rankdata(tie_levels(values[counts])) - (counts.sum() + 1) / 2
        assert ranks[counts].tolist() == expected.tolist()
        assert not ranks[~counts].any()
        assert centred_ranks(values[counts]).tolist() == expected.tolist()
