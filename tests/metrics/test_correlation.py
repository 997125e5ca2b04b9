from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metrics_world import Noise, World, constant, example, inverted, keyword_examples, oracle, scored
from one_by_one import belief, logits, positions, same_parts, worlds
from scipy.stats import kendalltau, pearsonr, spearmanr

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.correlation import (
    FaithfulnessCorrelation,
    LeaveOneOutCorrelation,
    correlation,
    kendall,
    pearson,
    spearman,
)
from assay.metrics.long_table import wide
from assay.metrics.token_masks import random_subsets
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

VALUES = st.sampled_from([-1.5, 0.0, 0.25, 1.0, 3.0])


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=12))
def test_measures_are_those_of_scipy(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    for ours, theirs in ((kendall, kendalltau), (spearman, spearmanr), (pearson, pearsonr)):
        result: Any = theirs(x, y)
        assert ours(x, y) == pytest.approx(float(result.statistic), abs=1e-12)


def test_constants() -> None:
    rising, level = np.arange(3.0), np.ones(3)
    assert correlation(rising, rising, pearson) == pytest.approx(1.0)
    assert correlation(level, rising, pearson) == 0.0
    assert np.isnan(correlation(rising, level, pearson)) and np.isnan(correlation(level, level, pearson))
    assert np.isnan(correlation(rising, np.full(3, np.nan), pearson))
    assert np.isnan(correlation(np.array([]), np.array([]), pearson))


def guarded(x: list[float], y: list[float], measure: Any) -> float:
    """Of scipy: 0 if x says nothing, NaN if y does."""
    if len(set(y)) < 2:
        return math.nan
    return float(measure(x, y).statistic) if len(set(x)) > 1 else 0.0


@pytest.mark.parametrize(("name", "measure"), [("kendall", kendalltau), ("spearman", spearmanr)])
def test_leave_one_out_is_that_of_a_loop_over_texts_and_tokens(name: str, measure: Any) -> None:
    def reference(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
        places = positions(shard, row)
        scores = [float(shard.scores[row, label, at]) for at in places]
        full = logits(subject, shard, row, [])[label]
        losses = [full - logits(subject, shard, row, [at])[label] for at in places]
        return {"correlation": guarded(scores, losses, measure)}

    for subject, target in worlds():
        table = LeaveOneOutCorrelation(target=target, measure=name).score(subject)
        same_parts(subject, target, table, reference)


def test_faithfulness_correlation_is_that_of_a_loop_over_texts_and_subsets() -> None:
    def reference(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
        places = positions(shard, row)
        rng = generator(subject.seed, "faithfulness_correlation", shard.examples[row].id)
        size = math.ceil(Fraction(30 * len(places), 100))
        subsets = random_subsets(len(places), np.full(6, size), rng)
        summed, losses = [], []
        for chosen in subsets:
            gone = [at for at, is_in in zip(places, chosen, strict=True) if is_in]
            # Exact, so that equal sums are equal.
            summed.append(float(sum(Fraction(float(shard.scores[row, label, at])) for at in gone)))
            losses.append(belief(subject, shard, row)[label] - belief(subject, shard, row, gone)[label])
        return {"correlation": guarded(summed, losses, pearsonr)}

    metric = FaithfulnessCorrelation
    for subject, target in worlds():
        table = metric(target=target, percent=30, subsets=6).score(subject)
        same_parts(subject, target, table, reference)


def test_of_an_additive_model_the_contributions_are_perfect() -> None:
    world = World(keyword_examples(30))
    for measure in ("kendall", "spearman"):
        metric = LeaveOneOutCorrelation(measure=measure)
        assert scored(metric, world.subject(oracle)) > 0.99
        assert scored(metric, world.subject(inverted)) < -0.99


@pytest.mark.parametrize("metric", [LeaveOneOutCorrelation(), FaithfulnessCorrelation()])
def test_noise_and_constants_get_about_nothing(metric: Any) -> None:
    world = World(keyword_examples(150))
    assert abs(scored(metric, world.subject(Noise()))) < 0.08
    assert scored(metric, world.subject(constant)) == 0.0


def test_sums_of_equal_scores_are_equal() -> None:
    """Scores are float32, so even many tenths add up exactly, wherever they stand."""
    text = "great " + "the film is a story of two people " * 5
    subject = World([example("a", text, [2])]).subject(lambda e, c, m: 0.1 * constant(e, c, m))
    assert scored(FaithfulnessCorrelation(percent=60), subject) == 0.0


@pytest.mark.parametrize("metric", [LeaveOneOutCorrelation(), FaithfulnessCorrelation()])
def test_one_token_has_no_order(metric: Any) -> None:
    _, _, parts = wide(metric.score(World([example("a", "great", [2])]).subject(oracle)))
    assert np.isnan(parts["correlation"]).all()


def test_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'kendall'"):
        LeaveOneOutCorrelation(measure="kendal")
    with pytest.raises(InputError, match=r"metric.faithfulness_correlation.subsets is 1"):
        FaithfulnessCorrelation(subsets=1)
    with pytest.raises(InputError, match=r"metric.faithfulness_correlation.percent"):
        FaithfulnessCorrelation(percent=0)
