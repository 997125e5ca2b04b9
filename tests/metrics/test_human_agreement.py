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
from ties_written_out import expected_precision

from assay.metrics.human_agreement import HumanAgreement, average_precision, expected_average_precision
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span

TOKEN = st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1e-7, 1.0]), st.booleans(), st.booleans())


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_average_precision_without_ties_is_that_of_sklearn(seed: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant = rng.permutation(tokens) - 3.0, rng.random(tokens) < 0.5
    relevant[0] = True
    found = average_precision(scores[None], relevant[None], np.ones((1, tokens), dtype=bool))
    assert found[0] == pytest.approx(average_precision_score(relevant, scores), rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.lists(TOKEN, min_size=1, max_size=6), min_size=1, max_size=5))
def test_average_precision_is_the_mean_over_orders_of_ties(
    rows: list[list[tuple[float, bool, bool]]],
) -> None:
    width = max(map(len, rows)) + 1
    scores = np.zeros((len(rows), width), dtype=np.float32)
    relevant, content = np.zeros((2, len(rows), width), dtype=bool)
    for at, row in enumerate(rows):
        scores[at, : len(row)], relevant[at, : len(row)], content[at, : len(row)] = zip(*row, strict=True)
    found = average_precision(scores, relevant, content)
    for at in range(len(rows)):
        truth, ranked = relevant[at, content[at]], scores[at, content[at]]
        expected = expected_precision(truth, ranked.tolist()) if truth.any() else np.nan
        np.testing.assert_allclose(found[at], expected, rtol=1e-12)


def test_constant_scores_get_what_random_orders_get() -> None:
    relevant = np.array([[True, False, False, True, False]])
    found = average_precision(np.ones((1, 5)), relevant, np.ones((1, 5), dtype=bool))
    assert found == pytest.approx(expected_average_precision(np.array([2]), np.array([5])))


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
    assert scored(metric, world.subject(constant)) == pytest.approx(np.nanmean(parts["ap_random"]))


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


def annotated(name: str, words: list[str], marked: dict[str, list[int]]) -> Example:
    """An example of label 2; what every annotator marked, by the number of the word."""
    ends = np.cumsum([len(word) + 1 for word in words])
    spans = [Span(int(end) - len(word) - 1, int(end) - 1) for word, end in zip(words, ends, strict=True)]
    rationales = tuple(
        Rationale(tuple(spans[at] for at in places), annotator=who) for who, places in marked.items()
    )
    return Example(name, (" ".join(words),), (2,), rationales)


def random_annotations(seed: int, count: int = 25) -> list[Example]:
    """Texts of 1 to 6 words with up to four annotators, some of whom marked nothing."""
    rng = np.random.default_rng(seed)
    found = []
    for at in range(count):
        words = rng.choice(["great", "film", "story", "people"], size=int(rng.integers(1, 7))).tolist()
        marked = {
            who: np.flatnonzero(rng.random(len(words)) < 0.4).tolist()
            for who in rng.permutation(list("abcd"))[: int(rng.integers(0, 5))].tolist()
        }
        found.append(annotated(f"t{at:02d}", words, marked))
    return found


def own_marks(item: Example) -> list[list[int]]:
    """Per annotator who marked something, 0 or 1 for every word; from characters, word by word."""
    words = item.texts[0].split()
    starts = [sum(len(word) + 1 for word in words[:at]) for at in range(len(words))]
    return [
        [int(start in {span.start for span in rationale.spans}) for start in starts]
        for rationale in item.rationales
        if rationale.spans
    ]


def mean_precision(truths: list[list[int]], scores: list[float]) -> float:
    return float(np.mean([expected_precision(truth, scores) for truth in truths]))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("annotators", ["union", "majority", "each"])
