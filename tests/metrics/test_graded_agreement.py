"""Agreement with graded rationales, against scikit-learn, scipy and enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import Noise, World, constant, inverted, keyword_examples, oracle, same_table, scored
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, ndcg_score
from ties_written_out import mean_over_orders

from assay.metrics.graded_agreement import (
    GradedNdcg,
    GradedPrecision,
    GradedSpearman,
    discounted_gain,
    expected_graded_precision,
)
from assay.metrics.human_agreement import HumanAgreement, average_precision
from assay.metrics.long_table import wide
from assay.metrics.rationales import graded
from assay.tasks.errors import InputError
from assay.tasks.example import Example, GradedSpan, Rationale, Span

METRICS = (GradedNdcg(), GradedSpearman(), GradedPrecision())
GRADES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
TOKEN = st.tuples(st.sampled_from([-1.0, 0.0, 0.25, 0.5]), GRADES)
TOKENS, FEW_TOKENS = (st.lists(TOKEN, min_size=2, max_size=most) for most in (7, 5))


def arrays(tokens: list[tuple[float, float]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    scores, grades = zip(*tokens, strict=True)
    return np.array(scores), np.array(grades)


def one_by_one(order: tuple[int, ...], grades: np.ndarray[Any, Any]) -> float:
    """Discounted gain of tokens in an order, by the definition."""
    return sum(grades[token] / np.log2(2 + rank) for rank, token in enumerate(order))


@settings(deadline=None)
@given(TOKENS)
def test_gain_is_the_mean_over_the_orders_of_ties_and_that_of_sklearn(
    tokens: list[tuple[float, float]],
) -> None:
    scores, grades = arrays(tokens)
    orders = [
        order
        for order in permutations(range(len(tokens)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    expected = np.mean([one_by_one(order, grades) for order in orders])
    assert discounted_gain(scores, grades) == pytest.approx(expected, rel=1e-12)
    if grades.any():
        ratio = discounted_gain(scores, grades) / discounted_gain(grades, grades)
        assert ratio == pytest.approx(ndcg_score(grades[None], scores[None]), rel=1e-12)


def soft_precision(scores: np.ndarray[Any, Any], grades: np.ndarray[Any, Any]) -> float:
    """scikit-learn's, each token as a relevant one of weight g and an irrelevant one of weight 1 - g."""
    truth = np.repeat([1, 0], len(scores))
    return average_precision_score(truth, np.tile(scores, 2), sample_weight=np.append(grades, 1 - grades))


# scikit-learn is asked once per order: of five tokens there are 120 at most, of seven 5,040.
@settings(deadline=None)
@given(FEW_TOKENS)
def test_graded_precision_is_the_mean_over_orders_of_ties(tokens: list[tuple[float, float]]) -> None:
    scores, grades = arrays(tokens)
    if not grades.any():
        return
    found = average_precision(scores[None], grades[None], np.ones((1, len(scores)), dtype=bool))[0]

    def of_order(order: list[int]) -> float:
        return soft_precision(-np.argsort(order).astype(float), grades)

    assert found == pytest.approx(mean_over_orders(of_order, scores.tolist()), rel=1e-12)


@settings(deadline=None)
@given(TOKENS)
def test_graded_precision_without_ties_is_that_of_sklearn_with_weights(
    tokens: list[tuple[float, float]],
) -> None:
    _, grades = arrays(tokens)
    scores = np.arange(len(grades))[::-1].astype(float)
    if not grades.any():
        return
    found = average_precision(scores[None], grades[None], np.ones((1, len(scores)), dtype=bool))[0]
    assert found == pytest.approx(soft_precision(scores, grades), rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.lists(GRADES, min_size=1, max_size=6).filter(any))
def test_precision_of_a_random_order_and_of_the_best(grades: list[float]) -> None:
    each = [
        sum(
            grades[token] * sum(grades[other] for other in order[: rank + 1]) / (rank + 1)
            for rank, token in enumerate(order)
        )
        / sum(grades)
        for order in permutations(range(len(grades)))
    ]
    expected = sum(each) / len(each)
    assert expected_graded_precision(np.array(grades)) == pytest.approx(expected, rel=1e-12)
    parts = values(GradedPrecision(), [words("a", grades)], Noise())
    assert parts["ap_best"][0] == pytest.approx(max(each), rel=1e-6)
    assert parts["ap_random"][0] == pytest.approx(expected, rel=1e-6)


