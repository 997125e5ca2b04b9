from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import (
    ABSENT,
    BagEngine,
    Noise,
    World,
    constant,
    encode,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    same_table,
    scored,
)
from sklearn.metrics import f1_score

from assay.metrics.cell_data import CellData
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro, macro_f1, macro_f1_curve, micro_f1
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError

CLASSES = st.integers(0, 3)


def curve(subject: CellData, **options: Any) -> np.ndarray:
    units, _, parts = wide(Faithfulness(**options).score(subject))
    return macro_f1_curve(parts, np.arange(len(units))[None])[1][0]


@settings(deadline=None)
@given(st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=12), st.integers(0, 99))
def test_macro_f1_is_that_of_sklearn_on_every_resample(pairs: list[tuple[int, int]], seed: int) -> None:
    truth, answer = np.array(pairs).T
    index = np.random.default_rng(seed).integers(len(truth), size=(3, len(truth)))
    counts = np.stack([np.bincount(sample, minlength=len(truth)) for sample in index]).astype(np.float64)
    onehot = np.eye(4)
    found = macro_f1(onehot[truth], onehot[answer], counts)
    for at, sample in enumerate(index):
        expected = f1_score(truth[sample], answer[sample], average="macro")
        assert found[at] == pytest.approx(expected, rel=1e-12)


def test_macro_f1_without_any_label_is_nan() -> None:
    assert np.isnan(macro_f1(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((1, 2)))[0])


@settings(deadline=None)
@given(st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=12), st.integers(0, 99))
def test_micro_f1_is_that_of_sklearn_on_every_resample(pairs: list[tuple[int, int]], seed: int) -> None:
    """The two bits of a class are two labels: none, one or both."""
    nan: Any = np.nan
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    truth, answer = (bits[list(side)] for side in zip(*pairs, strict=True))
    index = np.random.default_rng(seed).integers(len(truth), size=(3, len(truth)))
    counts = np.stack([np.bincount(sample, minlength=len(truth)) for sample in index]).astype(np.float64)
    found = micro_f1(truth.astype(np.float64), answer.astype(np.float64), counts)
    for at, sample in enumerate(index):
        expected = f1_score(truth[sample], answer[sample], average="micro", zero_division=nan)
        assert found[at] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_micro_f1_of_one_label_per_text_is_the_accuracy() -> None:
    world = World(keyword_examples(30), keyword_model(strength=1.0))
    subject = world.subject(Noise())
    units, _, parts = wide(FaithfulnessMicro().score(subject))
    shares = [
        (parts["gold"].argmax(axis=1) == parts[f"predicted@{t}"].argmax(axis=1)).mean()
        for t in range(0, 101, 10)
    ]
    area = FaithfulnessMicro().summarise(parts, np.arange(len(units))[None])[0]
    assert area == pytest.approx(np.trapezoid(shares, dx=10))
    # The same ingredients serve both averages.
    same_table(FaithfulnessMicro().score(subject), Faithfulness().score(subject))


def test_texts_without_any_predicted_label_leave_a_shard_without_questions() -> None:
    model = keyword_model(multi_label=True)
    model.bias[:] = -50.0
    subject = World([example("a", "the film", []), example("b", "a story", [1])], model).subject(oracle)
    _, labels, parts = wide(Faithfulness().score(subject))
    assert labels == [0, 1, 2] and parts["gold"].sum() == 1
    assert not any(parts[f"predicted@{t}"].any() for t in range(0, 101, 10))


@pytest.mark.parametrize("explainer", [oracle, Noise(), inverted])
def test_ends_of_the_curve_are_the_clean_and_the_empty_input(explainer: Any) -> None:
    world = World(keyword_examples(30), keyword_model(strength=1.0))
    gold = [item.labels[0] for item in world.examples]
    clean = np.concatenate([shard.probabilities for shard in world.shards(explainer)]).argmax(axis=1)
    found = curve(world.subject(explainer))
    assert found[0] == pytest.approx(f1_score(gold, clean, average="macro"))
    emptied = [encode(item.texts[0]) for item in world.examples]
    logits = [
        world.model.weights[np.where(e.content, ABSENT, e.ids)].sum(axis=0) + world.model.bias
        for e in emptied
    ]
    assert found[-1] == pytest.approx(f1_score(gold, np.argmax(logits, axis=1), average="macro"))


def test_curve_equals_a_loop_over_texts_and_thresholds() -> None:
    world = World(keyword_examples(24), keyword_model(strength=1.0))
    subject = world.subject(Noise(3))
    gold, answers = [], []
    for shard in subject.shards:
        for row, item in enumerate(shard.examples):
            gold.append(item.labels[0])
            ids = shard.encodings[row].ids
            target = int(shard.probabilities[row].argmax())
            scores = [(float(shard.scores[row, target, at]), at) for at in range(1, len(ids) - 1)]
            ranked = [at for _, at in sorted(scores, reverse=True)]
            after = []
            for percent in range(0, 101, 10):
                gone = ranked[: int(percent / 100 * len(ranked) + 1e-9)]
                left = np.where(np.isin(np.arange(len(ids)), gone), ABSENT, ids)
                after.append(int((world.model.weights[left].sum(axis=0) + world.model.bias).argmax()))
            answers.append(after)
    expected = [f1_score(gold, column, average="macro") for column in np.array(answers).T]
    np.testing.assert_allclose(curve(subject), expected, rtol=1e-12)
    assert scored(Faithfulness(), subject) == pytest.approx(np.trapezoid(expected, np.arange(0, 101, 10)))


