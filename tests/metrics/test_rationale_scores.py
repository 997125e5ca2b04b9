"""Every metric against rationales by several annotators and groups of evidence, by brute force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, permutations
from typing import Any

import numpy as np
import pytest
from metrics_world import Noise, World, scored, value
from sklearn.metrics import average_precision_score
from ties_written_out import drawn_ranks, expected_precision, mean_over_orders

from assay.metrics.graded_agreement import GradedNdcg
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import wide, without_beside
from assay.metrics.span_overlap import IouF1
from assay.metrics.token_overlap import AuprcAsCoded, AuprcSteps, TokenF1, TopKAgreement
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span
from assay.tasks.randomness import generator

METRICS: list[Any] = [HumanAgreement, TokenF1, IouF1, AuprcSteps, TopKAgreement]
# The area by steps refuses to take the best of several groups of evidence.
OF_BEST: list[Any] = [HumanAgreement, TokenF1, IouF1, TopKAgreement]
WORDS = ("great", "film", "story", "people")
GROUPS = {"a": "expert", "b": "expert", "c": "crowd", "d": "crowd"}
Truth = Sequence[bool]


class Rounded(Noise):
    """Scores of three values, so that there are ties."""

    def __call__(self, example, encoding, model):
        return np.round(super().__call__(example, encoding, model) * 2)


def text(words: Sequence[str], *rationales: Rationale, name: str = "text") -> Example:
    return Example(name, (" ".join(words),), (2,), rationales)


def spans(words: Sequence[str], places: Sequence[int]) -> tuple[Span, ...]:
    ends = np.cumsum([len(word) + 1 for word in words]).tolist()
    return tuple(Span(ends[place] - len(words[place]) - 1, ends[place] - 1) for place in places)


def mark(words: Sequence[str], places: Sequence[int], who: str = "0", group: str = "") -> Rationale:
    return Rationale(spans(words, places), who, group=group)


def alternatives(words: Sequence[str], *places: Sequence[int], who: str = "0") -> Rationale:
    every = tuple(spans(words, each) for each in places)
    return Rationale(spans(words, sorted({*chain.from_iterable(places)})), who, alternatives=every)


def annotated_texts(seed: int, count: int = 16) -> list[Example]:
    """Texts of 1 to 6 words with up to four annotators, some of whom marked nothing; two of each group."""
    rng, found = np.random.default_rng(seed), []
    for at in range(count):
        words = rng.choice(WORDS, size=int(rng.integers(1, 7))).tolist()
        who = rng.permutation(list("abcd"))[: int(rng.integers(0, 5))].tolist()
        made = [
            mark(words, np.flatnonzero(rng.random(len(words)) < 0.4).tolist(), one, GROUPS[one])
            for one in who
        ]
        found.append(text(words, *made, name=f"t{at:02d}"))
    return found


def truth_of(item: Example, rationale: Rationale) -> tuple[bool, ...]:
    """For every word whether it is marked."""
    words = item.texts[0].split()
    return tuple(spans(words, [at])[0] in rationale.spans for at in range(len(words)))


def reference(metric: Any, item: Example, truth: Truth, scores: Sequence[float]) -> tuple[float, ...]:
    """The parts that make the value of a metric, of one text and one rationale, written out."""
    marked = sum(truth)
    if isinstance(metric, HumanAgreement):
        return (expected_precision(truth, scores),)
    if isinstance(metric, TokenF1):
        return (mean_over_orders(lambda order: sum(truth[at] for at in order[:marked]) / marked, scores),)
    if isinstance(metric, TopKAgreement):
        size = min(metric.k, len(truth))
        return (mean_over_orders(lambda order: sum(truth[at] for at in order[:size]) / size, scores),)
    if isinstance(metric, AuprcSteps):
        return (float(average_precision_score(truth, scores)),)
    noise = generator("ties", item.id).random(len(scores))
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], noise[at]))
    chosen, wanted = (runs({*places}) for places in (order[:marked], np.flatnonzero(truth).tolist()))
    matches = sum(any(len(one & other) / len(one | other) >= 0.5 for other in wanted) for one in chosen)
    return matches / len(chosen), matches / len(wanted)


def runs(places: set[int]) -> list[set[int]]:
    found: list[set[int]] = []
    for place in sorted(places):
        if found and place - 1 in found[-1]:
            found[-1].add(place)
        else:
            found.append({place})
    return found


def values_of(metric: Any) -> tuple[str, ...]:
    return ("precision", "recall") if isinstance(metric, IouF1) else (metric.info.part,)


def scores_of(item: Example, seed: int) -> list[float]:
    (shard,) = World([item]).subject(Rounded(seed)).shards
    return shard.scores[0, 2, shard.content[0]].tolist()


def truths_by(item: Example, annotators: str) -> list[Truth]:
    """What counts as marked, by the setting."""
    masks = [truth_of(item, rationale) for rationale in item.rationales]
    votes = np.sum(masks, axis=0) if masks else np.zeros(1)
    if annotators == "each":
        found: list[Any] = masks
    else:
        found = [(votes > (len(masks) / 2 if annotators == "majority" else 0)).tolist()]
    return [truth for truth in found if any(truth)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("annotators", ["union", "majority", "each"])
@pytest.mark.parametrize("kind", METRICS)
def test_all_metrics_take_annotators_alike(kind: Any, annotators: str, seed: int) -> None:
    examples, metric = annotated_texts(seed), kind(annotators=annotators)
    units, _, parts = wide(metric.score(World(examples).subject(Rounded(seed), size=5)))
    for row, item in enumerate(examples):
        assert units[row] == item.id
        scores, truths = scores_of(item, seed), truths_by(item, annotators)
        assert parts["no_rationale"][row, 0] == (not truths)
        each = [reference(metric, item, truth, scores) for truth in truths]
        for place, name in enumerate(values_of(metric)):
            expected = np.mean([found[place] for found in each]) if each else np.nan
            np.testing.assert_allclose(parts[name][row, 1], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", METRICS)
def test_the_ceiling_is_one_annotators_marks_against_anothers_by_the_very_metric(kind: Any) -> None:
    examples, metric = annotated_texts(3), kind(annotators="each")
    _, beside = without_beside(wide(metric.score(World(examples).subject(Noise(), size=5)))[2])
    several = 0
    for row, item in enumerate(examples):
        couples = list(permutations(truths_by(item, "each"), 2))
        several += bool(couples)
        each = [reference(metric, item, other, [float(mark) for mark in one]) for one, other in couples]
        for place, name in enumerate(values_of(metric)):
            expected = np.mean([found[place] for found in each]) if each else np.nan
            np.testing.assert_allclose(beside["ceiling"][name][row, 1], expected, rtol=1e-12)
    assert several > 5


@pytest.mark.parametrize("kind", METRICS)
def test_no_ceiling_without_each_and_of_single_annotators(kind: Any) -> None:
    subject = World(annotated_texts(3)).subject(Noise())
    for how in ("union", "majority"):
        assert "ceiling" not in without_beside(wide(kind(annotators=how).score(subject))[2])[1]
    alone = World([text(WORDS, mark(WORDS, [1]))]).subject(Noise())
    _, beside = without_beside(wide(kind(annotators="each").score(alone))[2])
    assert all(np.isnan(values).all() for values in beside["ceiling"].values())


@pytest.mark.parametrize("how", ["union", "majority", "each"])
@pytest.mark.parametrize("kind", [*METRICS, GradedNdcg])
def test_a_groups_marks_are_as_if_nobody_else_had_marked(kind: Any, how: str) -> None:
    examples = annotated_texts(5)
    metric = kind() if kind is GradedNdcg else kind(annotators=how)
    units, _, parts = wide(metric.score(World(examples).subject(Rounded(), size=4)))
    _, beside = without_beside(parts)
    assert set(beside) - {"ceiling"} == {"group crowd", "group expert"}
    for group in ("crowd", "expert"):
        alone = [
            replace(item, rationales=tuple(one for one in item.rationales if one.group == group))
            for item in examples
        ]
        found = value(metric, metric.score(World(alone).subject(Rounded(), size=4)))
        index = np.arange(len(units))[None]
        assert metric.summarise(beside[f"group {group}"], index)[0] == pytest.approx(found, rel=1e-12)


def test_a_group_changes_nothing_else() -> None:
    examples = annotated_texts(5)
    plain = [
        replace(item, rationales=tuple(replace(one, group="") for one in item.rationales))
        for item in examples
    ]
    for kind in METRICS:
        found = {scored(kind(), World(texts).subject(Rounded(), size=4)) for texts in (examples, plain)}
        assert len(found) == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", OF_BEST)
def test_of_groups_of_evidence_the_one_counts_that_scores_match_best(kind: Any, seed: int) -> None:
    rng, examples = np.random.default_rng(seed), []
    for at in range(8):
        words = rng.choice(WORDS, size=6).tolist()
        places = [np.flatnonzero(rng.random(6) < 0.4).tolist() or [0] for _ in range(3)]
        examples.append(text(words, alternatives(words, *places), name=f"t{at}"))
    best, union = kind(evidence="best"), kind()
    _, _, parts = wide(best.score(World(examples).subject(Rounded(seed), size=3)))
    _, _, as_union = wide(union.score(World(examples).subject(Rounded(seed), size=3)))
    for row, item in enumerate(examples):
        scores = scores_of(item, seed)
        groups = [Rationale(spans) for spans in item.rationales[0].alternatives]
        both = reference(union, item, truth_of(item, item.rationales[0]), scores)
        # Ties of spans come in one order.
        ranks = [scores] if kind is IouF1 else drawn_ranks(item.id, scores)
        truths = {truth_of(item, group) for group in groups}
        expected = mean_of_best(best, item, truths, ranks if len(truths) > 1 else [scores])
        found = f1(*(parts[name][row, 1] for name in values_of(best)))
        assert found == pytest.approx(expected, rel=1e-12)
        for place, name in enumerate(values_of(union)):
            assert as_union[name][row, 1] == pytest.approx(both[place], rel=1e-12)


def mean_of_best(
    metric: Any, item: Example, truths: Iterable[Truth], ranks: Sequence[Sequence[float]]
) -> float:
    """The value of the best of several groups of evidence within each order, as a mean over the orders."""
    return float(np.mean([max(f1(*reference(metric, item, truth, of)) for truth in truths) for of in ranks]))


def f1(precision: float, recall: float | None = None) -> float:
    """The F1 of precision and recall, or the value itself of a metric that has one part."""
    if recall is None:
        return precision
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("kind", [HumanAgreement, TokenF1, TopKAgreement])
def test_random_scores_get_the_best_group_too(kind: Any) -> None:
    words, metric = [*WORDS, "great"], kind(evidence="best") if kind is not TopKAgreement else None
    metric = metric or TopKAgreement(k=2, evidence="best")
    places = [0], [1, 2], [2, 3, 4]
    examples = [text(words, alternatives(words, *places), name=f"t{at:03d}") for at in range(60)]
    truths = [[at in each for at in range(5)] for each in places]
    orders = np.array(list(permutations(range(5))), dtype=float)

    def of_order(scores: list[float], truth: list[bool]) -> float:
        ranked = [truth[at] for at in np.argsort([-score for score in scores])]
        if kind is HumanAgreement:
            return float(average_precision_score(truth, scores))
        return sum(ranked[:2]) / 2 if kind is TopKAgreement else sum(ranked[: sum(truth)]) / sum(truth)

    every = [max(of_order(scores.tolist(), truth) for truth in truths) for scores in orders]
    _, _, parts = wide(metric.score(World(examples).subject(Noise())))
    found = parts[f"{metric.info.part}_random"][:, 1]
    error = np.std(every) / np.sqrt(50 * len(examples))
    assert abs(found.mean() - np.mean(every)) < 4 * error
    # What a random explainer is scored by is the same rule.
    drawn = [parts[metric.info.part][:, 1].mean()]
    drawn += [
        wide(metric.score(World(examples).subject(Noise(seed))))[2][metric.info.part][:, 1].mean()
        for seed in range(1, 20)
    ]
    assert abs(np.mean(drawn) - np.mean(every)) < 4 * np.std(every) / np.sqrt(20 * len(examples))
    again = wide(metric.score(World(examples).subject(Rounded(), size=2)))[2]
    np.testing.assert_array_equal(found, again[f"{metric.info.part}_random"][:, 1])


def test_one_group_of_evidence_is_the_same_by_both_rules() -> None:
    subject = World([text(WORDS, mark(WORDS, [0, 2])), *annotated_texts(1)]).subject(Rounded())
    for kind in OF_BEST:
        for how in ("union", "majority", "each"):
            assert scored(kind(annotators=how, evidence="best"), subject) == pytest.approx(
                scored(kind(annotators=how), subject), rel=1e-12
            )
    parts = wide(HumanAgreement(evidence="best").score(subject))[2]
    np.testing.assert_array_equal(parts["ap_random"], wide(HumanAgreement().score(subject))[2]["ap_random"])


def test_alternatives_of_several_annotators_are_scored_one_by_one_or_refused() -> None:
    two = alternatives(WORDS, [0], [2, 3], who="a"), mark(WORDS, [1], "b")
    subject = World([text(WORDS, *two), text(WORDS, two[0], name="alone")]).subject(Rounded())
    for how in ("union", "majority"):
        with pytest.raises(InputError, match=r"'text' has groups of evidence of more than .*annotators=each"):
            HumanAgreement(annotators=how, evidence="best").score(subject)
    metric = HumanAgreement(annotators="each", evidence="best")
    _, _, parts = wide(metric.score(subject))
    scores = scores_of(text(WORDS, *two), 0)
    truths = [[at in places for at in range(4)] for places in ([0], [2, 3], [1])]
    item = text(WORDS, *two)
    of_groups = mean_of_best(metric, item, truths[:2], drawn_ranks("text", scores))
    of_mark = expected_precision(truths[2], scores)
    assert parts["ap"][1, 1] == pytest.approx((of_groups + of_mark) / 2, rel=1e-12)
    # One annotator's marks as scores for the other's: the best group of "a", and all groups of "a" for "b".
    of_b = mean_of_best(metric, item, truths[:2], drawn_ranks("text", [0, 1, 0, 0]))
    of_a = expected_precision(truths[2], [1, 0, 1, 1])
    assert parts["ceiling:ap"][1, 1] == pytest.approx((of_a + of_b) / 2, rel=1e-12)
    assert np.isnan(parts["ceiling:ap"][0, 1])


def test_what_is_as_coded_takes_the_union() -> None:
    examples = annotated_texts(2)
    merged = []
    for item in examples:
        every = {span for rationale in item.rationales for span in rationale.spans}
        merged.append(replace(item, rationales=(Rationale(tuple(sorted(every))),) if every else ()))
    found = {scored(AuprcAsCoded(), World(texts).subject(Rounded(), size=4)) for texts in (examples, merged)}
    assert len(found) == 1 and not hasattr(AuprcAsCoded(), "annotators")