def words(name: str, *of_annotators: list[float], text: str = "", label: int | None = None) -> Example:
    """An example of label 2 with a word for each grade; every annotator's grades of the words."""
    vocabulary = ["great", "film", "story", "people", "the", "awful", "is"]
    parts = text.split() or vocabulary[: len(of_annotators[0])]
    ends = np.cumsum([len(word) + 1 for word in parts])
    places = [Span(int(end) - len(word) - 1, int(end) - 1) for word, end in zip(parts, ends, strict=True)]
    rationales = []
    for number, grades in enumerate(of_annotators):
        marks = tuple(GradedSpan(at, g) for at, g in zip(places, grades, strict=True) if g > 0)
        kept = marks if any(mark.grade < 1 for mark in marks) else ()
        rationales.append(Rationale(tuple(mark.span for mark in marks), str(number), label, kept))
    return Example(name, (" ".join(parts),), (2,), tuple(rationales))


def values(metric: Any, examples: list[Example], explain: Any) -> dict[str, Any]:
    _, targets, parts = wide(metric.score(World(examples).subject(explain)))
    return {name: part[:, targets.index(2)] for name, part in parts.items() if name != "no_rationale"}


def shard_scores(examples: list[Example], explain: Any) -> list[np.ndarray[Any, Any]]:
    (shard,) = World(examples).subject(explain, size=len(examples)).shards
    return [shard.scores[row, 2, shard.content[row]].astype(float) for row in range(len(examples))]


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_texts_are_those_of_a_direct_computation(seed: int) -> None:
    """Several annotators with grades, some of whom marked nothing: the mean over those who did."""
    rng = np.random.default_rng(seed)
    examples, means = [], []
    for at in range(12):
        count = int(rng.integers(2, 7))
        of_annotators = [
            rng.choice([0, 0, 0.25, 0.5, 1], size=count).tolist() for _ in range(int(rng.integers(1, 4)))
        ]
        examples.append(words(f"t{at:02d}", *of_annotators))
        marked = [grades for grades in of_annotators if any(grades)]
        means.append(np.mean(marked, axis=0) if marked else None)
    noise = Noise(seed)
    found = [values(metric, examples, noise) for metric in METRICS]
    for row, (scores, grades) in enumerate(zip(shard_scores(examples, noise), means, strict=True)):
        if grades is None:
            assert all(np.isnan(part[row]) for parts in found for part in parts.values())
            continue
        assert found[0]["ndcg"][row] == pytest.approx(ndcg_score(grades[None], scores[None]), rel=1e-9)
        gains = [one_by_one(order, grades) for order in permutations(range(len(grades)))]
        assert found[0]["ndcg_random"][row] == pytest.approx(np.mean(gains) / max(gains), rel=1e-9)
        expected: Any = np.nan if np.ptp(grades) == 0 else spearmanr(scores, grades)[0]
        np.testing.assert_allclose(found[1]["correlation"][row], expected, rtol=1e-9)
        assert found[2]["ap"][row] == pytest.approx(soft_precision(scores, grades), rel=1e-9)


def test_with_marks_of_0_and_1_graded_precision_is_average_precision() -> None:
    examples, noise = keyword_examples(30), Noise()
    graded_parts = values(GradedPrecision(), examples, noise)
    plain = values(HumanAgreement(), examples, noise)
    for name in ("ap", "ap_random"):
        np.testing.assert_allclose(graded_parts[name], plain[name], rtol=1e-12)
    np.testing.assert_allclose(graded_parts["ap_best"][~np.isnan(plain["ap"])], 1.0)


def as_graded(example: Any, encoding: Any, model: Any) -> np.ndarray[Any, Any]:
    """Explains by the grades themselves."""
    row = np.zeros(len(encoding), dtype=np.float32)
    for rationale in example.rationales:
        for span, grade in rationale.graded:
            row[(encoding.offsets[:, 0] == span.start) & encoding.content] = grade
    return np.tile(row, (3, 1))


