from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metrics_world import (
    ABSENT,
    BagEngine,
    BagModel,
    Noise,
    World,
    constant,
    encode,
    keyword_examples,
    keyword_model,
    oracle,
    spearman,
    value,
)

from metrics.rationale_consistency import RationaleConsistency, activation_distances, pooled
from metrics.rows import wide
from tasks.errors import InputError

EXAMPLES = keyword_examples(40)


def other_model(seed: int = 1) -> BagModel:
    """As the keyword model, but with its own view of every word."""
    model = keyword_model()
    model.weights += np.random.default_rng(seed).normal(0, 1, size=model.weights.shape)
    model.weights[ABSENT] = 0
    return model


def distances(a: BagModel, b: BagModel, batches: tuple[int, int] = (3, 3)) -> dict[str, float]:
    first: Any = BagEngine(a, batches[0])
    second: Any = BagEngine(b, batches[1])
    found = activation_distances(first, second, [encode(item.texts[0]) for item in EXAMPLES])
    return dict(zip([item.id for item in EXAMPLES], found.tolist(), strict=True))


def test_activation_distance_equals_a_loop_over_texts() -> None:
    a, b = keyword_model(), other_model()
    found = distances(a, b)
    for item in EXAMPLES:
        ids = encode(item.texts[0]).ids
        tokens = np.abs(a.weights[ids] - b.weights[ids]).mean()
        logits = np.abs(a.weights[ids].sum(axis=0) - b.weights[ids].sum(axis=0)).mean()
        assert found[item.id] == pytest.approx((tokens + logits) / 2, rel=1e-5)


def test_activation_distance_does_not_depend_on_batches() -> None:
    a, b = keyword_model(), other_model()
    assert distances(a, b) == distances(a, b, (1, 40))


def test_models_of_other_layers_are_refused() -> None:
    b = BagModel(np.zeros((13, 2)), np.zeros(2))
    with pytest.raises(InputError, match="different layers"):
        distances(keyword_model(), b)


def test_parts_and_correlation_equal_a_loop() -> None:
    a, b = World(EXAMPLES, keyword_model()), World(EXAMPLES, other_model())
    metric = RationaleConsistency()
    table = metric.score_pair(a.shards(oracle), b.shards(oracle, size=11), distances(a.model, b.model))
    _, _, parts = wide(table)
    expected = []
    for item in EXAMPLES:
        encoding = encode(item.texts[0])
        difference = oracle(item, encoding, a.model) - oracle(item, encoding, b.model)
        expected.append(np.abs(difference[:, 1:-1]).mean())
    np.testing.assert_allclose(parts["explanation_distance"][:, 0], expected, rtol=1e-5)
    rho = spearman(parts["activation_distance"][:, 0], parts["explanation_distance"][:, 0])
    assert value(metric, table) == pytest.approx(rho)


def test_true_contributions_above_noise() -> None:
    a, b = World(EXAMPLES, keyword_model()), World(EXAMPLES, other_model())
    near = distances(a.model, b.model)
    metric = RationaleConsistency()
    best = value(metric, metric.score_pair(a.shards(oracle), b.shards(oracle), near))
    noise = [
        value(metric, metric.score_pair(a.shards(Noise(seed)), b.shards(Noise(seed + 50)), near))
        for seed in range(20)
    ]
    assert abs(np.mean(noise)) < 0.15
    assert best > 0.4


def test_equal_explanations_have_no_correlation() -> None:
    a, b = World(EXAMPLES, keyword_model()), World(EXAMPLES, other_model())
    metric = RationaleConsistency()
    table = metric.score_pair(a.shards(constant), b.shards(constant), distances(a.model, b.model))
    assert np.isnan(value(metric, table))


def test_only_classes_explained_in_both_count() -> None:
    a, b = World(EXAMPLES, keyword_model()), World(EXAMPLES, other_model())
    near = distances(a.model, b.model)
    first, last = np.array([True, True, False]), np.array([False, True, True])
    metric = RationaleConsistency()
    table = metric.score_pair(
        a.shards(oracle, only=lambda _: first), b.shards(oracle, only=lambda _: last), near
    )
    middle = np.array([False, True, False])
    alone = metric.score_pair(a.shards(oracle, only=lambda _: middle), b.shards(oracle), near)
    np.testing.assert_array_equal(table["value"], alone["value"])
    neither = b.shards(oracle, only=lambda _: ~middle)
    with pytest.raises(InputError, match="no class of example 't0000'"):
        metric.score_pair(a.shards(oracle, only=lambda _: middle), neither, near)


def test_pooled_sees_all_points() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        {name: rng.random((9, 1)) + shift for name in ("activation_distance", "explanation_distance")}
        for shift in (0, 10)
    ]
    x, y = (np.concatenate([p[name] for p in pairs])[:, 0] for name in pairs[0])
    assert pooled(pairs) == pytest.approx(spearman(x, y))
    assert pooled(pairs) > 0.5, "two clusters make a correlation that neither pair need have"


def test_different_texts_tokens_and_lengths_are_refused() -> None:
    metric = RationaleConsistency()
    shards = World(EXAMPLES).shards(oracle, size=40)
    near = dict.fromkeys((item.id for item in EXAMPLES), 1.0)
    with pytest.raises(InputError, match="different texts, 't0000' beside 't0039'"):
        metric.score_pair(shards, World(EXAMPLES[::-1]).shards(oracle), near)
    with pytest.raises(InputError, match="more texts than the other"):
        metric.score_pair(shards, World(EXAMPLES[:-1]).shards(oracle), near)
    changed = [replace(shards[0].encodings[0], ids=shards[0].encodings[0].ids + 1), *shards[0].encodings[1:]]
    with pytest.raises(InputError, match="example 't0000' into different tokens"):
        metric.score_pair(shards, [replace(shards[0], encodings=changed)], near)
    with pytest.raises(InputError, match="example 't0000' has no activation distance"):
        metric.score_pair(shards, shards, {})
