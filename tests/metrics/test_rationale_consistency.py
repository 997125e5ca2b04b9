from __future__ import annotations

import random
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

from assay.metrics.as_coded.rationale_consistency import RationaleConsistencyAsCoded
from assay.metrics.long_table import wide
from assay.metrics.model_pairs import LayerDistances, ModelPairMetric, layer_distances
from assay.metrics.rationale_consistency import RationaleConsistency, RationaleConsistencyPooled
from assay.tasks.errors import InputError

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
    layers = layer_distances(first, second, [encode(item.texts[0]) for item in EXAMPLES])
    found = RationaleConsistency(rescale=False).activation_distance(layers)
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


def test_signed_distances_and_chosen_layers_equal_a_loop() -> None:
    a, b = keyword_model(), other_model()
    first: Any = BagEngine(a)
    second: Any = BagEngine(b, 40)
    layers = layer_distances(first, second, [encode(item.texts[0]) for item in EXAMPLES])
    assert layers.names == ("tokens", "logits")
    for at, item in enumerate(EXAMPLES):
        ids = encode(item.texts[0]).ids
        logits = a.weights[ids].sum(axis=0) - b.weights[ids].sum(axis=0)
        assert layers.signed[at] == pytest.approx(
            [(a.weights - b.weights)[ids].mean(), logits.mean()], abs=1e-5
        )
        assert layers.absolute[at, 1] == pytest.approx(np.abs(logits).mean(), rel=1e-5)
    chosen: Any = ["logits"]
    metric = RationaleConsistency(layers=chosen, rescale=False)
    np.testing.assert_array_equal(metric.activation_distance(layers), layers.absolute[:, 1])
    signed = RationaleConsistencyAsCoded().activation_distance(layers)
    np.testing.assert_allclose(signed, np.abs(layers.signed.sum(axis=1)) / 2)