def test_the_order_of_the_grades_is_best_and_its_inverse_worst() -> None:
    examples = [words(f"t{n}", [0.25, 0, 1, 0.5, 0.1][n:] + [0.3, 0.9][: n + 1]) for n in range(3)]

    def turned(example: Any, encoding: Any, model: Any) -> Any:
        return -as_graded(example, encoding, model)

    for metric in METRICS:
        best, middle, worst = (
            scored(metric, World(examples).subject(e)) for e in (as_graded, Noise(), turned)
        )
        assert worst < middle < best
    assert scored(GradedNdcg(), World(examples).subject(as_graded)) == pytest.approx(1)
    assert scored(GradedSpearman(), World(examples).subject(as_graded)) == pytest.approx(1)
    parts = values(GradedPrecision(), examples, as_graded)
    np.testing.assert_allclose(parts["ap"], parts["ap_best"], rtol=1e-6)


def test_constant_scores_get_what_random_ones_get_and_no_correlation() -> None:
    examples = [words("a", [0.25, 0, 1, 0.5]), words("b", [0, 0, 0.5])]
    parts = values(GradedNdcg(), examples, constant)
    np.testing.assert_allclose(parts["ndcg"], parts["ndcg_random"], rtol=1e-12)
    assert scored(GradedSpearman(), World(examples).subject(constant)) == 0
    parts = values(GradedPrecision(), examples, constant)
    np.testing.assert_allclose(parts["ap"], parts["ap_random"], rtol=1e-12)


def test_texts_of_one_grade_have_no_order_to_recover() -> None:
    examples = [words("a", [0.5, 0.5, 0.5]), words("b", [0, 0, 0.5])]
    parts = values(GradedSpearman(), examples, Noise())
    assert np.isnan(parts["correlation"][0]) and not np.isnan(parts["correlation"][1])


def test_a_rationale_that_counts_nowhere_has_grades_all_the_same() -> None:
    """All grades below the threshold: metrics of yes and no leave the text out, those of grades do not."""
    marks = Rationale((), graded=(GradedSpan(Span(0, 5), 0.2),))
    examples = [Example("a", ("great film",), (2,), (marks,)), words("b", [1.0, 0.0])]
    assert not np.isnan(values(GradedNdcg(), examples, Noise())["ndcg"]).any()
    left_out = HumanAgreement().score(World(examples).subject(Noise())).query("part == 'no_rationale'")
    assert left_out["value"].tolist() == [1.0, 0.0]


def test_the_highest_grade_on_a_token_counts_and_special_tokens_have_none() -> None:
    spans = (GradedSpan(Span(0, 10), 0.25), GradedSpan(Span(6, 10), 0.75))
    both = Rationale(tuple(mark.span for mark in spans), graded=spans)
    subject = World([Example("a", ("great film the",), (2,), (both,))]).subject(oracle)
    (shard,) = subject.shards
    has, grades = graded(subject, shard, "gold", "graded_ndcg")
    assert grades[0][shard.content[0]].tolist() == [0.25, 0.75, 0]
    assert not grades[0][~shard.content[0]].any()
    assert (has.tokens == (grades > 0)).all()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_shards_order_and_missing_explanations(metric: Any) -> None:
    rng = np.random.default_rng(0)
    examples = [
        words(f"t{at:02d}", rng.choice([0, 0.5, 1], size=int(rng.integers(1, 7))).tolist())
        for at in range(20)
    ]
    whole = metric.score(World(examples).subject(Noise(), size=20))
    same_table(whole, metric.score(World(examples[::-1]).subject(Noise(), size=3)))
    subject = World(examples[:1]).subject(oracle, only=lambda _: np.array([True, True, False]))
    with pytest.raises(InputError, match="class 'positive'"):
        metric.score(subject)
    with pytest.raises(InputError, match="did you mean 'gold'"):
        replace(metric, target="golden")


def test_inverted_explanations_of_marks_are_below_chance() -> None:
    world = World(keyword_examples(40))
    assert (
        scored(GradedSpearman(), world.subject(inverted))
        < 0
        < scored(GradedSpearman(), world.subject(oracle))
    )
