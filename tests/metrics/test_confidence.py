from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import Noise, World, example, keyword_examples, keyword_model, oracle, same_table, scored
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler

from assay.metrics.confidence_indication import (
    ConfidenceIndication,
    ConfidenceIndicationMax,
    contrast_features,
    regression_errors,
    upsample,
)
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError


def test_features_equal_a_loop_over_tokens() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 6))
    for target in range(4):
        others = [label for label in range(4) if label != target]
        differences = [[scores[target, t] - scores[j, t] for j in others] for t in range(6)]
        expected = (sum(map(max, differences)), sum(map(np.mean, differences)), sum(map(min, differences)))
        assert contrast_features(scores, target, pool_others=False) == pytest.approx(expected)
        mean = sum(scores[target, t] - scores[others, t].mean() for t in range(6))
        assert contrast_features(scores, target, pool_others=True) == pytest.approx((mean, mean, mean))


def test_features_of_one_class_and_of_no_token() -> None:
    assert contrast_features(np.array([[1.0, 2.0]]), 0, pool_others=True) == (3.0, 3.0, 3.0)
    assert contrast_features(np.empty((3, 0)), 1, pool_others=False) == (0.0, 0.0, 0.0)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
def test_upsampling_evens_out_the_deciles(values: list[float], seed: int) -> None:
    confidence = np.array(values)
    taken = upsample(confidence, np.random.default_rng(seed))
    before = np.bincount(np.minimum((confidence * 10).astype(int), 9), minlength=10)
    after = np.bincount(np.minimum((confidence[taken] * 10).astype(int), 9), minlength=10)
    assert after.tolist() == [before.max() if count else 0 for count in before]
    largest = int(before.argmax())
    whole = [at for at in taken if min(int(confidence[at] * 10), 9) == largest]
    assert len(set(whole)) == before.max(), "the largest decile is taken as it is"


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_errors_are_those_of_sklearn(classes: int) -> None:
    """Two classes make the three features equal, three make one the mean of the others."""
    rng = np.random.default_rng(classes)
    features = np.array(
        [contrast_features(rng.normal(size=(classes, 9)), 0, pool_others=False) for _ in range(60)]
    )
    confidence = np.clip(0.6 + 0.05 * features[:, 0] + rng.normal(0, 0.1, 60), 0, 1)
    in_test = np.arange(60) < 10
    errors, references = regression_errors(features, confidence, in_test, np.random.default_rng(7))
    training = np.flatnonzero(~in_test)
    training = training[upsample(confidence[training], np.random.default_rng(7))]
    scaler = MinMaxScaler().fit(features[training])
    model = LinearRegression().fit(scaler.transform(features[training]), confidence[training])
    expected = np.abs(model.predict(scaler.transform(features[:10])) - confidence[:10])
    np.testing.assert_allclose(errors[:10], expected, atol=1e-10)
    np.testing.assert_allclose(references[:10], np.abs(confidence[training].mean() - confidence[:10]))
    assert np.isnan(errors[10:]).all() and np.isnan(references[10:]).all()


def test_constant_features_predict_the_training_mean() -> None:
    confidence = np.random.default_rng(0).random(40)
    errors, references = regression_errors(
        np.ones((40, 3)), confidence, np.arange(40) < 5, np.random.default_rng(0)
    )
    np.testing.assert_allclose(errors[:5], references[:5], atol=1e-12)


def uneven_world(count: int = 200) -> World:
    """Texts with none to three keywords, so that confidence varies from text to text."""
    rng = np.random.default_rng(5)
    examples = []
    for item in keyword_examples(count):
        words = item.texts[0].split() + ["great", "awful"][: int(rng.integers(3))]
        examples.append(example(item.id, " ".join(words), item.labels))
    return World(examples, keyword_model(strength=1.0))


@pytest.mark.parametrize("metric", [ConfidenceIndication(), ConfidenceIndicationMax()])
def test_noise_is_no_better_than_the_training_mean(metric: Any) -> None:
    units, _, parts = wide(metric.score(uneven_world().subject(Noise())))
    index = np.arange(len(units))[None]
    renamed = {part.replace("reference", "error"): v for part, v in parts.items() if "reference" in part}
    reference = float(metric.summarise(renamed, index)[0])
    assert float(metric.summarise(parts, index)[0]) == pytest.approx(reference, rel=0.25)


def test_contributions_tell_the_confidence_better_than_noise() -> None:
    world, metric = uneven_world(), ConfidenceIndication()
    assert scored(metric, world.subject(oracle)) < 0.7 * scored(metric, world.subject(Noise()))


