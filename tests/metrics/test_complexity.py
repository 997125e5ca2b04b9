from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import (
    Noise,
    World,
    constant,
    example,
    keyword_examples,
    keyword_model,
    oracle,
    same_table,
    scored,
)

from assay.metrics.complexity import Entropy, Sparsity, entropy, gini
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError

SCORES = st.lists(
    st.one_of(st.sampled_from([0.0, -1.0, 1.0, 1e-30]), st.floats(-1e6, 1e6, width=32)),
    min_size=2,
    max_size=12,
)


@settings(deadline=None)
@given(SCORES)
def test_gini_is_the_mean_difference_of_all_pairs(scores: list[float]) -> None:
    sizes = np.abs(np.array(scores))
    differences = np.abs(sizes[:, None] - sizes[None]).mean()
    expected = differences / (2 * sizes.mean()) if sizes.any() else 0.0
    assert gini(np.array(scores)) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(SCORES)
def test_entropy_is_that_of_scipy(scores: list[float]) -> None:
    sizes = np.abs(np.array(scores))
    expected = scipy.stats.entropy(sizes, base=len(sizes)) if sizes.any() else 1.0
    assert entropy(np.array(scores)) == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_extremes(n: int) -> None:
    one, all_alike = np.eye(n)[0] * -3.0, np.full(n, -0.7)
    assert gini(one) == pytest.approx(1 - 1 / n) and entropy(one) == 0.0
    assert gini(all_alike) == pytest.approx(0.0, abs=1e-12) and entropy(all_alike) == pytest.approx(1.0)
    assert gini(np.zeros(n)) == 0.0 and entropy(np.zeros(n)) == 1.0
    half = np.repeat([1.0, 0.0], n)
    assert gini(half) == pytest.approx(0.5)
    assert entropy(half) == pytest.approx(np.log(n) / np.log(2 * n))


def test_neither_sign_nor_scale_nor_order_matters() -> None:
    scores = np.random.default_rng(0).normal(size=9)
    for measure in (gini, entropy):
        for other in (-scores, scores[::-1], 8 * scores, np.abs(scores)):
            assert measure(other) == pytest.approx(measure(scores), rel=1e-12)


def test_very_large_and_very_small_scores_are_no_error() -> None:
    for scores in (np.array([3e38, 3e38], dtype=np.float32), np.array([1e-45, 0], dtype=np.float32)):
        assert 0 <= gini(scores) <= 0.5 and 0 <= entropy(scores) <= 1
    assert entropy(np.array([5e-324, 1e300])) == 0.0


def test_random_scores_get_what_is_said() -> None:
    rng = np.random.default_rng(0)
    n = 30
    draws = rng.random((2000, n))
    assert np.mean([gini(draw) for draw in draws]) == pytest.approx((1 - 1 / n) / 3, abs=0.01)
    assert np.mean([entropy(draw) for draw in draws]) == pytest.approx(1 - 0.19 / np.log(n), abs=0.01)


def test_the_oracle_is_simpler_than_noise_and_noise_than_constants() -> None:
    world = World(keyword_examples(60))
    sparsity = [scored(Sparsity(), world.subject(e)) for e in (oracle, Noise(), constant)]
    complexity = [scored(Entropy(), world.subject(e)) for e in (oracle, Noise(), constant)]
    assert sparsity[0] > sparsity[1] > sparsity[2] == pytest.approx(0.0, abs=1e-12)
    assert complexity[0] < complexity[1] < complexity[2] == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [Sparsity(), Entropy()])
def test_values_are_those_of_the_content_tokens_of_the_predicted_class(metric: Any) -> None:
    world = World(keyword_examples(20))
    subject = world.subject(Noise(), size=6)
    measure = gini if metric.name == "sparsity" else entropy
    expected = {}
    for shard in subject.shards:
        shard.scores[:, :, 0] = 1e6  # a special token
        for row, item in enumerate(shard.examples):
            label = int(shard.probabilities[row].argmax())
            expected[item.id, label] = measure(shard.scores[row, label, 1 : 1 + len(item.texts[0].split())])
    table = metric.score(subject)
    found = table[table["target"] >= 0]
    assert (
        dict(zip(zip(found["unit"], found["target"], strict=True), found["value"], strict=True)) == expected
    )
    assert scored(metric, subject) == pytest.approx(np.mean(list(expected.values())), rel=1e-12)


@pytest.mark.parametrize("metric", [Sparsity(), Entropy()])
def test_one_token_has_nothing_to_choose_and_is_counted(metric: Any) -> None:
    world = World([example("one", "great", [2]), example("two", "great film", [2])])
    units, targets, parts = wide(metric.score(world.subject(oracle)))
    assert targets == [-1, 2]
    assert dict(zip(units, parts["one_token"][:, 0], strict=True)) == {"one": 1, "two": 0}
    part = "gini" if metric.name == "sparsity" else "entropy"
    assert np.isnan(parts[part][:, 1]).tolist() == [True, False]
    alone = World([example("one", "great", [2])]).subject(oracle)
    assert np.isnan(scored(metric, alone))


@pytest.mark.parametrize("metric", [Sparsity, Entropy])
def test_several_labels_count_once_with_their_mean(metric: Any) -> None:
    world = World([example("x", "great awful film", [0, 2])], keyword_model(multi_label=True))
    subject = world.subject(Noise())
    values = [
        float(table["value"].iloc[0])
        for label in (0, 2)
        for table in [metric(target="gold").score(subject)]
        for table in [table[table["target"] == label]]
    ]
    assert len(set(values)) == 2
    assert scored(metric(target="gold"), subject) == pytest.approx(np.mean(values), rel=1e-12)


@pytest.mark.parametrize("metric", [Sparsity(), Entropy()])
def test_shards_and_order_do_not_matter(metric: Any) -> None:
    examples = keyword_examples(20)
    whole = metric.score(World(examples).subject(Noise(), size=20))
    same_table(whole, metric.score(World(examples[::-1]).subject(Noise(), size=3)))


@pytest.mark.parametrize("metric", [Sparsity, Entropy])
def test_bad_options_and_missing_explanations_are_named(metric: Any) -> None:
    with pytest.raises(InputError, match="did you mean 'gold'"):
        metric(target="golden")
    world = World([example("a", "the great film", [2], ["great"])])
    with pytest.raises(InputError, match="class 'positive' for example 'a'"):
        metric().score(world.subject(oracle, only=lambda _: np.array([True, True, False])))
