from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
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
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler

from assay.metrics import confidence_regression
from assay.metrics.as_coded.confidence_indication import ConfidenceIndicationAsCoded
from assay.metrics.confidence_indication import (
    ConfidenceIndication,
    ConfidenceIndicationMax,
    contrast_features,
)
from assay.metrics.confidence_regression import FEATURES
from assay.metrics.long_table import Parts, wide
from assay.tasks.arrays import Floats
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


def written_out(parts: Parts, sample: list[int], copies: float) -> tuple[float, float]:
    """The mean and the largest error of a resample: a weighted regression of scikit-learn for each fold."""
    rows = [(text, at) for text, at in zip(*np.nonzero(~np.isnan(parts["confidence"])), strict=True)]
    rows = [row for text in sample for row in rows if row[0] == text]
    confidence = np.array([parts["confidence"][row] for row in rows])
    features = np.array([[parts[name][row] for name in FEATURES] for row in rows])
    fold = np.array([parts["fold"][row] for row in rows])
    errors = []
    for test in np.unique(fold):
        training = fold != test
        decile = np.minimum((confidence * 10).astype(int), 9)
        sizes = np.bincount(decile[training], minlength=10)
        weights = np.minimum(sizes.max() / np.maximum(sizes, 1), copies)[decile]
        scaler = MinMaxScaler().fit(features)
        model = LinearRegression().fit(
            scaler.transform(features[training]), confidence[training], sample_weight=weights[training]
        )
        predicted = model.predict(scaler.transform(features[~training]))
        errors.append(np.abs(predicted - confidence[~training]))
    return float(np.concatenate(errors).mean()), float(np.mean([each.max() for each in errors]))


def random_parts(texts: int, classes: int, targets: int = 1, seed: int = 0) -> Parts:
    """Texts of which some have no value for some targets, with confidences of all deciles."""
    rng = np.random.default_rng((seed, classes))
    shape = (texts, targets)
    made = [
        contrast_features(rng.normal(size=(classes, 9)), 0, pool_others=False) for _ in range(texts * targets)
    ]
    parts = dict(zip(FEATURES, np.array(made).T.reshape(3, *shape), strict=True))
    confidence = np.clip(0.6 + 0.05 * parts["f_max"] + rng.normal(0, 0.2, shape), 0, 1)
    if targets > 1:
        confidence[rng.random(shape) < 0.3] = np.nan
    fold = np.broadcast_to(rng.permutation(texts)[:, None] % 5, shape).astype(np.float64)
    return {**parts, "confidence": confidence, "fold": fold}


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("copies", [1, 3, 100])
def test_errors_are_those_of_sklearn(classes: int, targets: int, copies: int) -> None:
    """Two classes make the three features equal, three make one the mean of the others."""
    parts = random_parts(60, classes, targets)
    rng = np.random.default_rng(1)
    index = np.concatenate([np.arange(60)[None], rng.integers(0, 60, size=(3, 60))])
    means, largest = (
        metric.summarise(parts, index)
        for metric in (ConfidenceIndication(copies=copies), ConfidenceIndicationMax(copies=copies))
    )
    for at, sample in enumerate(index.tolist()):
        assert (means[at], largest[at]) == pytest.approx(written_out(parts, sample, copies), rel=1e-9)


