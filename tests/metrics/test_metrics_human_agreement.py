from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import (
    Noise,
    World,
    constant,
    example,
    inverted,
    keyword_examples,
    oracle,
    same_table,
    scored,
)
from sklearn.metrics import average_precision_score

from metrics.human_agreement import HumanAgreement, average_precision, expected_average_precision
from metrics.rows import wide
from tasks.errors import InputError
from tasks.example import Example, Rationale, Span

TOKEN = st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1e-7, 1.0]), st.booleans(), st.booleans())


@settings(deadline=None)
@given(st.lists(st.lists(TOKEN, min_size=1, max_size=8), min_size=1, max_size=5))
def test_average_precision_is_that_of_sklearn(rows: list[list[tuple[float, bool, bool]]]) -> None:
    width = max(map(len, rows)) + 1
    scores = np.zeros((len(rows), width), dtype=np.float32)
    relevant, content = np.zeros((2, len(rows), width), dtype=bool)
    for at, row in enumerate(rows):
        scores[at, : len(row)], relevant[at, : len(row)], content[at, : len(row)] = zip(*row, strict=True)
    found = average_precision(scores, relevant, content)
    for at in range(len(rows)):
        truth, ranked = relevant[at, content[at]], scores[at, content[at]]
        expected = average_precision_score(truth, ranked) if truth.any() else np.nan
        np.testing.assert_allclose(found[at], expected, rtol=1e-12)


def test_constant_scores_get_the_prevalence() -> None:
    relevant = np.array([[True, False, False, True, False]])
    assert average_precision(np.ones((1, 5)), relevant, np.ones((1, 5), dtype=bool))[0] == pytest.approx(0.4)


@pytest.mark.parametrize(("positives", "tokens"), [(1, 1), (1, 5), (2, 5), (3, 4), (4, 4)])
def test_expected_precision_is_the_mean_over_all_orders(positives: int, tokens: int) -> None:
    relevant = np.arange(tokens)[None] < positives
    orders = np.array(list(permutations(range(tokens))), dtype=np.float64)
    shape = orders.shape
    each = average_precision(orders, np.broadcast_to(relevant, shape), np.ones(shape, dtype=bool))
    expected = expected_average_precision(np.array([positives]), np.array([tokens]))[0]
    assert expected == pytest.approx(each.mean(), rel=1e-12)


def test_oracle_above_random_above_inverted() -> None:
    world = World(keyword_examples(90))
    metric = HumanAgreement()
    best, middle, worst = (scored(metric, world.subject(e)) for e in (oracle, Noise(), inverted))
    assert best == 1.0
    assert worst < middle < best
    _, _, parts = wide(metric.score(world.subject(Noise())))
    assert middle == pytest.approx(np.nanmean(parts["ap_random"]), abs=0.1)
    assert np.nanmean(parts["prevalence"]) < np.nanmean(parts["ap_random"])
    assert scored(metric, world.subject(constant)) == pytest.approx(np.nanmean(parts["prevalence"]))


def test_special_tokens_are_not_ranked() -> None:
    world = World([example("a", "the great film", [2], ["great"])])
    subject = world.subject(oracle)
    shard = next(iter(subject.shards))
    shard.scores[:, :, 0] = 1e6
    assert scored(HumanAgreement(), subject) == 1.0


def test_examples_without_rationale_are_left_out_and_counted() -> None:
    examples = [
        example("with", "the great film", [2], ["great"]),
        example("without", "a film", [2]),
        example("nothing_else", "great", [2], ["great"]),
    ]
    units, targets, parts = wide(HumanAgreement().score(World(examples).subject(inverted)))
    assert targets == [-1, 2]
    left_out = dict(zip(units, parts["no_rationale"][:, 0], strict=True))
    assert left_out == {"with": 0, "without": 1, "nothing_else": 0}
    assert np.nanmean(parts["ap"]) == pytest.approx((1 / 3 + 1) / 2)
    only = World([example("without", "a film", [2])])
    with_other = HumanAgreement().score(only.subject(oracle))
    assert with_other["part"].tolist() == ["no_rationale"]
    assert np.isnan(scored(HumanAgreement(), only.subject(oracle)))


def two_reasons() -> Example:
    text = "awful story great people"
    marks = (Rationale((Span(0, 5),), label=0), Rationale((Span(12, 17),), label=2))
    return Example("two", (text,), (2,), marks)


@pytest.mark.parametrize(("target", "classes"), [("gold", [2]), ("predicted", [0]), ("all", [0, 2])])
def test_target_chooses_whose_scores_and_rationales(target: str, classes: list[int]) -> None:
    world = World([two_reasons()])
    world.model.bias = np.array([3.0, 0.0, -3.0])
    table = HumanAgreement(target=target).score(world.subject(oracle))
    ap = table[table["part"] == "ap"]
    assert ap["target"].tolist() == classes
    assert ap["value"].tolist() == [1.0] * len(classes)


def test_wrong_predictions_have_no_rationale_of_their_own() -> None:
    world = World([example("a", "the great film", [1], ["great"])])
    table = HumanAgreement(target="predicted").score(world.subject(oracle))
    assert table[table["part"] == "no_rationale"]["value"].tolist() == [1.0]


def test_missing_explanations_are_named() -> None:
    world = World([example("a", "the great film", [2], ["great"])])
    subject = world.subject(oracle, only=lambda _: np.array([True, True, False]))
    with pytest.raises(InputError, match="class 'positive' for example 'a'"):
        HumanAgreement().score(subject)


def test_unknown_target_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'gold'"):
        HumanAgreement(target="golden")


def test_shards_and_order_do_not_matter() -> None:
    examples = keyword_examples(20)
    whole = HumanAgreement().score(World(examples).subject(Noise(), size=20))
    same_table(whole, HumanAgreement().score(World(examples[::-1]).subject(Noise(), size=3)))


def test_monotone_change_of_scores_changes_nothing() -> None:
    world = World(keyword_examples(20))
    noise = Noise()
    grown = scored(HumanAgreement(), world.subject(lambda e, c, m: np.exp(3 * noise(e, c, m))))
    assert grown == scored(HumanAgreement(), world.subject(noise))