def test_several_annotators_are_those_of_a_direct_computation(annotators: str, seed: int) -> None:
    examples = random_annotations(seed)
    subject = World(examples).subject(Rounded(seed), size=4)
    units, _, parts = wide(HumanAgreement(annotators=annotators).score(subject))
    assert units == [item.id for item in examples]
    shards = {item.id: (shard, at) for shard in subject.shards for at, item in enumerate(shard.examples)}
    for row, item in enumerate(examples):
        masks = own_marks(item)
        votes = np.sum(masks, axis=0) if masks else np.zeros(1)
        shard, at = shards[item.id]
        scores = shard.scores[at, 2, shard.content[at]].tolist()
        if annotators == "union":
            truths = [(votes > 0).astype(int).tolist()]
        elif annotators == "majority":
            truths = [(votes > len(item.rationales) / 2).astype(int).tolist()]
        else:
            truths = masks
        truths = [truth for truth in truths if any(truth)]
        assert parts["no_rationale"][row, 0] == (not truths)
        if not truths:
            assert np.isnan(parts["ap"][row, 1])
            continue
        assert parts["ap"][row, 1] == pytest.approx(mean_precision(truths, scores), rel=1e-12)
        assert parts["prevalence"][row, 1] == pytest.approx(np.mean(truths), rel=1e-12)
        if annotators == "each":
            peers = [expected_precision(other, one) for one, other in permutations(map(tuple, masks), 2)]
            expected = np.mean(peers) if peers else np.nan
            np.testing.assert_allclose(parts["ceiling:ap"][row, 1], expected, rtol=1e-12)


class Rounded(Noise):
    """Scores of three values, so that there are ties."""

    def __call__(self, example, encoding, model):
        return np.round(super().__call__(example, encoding, model) * 2)


def test_the_ceiling_is_1_where_people_agree_and_lower_where_they_do_not() -> None:
    words = ["the", "great", "film"]
    agreed = annotated("agreed", words, {"a": [1], "b": [1]})
    apart = annotated("apart", words, {"a": [1], "b": [2]})
    alone = annotated("alone", words, {"a": [1]})
    subject = World([agreed, apart, alone]).subject(oracle)
    units, _, parts = wide(HumanAgreement(annotators="each").score(subject))
    found = dict(zip(units, parts["ceiling:ap"][:, 1], strict=True))
    # Apart: the only mark of one is where the other has none, so a mark is found second or third.
    assert found["agreed"] == 1 and found["apart"] == pytest.approx(5 / 12) and np.isnan(found["alone"])


def test_one_annotator_is_the_same_in_every_way() -> None:
    subject = World(keyword_examples(20)).subject(Noise())
    values = {scored(HumanAgreement(annotators=how), subject) for how in ("union", "majority", "each")}
    assert len(values) == 1


def test_names_and_order_of_annotators_do_not_matter() -> None:
    words = ["the", "great", "film", "is"]
    first = annotated("x", words, {"a": [1, 2], "b": [1], "c": [3]})
    second = annotated("x", words, {"3": [3], "1": [1], "2": [1, 2]})
    for how in ("union", "majority", "each"):
        metric = HumanAgreement(annotators=how)
        tables = [metric.score(World([item]).subject(Noise())) for item in (first, second)]
        np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], rtol=1e-12)


@pytest.mark.parametrize("how", ["union", "majority", "each"])
def test_annotators_do_not_depend_on_shards_and_order(how: str) -> None:
    examples, metric = random_annotations(3), HumanAgreement(annotators=how)
    whole = metric.score(World(examples).subject(Noise(), size=25))
    same_table(whole, metric.score(World(examples[::-1]).subject(Noise(), size=2)))


def test_unknown_annotators_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'majority'"):
        HumanAgreement(annotators="majorty")


@pytest.mark.parametrize("extra", [1, 3, 8, 40])
def test_padding_does_not_change_a_single_digit(extra: int) -> None:
    rng = np.random.default_rng(extra)
    for width in range(1, 40):
        scores = rng.normal(size=(1, width)).round(1)
        relevant, content = rng.random((2, 1, width)) < 0.6
        relevant[0, 0] = content[0, 0] = True
        before = average_precision(scores, relevant, content)
        more = (0, 0), (0, extra)
        after = average_precision(np.pad(scores, more), np.pad(relevant, more), np.pad(content, more))
        assert before.tobytes() == after.tobytes()