def test_each_split_tests_another_tenth_of_the_texts() -> None:
    _, _, parts = wide(ConfidenceIndication().score(uneven_world().subject(oracle)))
    tested = [frozenset(np.nonzero(~np.isnan(parts[f"error@{split}"]))[0].tolist()) for split in range(5)]
    assert [len(texts) for texts in tested] == [20] * 5
    assert len(set(tested)) == 5


def test_summaries_equal_a_loop_over_splits_and_resamples() -> None:
    units, _, parts = wide(ConfidenceIndication().score(uneven_world(60).subject(oracle)))
    index = np.random.default_rng(0).integers(len(units), size=(3, len(units)))
    means, largest = (m.summarise(parts, index) for m in (ConfidenceIndication(), ConfidenceIndicationMax()))
    for at, sample in enumerate(index):
        errors = [parts[f"error@{split}"][sample] for split in range(5)]
        errors = [split[~np.isnan(split)] for split in errors]
        assert means[at] == pytest.approx(np.mean([e.mean() for e in errors if len(e)]))
        assert largest[at] == pytest.approx(np.mean([e.max() for e in errors if len(e)]))


def test_a_resample_without_test_texts_is_nan() -> None:
    nan = np.nan
    parts = {"error@0": np.array([[nan, 0.5], [nan, nan]]), "error@1": np.array([[nan, nan], [nan, nan]])}
    for metric in (ConfidenceIndication(), ConfidenceIndicationMax()):
        found = metric.summarise(parts, np.array([[0, 1], [1, 1]]))
        np.testing.assert_array_equal(found, [0.5, nan])


def test_all_explainers_share_the_splits_whatever_the_order() -> None:
    world = uneven_world(40)
    whole = ConfidenceIndication().score(world.subject(oracle, size=40))
    turned = World(world.examples[::-1], world.model)
    same_table(whole, ConfidenceIndication().score(turned.subject(oracle, size=3)))
    other = ConfidenceIndication().score(world.subject(Noise()))
    assert whole["value"].isna().tolist() == other["value"].isna().tolist()
    moved = ConfidenceIndication().score(world.subject(oracle, seed=1))
    assert whole["value"].isna().tolist() != moved["value"].isna().tolist()


def test_scale_of_the_scores_does_not_matter() -> None:
    world = uneven_world(60)
    plain = scored(ConfidenceIndication(), world.subject(oracle))
    large = scored(ConfidenceIndication(), world.subject(lambda e, c, m: 1024 * oracle(e, c, m)))
    assert large == pytest.approx(plain, rel=1e-6)


def test_special_tokens_do_not_count() -> None:
    subject = uneven_world(20).subject(oracle)
    whole = ConfidenceIndication().score(subject)
    for shard in subject.shards:
        shard.scores[:, 0] += 1e6 * ~shard.content
    same_table(whole, ConfidenceIndication().score(subject))


def test_multi_label_predicts_every_label_of_every_text() -> None:
    world = uneven_world(40)
    world.model.multi_label = True
    _, targets, parts = wide(ConfidenceIndication().score(world.subject(oracle)))
    assert targets == [0, 1, 2] and not np.isnan(parts["confidence"]).any()
    np.testing.assert_array_equal(parts["f_max"], parts["f_min"])
    tested = ~np.isnan(parts["error@0"])
    assert (tested.all(axis=1) | ~tested.any(axis=1)).all(), "a text is in one part with all its labels"
    assert tested.sum() == 12
    weights = np.concatenate([s.scores.sum(axis=2) for s in world.subject(oracle).shards])
    expected = weights[:, 0] - weights[:, 1:].mean(axis=1)
    by_id = np.argsort([item.id for item in world.examples])
    np.testing.assert_allclose(parts["f_mean"][:, 0], expected[by_id], atol=1e-5)


def test_too_few_texts_give_nan_and_say_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = scored(ConfidenceIndication(), World(keyword_examples(19)).subject(oracle))
    assert np.isnan(found)
    assert "19 texts are too few" in caplog.text
    assert not np.isnan(scored(ConfidenceIndication(), World(keyword_examples(20)).subject(oracle)))


def test_missing_explanations_and_bad_parameters_are_refused() -> None:
    subject = World(keyword_examples(20)).subject(oracle, only=lambda _: np.array([True, True, False]))
    with pytest.raises(InputError, match="class 'positive' for example 't0000'"):
        ConfidenceIndication().score(subject)
    with pytest.raises(InputError, match="a share between 0 and 1"):
        ConfidenceIndication(test_share=1.5)