def test_a_layer_that_is_not_there_is_named() -> None:
    layers = LayerDistances(("embedding", "logits"), np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(InputError, match="no layer 'logit'; did you mean 'logits'"):
        RationaleConsistency(layers=("logit",)).activation_distance(layers)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pairs_budget": 0}, "pairs_budget is 0; expected a whole number of at least 1"),
        ({"layers": "logits"}, "layers is 'logits'; expected 'all' or a list of layers"),
        ({"layers": []}, "expected 'all' or a list of layers"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        RationaleConsistency(**options)


@pytest.mark.parametrize("firsts", range(7))
@pytest.mark.parametrize("seconds", [None, 0, 1, 4])
def test_all_distinct_pairs_up_to_the_budget(firsts: int, seconds: int | None) -> None:
    every = {
        (i, j)
        for i in range(firsts)
        for j in range(firsts if seconds is None else seconds)
        if seconds is not None or i < j
    }
    found = RationaleConsistency(pairs_budget=5).pairs(firsts, seconds)
    assert len(found) == len(set(found)) == min(5, len(every))
    assert set(found) <= every
    assert set(RationaleConsistency(pairs_budget=100).pairs(firsts, seconds)) == every
    assert found == RationaleConsistencyPooled(pairs_budget=5).pairs(firsts, seconds)


def test_as_coded_pairs_are_drawn_with_repetition_and_count_once() -> None:
    drawn = []
    for seed in range(1, 31):
        rng = random.Random(seed)
        drawn.append((rng.randint(0, 2), rng.randint(0, 2)))
    found = RationaleConsistencyAsCoded(runs=30).pairs(3, None)
    assert len(found) == len(set(found)) and set(found) == set(drawn)
    assert {i == j for i, j in found} == {True, False}
    assert RationaleConsistencyAsCoded().pairs(0, None) == RationaleConsistencyAsCoded().pairs(2, 0) == []
    with pytest.raises(InputError, match="runs is 0; expected a whole number of at least 1"):
        RationaleConsistencyAsCoded(runs=0)


def test_as_coded_counts_special_tokens_and_needs_all_classes() -> None:
    a, b = World(EXAMPLES, keyword_model()), World(EXAMPLES, other_model())
    near = distances(a.model, b.model)
    metric = RationaleConsistencyAsCoded()
    shards = a.shards(oracle)
    _, _, before = wide(metric.score_pair(shards, b.shards(oracle), near))
    expected = []
    for item in EXAMPLES:
        encoding = encode(item.texts[0])
        difference = oracle(item, encoding, a.model) - oracle(item, encoding, b.model)
        expected.append(np.abs(difference).mean())
    np.testing.assert_allclose(before["explanation_distance"][:, 0], expected, rtol=1e-5)
    for shard in shards:
        shard.scores[:, 1, 0] += 3
    _, _, after = wide(metric.score_pair(shards, b.shards(oracle), near))
    lengths = np.array([3 * len(encode(item.texts[0])) for item in EXAMPLES])
    gap = after["explanation_distance"][:, 0] - before["explanation_distance"][:, 0]
    np.testing.assert_allclose(gap, 3 / lengths, rtol=1e-4)
    some = b.shards(oracle, only=lambda _: np.array([True, True, False]))
    with pytest.raises(InputError, match="has only some"):
        metric.score_pair(shards, some, near)


def test_a_model_and_itself_lie_at_the_origin() -> None:
    world = World(EXAMPLES, keyword_model())
    near = distances(world.model, world.model)
    for metric in (RationaleConsistency(), RationaleConsistencyAsCoded()):
        assert isinstance(metric, ModelPairMetric)
        table = metric.score_pair(world.shards(oracle), world.shards(oracle), near)
        assert not table["value"].to_numpy().any()
        assert np.isnan(value(metric, table))


def test_pooled_points_make_a_correlation_that_no_pair_has() -> None:
    rng = np.random.default_rng(0)
    parts = {
        name: np.concatenate([rng.random((200, 1)), rng.random((200, 1)) + 10])
        for name in ("activation_distance", "explanation_distance")
    }
    index = np.arange(400)[None]
    pooled = float(RationaleConsistencyPooled().summarise(parts, index)[0])
    assert pooled == pytest.approx(spearman(*(of[:, 0] for of in parts.values())))
    within = RationaleConsistency().summarise(parts, np.stack([index[0, :200], index[0, 200:]]))
    assert pooled > 0.7 and np.abs(within).max() < 0.2


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


def made_up_layers(seed: int = 0) -> LayerDistances:
    absolute = np.random.default_rng(seed).exponential(size=(30, 5)) * 10.0 ** np.arange(5)
    return LayerDistances(("a", "b", "c", "d", "logits"), absolute, -absolute)


def test_rescaled_layers_count_alike_however_large_they_are() -> None:
    layers = made_up_layers()
    found = RationaleConsistency().activation_distance(layers)
    expected = [np.mean([row[k] / layers.absolute[:, k].mean() for k in range(5)]) for row in layers.absolute]
    np.testing.assert_allclose(found, expected)
    larger = replace(layers, absolute=layers.absolute * np.array([1, 1e6, 1, 1e-6, 1]))
    np.testing.assert_allclose(RationaleConsistency().activation_distance(larger), found)
    some = RationaleConsistency(layers=("b", "logits")).activation_distance(layers)
    np.testing.assert_allclose(some, (layers.absolute / layers.absolute.mean(axis=0))[:, [1, 4]].mean(axis=1))


def test_layers_can_be_taken_as_they_are() -> None:
    layers = made_up_layers(1)
    plain = RationaleConsistency(rescale=False).activation_distance(layers)
    np.testing.assert_array_equal(plain, layers.absolute.mean(axis=1))
    np.testing.assert_array_equal(RationaleConsistencyPooled().activation_distance(layers), plain)
    assert (
        spearman(plain, layers.absolute[:, 4])
        > 0.95
        > spearman(RationaleConsistency().activation_distance(layers), layers.absolute[:, 4])
    )


def test_a_layer_that_never_differs_counts_nothing_and_no_text_gives_nothing() -> None:
    layers = made_up_layers()
    layers.absolute[:, :4] = 0
    found = RationaleConsistency().activation_distance(layers)
    np.testing.assert_allclose(found, layers.absolute[:, 4] / layers.absolute[:, 4].mean() / 5)
    layers.absolute[:] = 0
    assert not RationaleConsistency().activation_distance(layers).any()
    empty = LayerDistances(("logits",), np.empty((0, 1)), np.empty((0, 1)))
    assert RationaleConsistency().activation_distance(empty).shape == (0,)
