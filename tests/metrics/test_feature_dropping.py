"""FAD's N-AUC against closed forms, a loop over texts, and the authors' own lines."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from metrics_world import (
    ABSENT,
    Noise,
    World,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    scored,
)

from assay.metrics.feature_dropping import FeatureAttributionDropping
from assay.metrics.long_table import Parts, wide
from assay.metrics.measured import measured
from assay.tasks.errors import InputError

NAUC = FeatureAttributionDropping()
STEPS = NAUC.thresholds


def as_their_code(accuracies: list[float], percents: list[int], limit: int = 20) -> float:
    """save_diagnosis_accuracy_plots of the authors of Doctor XAvIer, on one curve."""
    dx = percents[1] - percents[0]
    until = [accuracy for accuracy, percent in zip(accuracies, percents, strict=True) if percent <= limit]
    return float(np.trapezoid(until, dx=dx) / (max(until) * limit))


def parts_of(right: np.ndarray) -> Parts:
    """Two classes, all texts of the first; right: (n, steps) whether the model is right at each threshold."""
    gold = np.tile([1.0, 0.0], (len(right), 1))
    return {"gold": gold} | {
        f"predicted@{step}": np.where(right[:, [at]] > 0, gold, 1 - gold) for at, step in enumerate(STEPS)
    }


def value(right: np.ndarray) -> float:
    return float(NAUC.summarise(parts_of(right), np.arange(len(right))[None])[0])


def test_it_is_what_the_authors_code_makes_of_the_accuracies() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        right = rng.random((7, len(STEPS))) < rng.random()
        if right.any():
            assert value(right) == pytest.approx(as_their_code(right.mean(axis=0).tolist(), list(STEPS)))


def test_closed_forms() -> None:
    always, at_once, at_last = np.ones((4, 5)), np.eye(1, 5).repeat(4, 0), np.ones((4, 5))
    at_last[:, -1] = 0
    assert value(always) == 1.0
    # A model that is right half of the time all along has the same area, since it is normalised.
    assert value(always * [[1], [1], [0], [0]]) == 1.0
    # Of four trapezoids the first has half its height; and all but half of the last.
    assert value(at_once) == pytest.approx(1 / 8)
    assert value(at_last) == pytest.approx(7 / 8)
    # Normalised by the highest value, also where it is not that of the full text.
    rising = np.array([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    assert value(rising) == pytest.approx((3 * 1 + 0.75) / 4)


def test_a_model_that_is_never_right_has_no_value() -> None:
    # The peer's code gives 0 here, the best there is.
    assert np.isnan(value(np.zeros((3, 5))))


def test_it_equals_a_loop_over_texts_and_thresholds() -> None:
    world = World(keyword_examples(24), keyword_model(strength=1.0))
    subject = world.subject(Noise(3))
    curve = np.zeros(len(STEPS))
    for shard in subject.shards:
        for row, item in enumerate(shard.examples):
            ids = shard.encodings[row].ids
            target = int(shard.probabilities[row].argmax())
            scores = [(float(shard.scores[row, target, at]), at) for at in range(1, len(ids) - 1)]
            ranked = [at for _, at in sorted(scores, reverse=True)]
            for place, percent in enumerate(STEPS):
                gone = ranked[: int(percent / 100 * len(ranked) + 1e-9)]
                left = np.where(np.isin(np.arange(len(ids)), gone), ABSENT, ids)
                answer = int((world.model.weights[left].sum(axis=0) + world.model.bias).argmax())
                curve[place] += answer == item.labels[0]
    assert scored(NAUC, subject) == pytest.approx(as_their_code(curve.tolist(), list(STEPS)))


def test_random_scores_get_the_mean_over_all_orders() -> None:
    """One text of six tokens, a fifth of which is one: the cause goes first in one order of six."""
    world = World([example(f"t{at}", "great the film is a story", [2]) for at in range(3000)])
    # A token goes at 20 percent only; then the accuracy is 5/6 on average, 1 before.
    expected = (3 + (1 + 5 / 6) / 2) / 4
    orders = [order[0] == 0 for order in permutations(range(6))]
    assert 1 - np.mean(orders) == pytest.approx(5 / 6)
    # Four standard errors of a share of 1/6 over 3000 texts, times its weight of 1/8.
    assert scored(NAUC, world.subject(Noise())) == pytest.approx(expected, abs=4 * 0.0068 / 8)


def test_exact_scores_are_below_random_ones_and_inverted_ones_above() -> None:
    world = World(keyword_examples(90))
    low, middle, high = (scored(NAUC, world.subject(each)) for each in (oracle, Noise(), inverted))
    assert low < middle < high <= 1


def test_several_labels_are_judged_together() -> None:
    model = keyword_model(multi_label=True)
    model.bias[:], model.weights[:] = -1.0, 0.0
    for label, word in enumerate(("awful", "plain", "great")):
        model.weights[label + 2, label] = 3.0
        assert World([example("a", word, [label])], model)
    world = World([example("a", "awful great the film is", [0, 2])], model)
    # Five tokens: at 20 percent each label loses its own word, so nothing is found of the two.
    _, _, parts = wide(NAUC.score(world.subject(oracle)))
    assert parts["predicted@15"].tolist() == [[1, 0, 1]] and parts["predicted@20"].tolist() == [[0, 0, 0]]
    assert scored(NAUC, world.subject(oracle)) == pytest.approx(7 / 8)


@pytest.mark.parametrize("thresholds", [(0,), (5, 10), (0, 10, 10), (0, 20, 10), (0, 101), (0, 2.5, 5)])
def test_bad_thresholds_are_refused(thresholds: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"metric\.n_auc\.thresholds are .*rise from 0, 100 at most"):
        FeatureAttributionDropping(thresholds=thresholds)


def test_other_thresholds_end_where_they_say() -> None:
    world = World(keyword_examples(30), keyword_model(strength=1.0))
    wide_range = FeatureAttributionDropping(thresholds=(0, 10, 40))
    units, _, parts = wide(wide_range.score(world.subject(oracle)))
    shares = [(parts["gold"] == parts[f"predicted@{step}"]).all(axis=1).mean() for step in (0, 10, 40)]
    expected = np.trapezoid(shares, [0, 10, 40]) / 40 / max(shares)
    found = wide_range.summarise(parts, np.arange(len(units))[None])[0]
    assert found == pytest.approx(expected)


def test_a_class_that_orders_tokens_must_be_explained() -> None:
    subject = World(keyword_examples(3)).subject(oracle, only=lambda _: np.array([True, False, True]))
    with pytest.raises(InputError, match=r"n_auc.*class 'neutral' for example 't0001'"):
        NAUC.score(subject)


def test_every_text_counts_even_where_the_model_is_never_right() -> None:
    gold = np.eye(2)[np.zeros(4, dtype=int)]
    answers = np.eye(2)[[0, 0, 1, 1]]
    parts = {"gold": gold} | {f"predicted@{t}": answers for t in FeatureAttributionDropping().thresholds}
    assert measured(FeatureAttributionDropping(), parts).all()