@pytest.mark.parametrize("target", ["predicted", "gold"])
def test_oracle_below_random_below_inverted(target: str) -> None:
    world = World(keyword_examples(60))
    metric = Faithfulness(target=target)
    low, middle, high = (scored(metric, world.subject(e)) for e in (oracle, Noise(), inverted))
    assert 0 <= low < middle < high <= 100


def test_a_constant_explainer_is_random_not_first_or_last() -> None:
    """With the keyword always first, breaking ties by position would make a constant explainer perfect."""
    examples = [example(f"t{at}", "great " + "the film is a story of two people", [2]) for at in range(60)]
    examples += [example(f"u{at}", "awful " + "the film is a story of two people", [0]) for at in range(60)]
    world = World(examples)
    area, best, worst = (scored(Faithfulness(), world.subject(e)) for e in (constant, oracle, inverted))
    assert best + 10 < area < worst - 10


def test_target_all_sums_over_classes() -> None:
    world = World(keyword_examples(30))
    summed = scored(Faithfulness(target="all"), world.subject(Noise()))
    noise = Noise()
    by_hand = world.subject(lambda e, c, m: np.tile(noise(e, c, m).astype(np.float32).sum(axis=0), (3, 1)))
    assert summed == scored(Faithfulness(), by_hand)


def test_multi_label_masks_each_predicted_label_by_its_own_order() -> None:
    model = keyword_model(multi_label=True)
    model.bias[:] = -1.0
    model.weights[:] = 0.0
    for label, word in enumerate(("awful", "plain", "great")):
        model.weights[encode(word).ids[1], label] = 3.0
    world = World([example("a", "awful the great film", [0, 2])], model)
    _, labels, parts = wide(Faithfulness(thresholds=(0, 25, 50, 75, 100)).score(world.subject(oracle)))
    assert labels == [0, 1, 2]
    assert parts["gold"].tolist() == [[1, 0, 1]]
    assert parts["predicted@0"].tolist() == [[1, 0, 1]]
    # Own order: the first token to go is the label's own keyword.
    assert parts["predicted@25"].tolist() == [[0, 0, 0]]
    _, _, parts = wide(Faithfulness(thresholds=(0, 25, 50, 75, 100)).score(world.subject(inverted)))
    assert parts["predicted@75"].tolist() == [[1, 0, 1]]
    assert parts["predicted@100"].tolist() == [[0, 0, 0]]


def test_one_call_of_the_engine_per_shard() -> None:
    subject = World(keyword_examples(21)).subject(Noise(), size=7)
    Faithfulness().score(subject)
    engine: Any = subject.engine
    assert isinstance(engine, BagEngine) and engine.calls == 3


def test_short_texts_and_texts_of_special_tokens_only() -> None:
    world = World([example("a", "great", [2]), example("b", "awful", [0])])
    np.testing.assert_array_equal(curve(world.subject(oracle))[:-1], 1.0)
    subject = world.subject(oracle)
    empty = [replace(shard, content=np.zeros_like(shard.content)) for shard in subject.shards]
    np.testing.assert_array_equal(curve(replace(subject, shards=empty)), 1.0)


def test_shards_and_order_do_not_matter() -> None:
    examples = keyword_examples(20)
    whole = Faithfulness().score(World(examples).subject(constant, size=20))
    same_table(whole, Faithfulness().score(World(examples[::-1]).subject(constant, size=3)))


def test_renaming_the_classes_changes_nothing() -> None:
    world = World(keyword_examples(30), keyword_model(strength=1.0))
    turn = [2, 0, 1]
    renamed = [replace(item, labels=(turn.index(item.labels[0]),)) for item in world.examples]
    model = replace(world.model, weights=world.model.weights[:, turn], bias=world.model.bias[turn])
    noise = Noise()
    turned = World(renamed, model).subject(lambda e, c, m: noise(e, c, m)[turn])
    assert scored(Faithfulness(), turned) == pytest.approx(
        scored(Faithfulness(), world.subject(noise)), rel=1e-12
    )


@pytest.mark.parametrize("thresholds", [(0,), (10, 100), (0, 90), (0, 50, 50, 100), (0, 70, 30, 100)])
def test_bad_thresholds_are_refused(thresholds: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="rise from 0 to 100"):
        Faithfulness(thresholds=thresholds)


def test_missing_explanations_are_named() -> None:
    subject = World(keyword_examples(3)).subject(oracle, only=lambda _: np.array([True, False, True]))
    with pytest.raises(InputError, match="class 'neutral' for example 't0001'"):
        Faithfulness().score(subject)
