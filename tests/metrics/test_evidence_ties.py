"""Ties and the best of several groups of evidence: the best within an order, as a mean over orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metrics_world import Noise, World
from test_rationale_scores import (
    WORDS,
    alternatives,
    annotated_texts,
    f1,
    mark,
    mean_of_best,
    reference,
    text,
    values_of,
)
from ties_written_out import drawn_ranks, orders

from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import wide
from assay.metrics.span_overlap import IouF1
from assay.metrics.token_overlap import AuprcSteps, TokenF1, TopKAgreement
from assay.tasks.errors import InputError
from assay.tasks.example import Example

FIVE = [*WORDS, "great"]
# Of these the value is the expectation over orders of ties; spans (IouF1) come in one order per text.
OVER_ORDERS: list[Any] = [HumanAgreement, TokenF1, TopKAgreement]
GROUPS = {
    "single words": ([0], [2], [4]),
    "pairs": ([0, 1], [3, 4]),
    "of unequal size that overlap": ([0], [1, 2], [2, 3, 4]),
}
SCORES = {
    "constant": [0.0, 0.0, 0.0, 0.0, 0.0],
    "ties above": [2.0, 2.0, 2.0, 1.0, 0.0],
    "ties below": [1.0, 3.0, 2.0, 1.0, 1.0],
    "ties up to rounding": [1.0, 1.0 + 1e-7, 0.5, 1.0, 0.5],
    "no ties": [2.0, 5.0, 1.0, 4.0, 3.0],
}


class Given(Noise):
    """The same scores for every text, and as many of them as it has words."""

    def __init__(self, scores: Sequence[float]) -> None:
        super().__init__()
        self.given = scores

    def __call__(self, example, encoding, model):
        found = np.zeros_like(super().__call__(example, encoding, model))
        found[:, encoding.content] = self.given[: encoding.content.sum()]
        return found


def best_of(kind: Any) -> Any:
    """The metric; of five words it takes two at the top, not all."""
    return TopKAgreement(k=2, evidence="best") if kind is TopKAgreement else kind(evidence="best")


def copies(places: Sequence[Sequence[int]], count: int) -> list[Example]:
    """Texts that differ in their ids alone, and so in the random orders of their ties."""
    return [text(FIVE, alternatives(FIVE, *places), name=f"t{at:03d}") for at in range(count)]


def measured(metric: Any, examples: list[Example], scores: Sequence[float]) -> Any:
    """The parts of the metric."""
    return wide(metric.score(World(examples).subject(Given(scores), size=7)))[2]


def every_order(
    metric: Any, item: Example, places: Sequence[Sequence[int]], scores: Sequence[float]
) -> list[float]:
    """The best of the groups in each order of the ties."""
    truths = [[at in group for at in range(5)] for group in places]
    ranks = [[-float(order.index(at)) for at in range(5)] for order in orders(scores)]
    return [mean_of_best(metric, item, truths, [of]) for of in ranks]


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("places", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("kind", [*OVER_ORDERS, IouF1])
def test_the_value_is_the_mean_over_all_orders_of_the_best_group(
    kind: Any, places: Sequence[Sequence[int]], scores: Sequence[float]
) -> None:
    metric = best_of(kind)
    examples = copies(places, 100)
    parts = measured(metric, examples, scores)
    columns = [parts[name][:, 1] for name in values_of(metric)]
    found = np.array([f1(*values) for values in zip(*columns, strict=True)])
    every = every_order(metric, examples[0], places, scores)
    drawn = 1 if kind is IouF1 else 50
    error = np.std(every) / np.sqrt(drawn * len(examples))
    assert abs(found.mean() - np.mean(every)) < 4 * error + 1e-12


@pytest.mark.parametrize("annotators", ["union", "each"])
@pytest.mark.parametrize(
    "metric", [HumanAgreement(), TokenF1(), TokenF1(share=0.4), TopKAgreement(k=2), TopKAgreement()]
)
def test_a_constant_gets_the_random_level(metric: Any, annotators: str) -> None:
    metric = replace(metric, annotators=annotators, evidence="best")
    examples = [example for places in GROUPS.values() for example in copies(places, 1)]
    examples = [*examples, *copies([[1, 2]], 1), *(annotated_texts(1) if annotators == "each" else [])]
    one_word = text(["great"], alternatives(["great"], [0], [0]))
    both = text(FIVE, alternatives(FIVE, [0], [2, 3], who="a"), mark(FIVE, [1], "b"))
    examples += [one_word, *([both] if annotators == "each" else [])]
    examples = [replace(example, id=f"n{at:02d}") for at, example in enumerate(examples)]
    parts = measured(metric, examples, [0.0] * 6)
    part = metric.info.part
    np.testing.assert_allclose(parts[part], parts[f"{part}_random"], rtol=1e-12)
    assert (~np.isnan(parts[part])).any(axis=1).sum() > 4


def test_spans_take_the_best_group_of_their_one_order_of_ties() -> None:
    metric, (item,) = IouF1(evidence="best"), copies(GROUPS["pairs"], 1)
    scores = SCORES["ties above"]
    truths = [[at in group for at in range(5)] for group in GROUPS["pairs"]]
    parts = measured(metric, [item], scores)
    best = max((reference(metric, item, truth, scores) for truth in truths), key=lambda found: f1(*found))
    assert [parts[name][0, 1] for name in values_of(metric)] == pytest.approx(best, rel=1e-12)
    assert not any(name.endswith("_random") for name in parts)


def test_the_area_by_steps_refuses_the_best_group_which_would_rank_ties_below_random_orders() -> None:
    (item,) = copies(GROUPS["single words"], 1)
    truths = [[at in group for at in range(5)] for group in GROUPS["single words"]]
    constant = max(reference(AuprcSteps(), item, truth, SCORES["constant"]) for truth in truths)
    random = np.mean(every_order(AuprcSteps(), item, GROUPS["single words"], SCORES["constant"]))
    assert constant == pytest.approx([0.2]) and random > 0.6
    with pytest.raises(InputError, match=r"auprc_steps\.evidence is best; expected union.*human_agreement"):
        AuprcSteps(evidence="best")
    assert AuprcSteps(evidence="union") == AuprcSteps()


@pytest.mark.parametrize("kind", [*OVER_ORDERS, IouF1])
def test_marks_as_scores_find_a_group_of_one_word_whole(kind: Any) -> None:
    metric = TopKAgreement(k=1, evidence="best") if kind is TopKAgreement else kind(evidence="best")
    parts = measured(metric, copies(GROUPS["single words"], 9), [1.0, 0.0, 1.0, 0.0, 1.0])
    for name in values_of(metric):
        np.testing.assert_array_equal(parts[name][:, 1], 1.0)


def test_the_share_of_rationale_tokens_is_that_of_the_best_group_of_each_order() -> None:
    parts = measured(HumanAgreement(evidence="best"), copies([[0], [1, 2]], 1), SCORES["constant"])
    truths = [True, False, False, False, False], [False, True, True, False, False]
    ranks = drawn_ranks("t000", SCORES["constant"])
    metric, item = HumanAgreement(), copies([[0]], 1)[0]
    best = [max(truths, key=lambda truth: reference(metric, item, truth, of)) for of in ranks]
    assert parts["prevalence"][0, 1] == pytest.approx(np.mean([sum(truth) / 5 for truth in best]))


@pytest.mark.parametrize("kind", OVER_ORDERS)
def test_the_ceiling_takes_the_best_group_within_each_order(kind: Any) -> None:
    metric = kind(annotators="each", evidence="best")
    examples = [
        text(
            FIVE, alternatives(FIVE, *GROUPS["pairs"], who="a"), mark(FIVE, [1, 2, 3], "b"), name=f"t{at:03d}"
        )
        for at in range(200)
    ]
    parts = measured(metric, examples, SCORES["no ties"])
    of_b = every_order(metric, examples[0], GROUPS["pairs"], [0.0, 1.0, 1.0, 1.0, 0.0])
    of_a = every_order(metric, examples[0], [[1, 2, 3]], [1.0, 1.0, 0.0, 1.0, 1.0])
    found = parts[f"ceiling:{metric.info.part}"][:, 1]
    expected = (np.mean(of_a) + np.mean(of_b)) / 2
    assert abs(found.mean() - expected) < 4 * np.std(of_b) / 2 / np.sqrt(50 * len(examples)) + 1e-12