def test_the_size_of_a_block_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, index = random_parts(40, 4), np.random.default_rng(0).integers(0, 40, size=(30, 40))
    together = ConfidenceIndication().summarise(parts, index)
    monkeypatch.setattr(confidence_regression, "AT_ONCE", 100)
    assert ConfidenceIndication().summarise(parts, index).tobytes() == together.tobytes()


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_elimination_finds_what_eigenvalues_find(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = random_parts(40, classes)
    index = np.random.default_rng(classes).integers(0, 40, size=(50, 40))
    metrics, asked = (ConfidenceIndication(), ConfidenceIndicationMax()), []
    by_eigenvalues = confidence_regression.of_eigenvalues

    def counted(gram: Floats, moment: Floats) -> Floats:
        asked.append(len(gram))
        return by_eigenvalues(gram, moment)

    monkeypatch.setattr(confidence_regression, "of_eigenvalues", counted)
    fast = [metric.summarise(parts, index) for metric in metrics]
    assert sum(asked) < 5, "no column of the design says what another one says"
    monkeypatch.setattr(confidence_regression, "SAFE_EIGENVALUE", np.inf)
    for metric, found in zip(metrics, fast, strict=True):
        np.testing.assert_allclose(metric.summarise(parts, index), found, rtol=1e-12)
    assert sum(asked) >= 2 * 50 * 5


def test_what_does_not_vary_in_a_resample_is_left_out_as_by_the_pseudoinverse() -> None:
    """Each fold is predicted by the copies of two texts, which no four coefficients can be found from."""
    parts = random_parts(40, 4)
    parts["fold"] = np.arange(40.0)[:, None] % 3
    confidence = parts["confidence"][:3, 0]
    features = np.stack(
        [(parts[name] - parts[name].min()) / np.ptp(parts[name]) for name in FEATURES], axis=1
    )
    design = np.insert(features[:3, :, 0], 0, 1.0, axis=1)
    errors = []
    for test in range(3):
        training = np.arange(3) != test
        fitted = np.linalg.pinv(design[training], rcond=1e-5) @ confidence[training]
        errors.append(abs(design[test] @ fitted - confidence[test]))
    found = ConfidenceIndication().summarise(parts, np.arange(40)[None] % 3)
    assert found == pytest.approx(np.average(errors, weights=[14, 13, 13]), rel=1e-9)


def test_constant_features_predict_the_weighted_mean() -> None:
    parts = random_parts(40, 4)
    constant = {**parts, **{name: np.ones((40, 1)) for name in FEATURES}}
    errors = []
    for test in range(5):
        in_test = parts["fold"][:, 0] == test
        confidence = parts["confidence"][:, 0]
        decile = np.minimum((confidence * 10).astype(int), 9)
        sizes = np.bincount(decile[~in_test], minlength=10)
        weights = np.minimum(sizes.max() / np.maximum(sizes, 1), 5)[decile]
        mean = np.average(confidence[~in_test], weights=weights[~in_test])
        errors += np.abs(confidence[in_test] - mean).tolist()
    found = ConfidenceIndication().summarise(constant, np.arange(40)[None])
    assert found == pytest.approx([np.mean(errors)], rel=1e-12)


def test_a_resample_in_one_fold_alone_is_nan() -> None:
    parts = random_parts(40, 4)
    one_fold = np.flatnonzero(parts["fold"][:, 0] == 0)
    assert np.isnan(ConfidenceIndication().summarise(parts, one_fold[None]))[0]


def uneven_world(count: int = 200) -> World:
    """Texts with none to three keywords, so that confidence varies from text to text."""
    rng = np.random.default_rng(5)
    examples = []
    for item in keyword_examples(count):
        words = item.texts[0].split() + ["great", "awful"][: int(rng.integers(3))]
        examples.append(example(item.id, " ".join(words), item.labels))
    return World(examples, keyword_model(strength=1.0))


def test_noise_is_no_better_than_constant_scores() -> None:
    world, metric = uneven_world(), ConfidenceIndication()
    nothing = scored(metric, world.subject(constant))
    assert scored(metric, world.subject(Noise())) == pytest.approx(nothing, rel=0.25)


def test_contributions_tell_the_confidence_better_than_noise() -> None:
    world, metric = uneven_world(), ConfidenceIndication()
    assert scored(metric, world.subject(oracle)) < 0.75 * scored(metric, world.subject(Noise()))
    # With weights that nothing limits in effect, as before there was a limit.
    metric = ConfidenceIndication(copies=100)
    assert scored(metric, world.subject(oracle)) < 0.7 * scored(metric, world.subject(Noise()))


def test_folds_are_of_one_size_and_a_text_has_one() -> None:
    _, _, parts = wide(ConfidenceIndication().score(uneven_world(93).subject(oracle)))
    present = ~np.isnan(parts["confidence"])
    np.testing.assert_array_equal(present, ~np.isnan(parts["fold"]))
    assert sorted(np.unique(parts["fold"][present], return_counts=True)[1].tolist()) == [9] * 7 + [10] * 3


def test_a_group_lies_in_one_fold() -> None:
    plain = uneven_world(90)
    world = World(
        [replace(item, group=f"doc {n // 4}" if n < 60 else None) for n, item in enumerate(plain.examples)],
        plain.model,
    )
    for metric in (ConfidenceIndication(), ConfidenceIndicationMax()):
        units, _, parts = wide(metric.score(world.subject(oracle)))
        fold = dict(zip(units, np.nanmax(parts["fold"], axis=1).tolist(), strict=True))
        groups = [[fold[item.id] for item in world.examples[start : start + 4]] for start in range(0, 60, 4)]
        assert all(len(set(of_group)) == 1 for of_group in groups)
        assert len({of_group[0] for of_group in groups}) > 3 and set(fold.values()) == set(range(10))
    # As coded, the study's splits stay.
    same_table(*(ConfidenceIndicationAsCoded().score(one.subject(oracle)) for one in (plain, world)))


def test_a_group_of_one_text_changes_no_fold() -> None:
    plain = uneven_world(60)
    alone = World([replace(item, group=f"doc {item.id}") for item in plain.examples], plain.model)
    same_table(*(ConfidenceIndication().score(one.subject(oracle)) for one in (plain, alone)))


def test_all_explainers_share_the_folds_whatever_the_order_and_seed() -> None:
    world = uneven_world(40)
    whole = ConfidenceIndication().score(world.subject(oracle, size=40))
    turned = World(world.examples[::-1], world.model)
    same_table(whole, ConfidenceIndication().score(turned.subject(oracle, size=3)))
    for other in (world.subject(Noise()), world.subject(oracle, seed=1)):
        moved = ConfidenceIndication().score(other)
        before, after = (wide(table)[2]["fold"] for table in (whole, moved))
        np.testing.assert_array_equal(before, after)


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
    assert (np.ptp(parts["fold"], axis=1) == 0).all(), "a text is in one fold with all its labels"
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
    with pytest.raises(InputError, match="folds is 1; expected a whole number of at least 2"):
        ConfidenceIndication(folds=1)
