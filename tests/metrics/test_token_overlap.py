from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import ties_written_out
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
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import wide
from assay.metrics.span_overlap import IouF1, found, runs
from assay.metrics.token_overlap import (
    AuprcAsCoded,
    AuprcSteps,
    TokenF1,
    TopKAgreement,
    precision_recall_area,
)
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span
from assay.tasks.randomness import generator

METRICS = [
    TokenF1(),
    TokenF1(share=0.3),
    IouF1(),
    IouF1(share=0.3),
    AuprcAsCoded(),
    AuprcSteps(),
    TopKAgreement(),
    TopKAgreement(k=1),
]
NAMES = [f"{metric.name} {number}" for number, metric in enumerate(METRICS)]
TOKEN = st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1e-7, 1.0]), st.booleans())


def marked_at_random(seed: int, count: int = 30) -> list[Example]:
    """Texts of 1 to 12 words, any of them marked, in some texts none and in some all."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(count):
        words = rng.choice(["the", "film", "great", "people"], size=int(rng.integers(1, 13))).tolist()
        ends = np.cumsum([len(word) + 1 for word in words]).tolist()
        marked = np.flatnonzero(rng.random(len(words)) < rng.choice([0, 0.3, 0.7, 1])).tolist()
        spans = tuple(Span(ends[place] - len(words[place]) - 1, ends[place] - 1) for place in marked)
        made.append(Example(f"t{at:02d}", (" ".join(words),), (2,), (Rationale(spans),) if spans else ()))
    return made


class Rounded(Noise):
    """Scores of four values, so that there are ties."""

    def __call__(self, example: Any, encoding: Any, model: Any) -> Any:
        return np.round(super().__call__(example, encoding, model) * 3)


def scored_words(
    seed: int, share: float | None, k: int | None
) -> list[tuple[Example, list[float], set[int], int]]:
    """Per text with a rationale: its words' scores, the marked words, and how many words are to be chosen."""
    cases = []
    for item in marked_at_random(seed):
        if not item.rationales:
            continue
        words = item.texts[0].split()
        starts = [sum(len(word) + 1 for word in words[:at]) for at in range(len(words))]
        marked = {starts.index(span.start) for span in item.rationales[0].spans}
        (shard,) = World([item]).subject(Rounded(seed)).shards
        if k is not None:
            size = min(k, len(words))
        else:
            size = len(marked) if share is None else max(1, int(share * len(words) + 0.5))
        cases.append((item, shard.scores[0, 2, shard.content[0]].tolist(), marked, size))
    return cases


def expected_cases(seed: int, share: float | None, k: int | None) -> list[tuple[float, int, int]]:
    """Per text with a rationale: how many marked words are expected among the chosen ones, over the orders of
    ties; how many are chosen; how many are marked."""
    cases = []
    for _, scores, marked, size in scored_words(seed, share, k):
        hits, left = 0.0, size
        for group in ties_written_out.groups(scores):
            taken = min(left, len(group))
            hits += len(marked & {*group}) * taken / len(group)
            left -= taken
        cases.append((hits, size, len(marked)))
    return cases


def reference(seed: int, share: float | None) -> list[tuple[set[int], set[int]]]:
    """Per text with a rationale: the chosen and the marked words, ties in the order of the text's draws."""
    cases = []
    for item, scores, marked, size in scored_words(seed, share, None):
        noise = generator("ties", item.id).random(len(scores))
        order = sorted(range(len(scores)), key=lambda at: (-scores[at], noise[at]))
        cases.append((set(order[:size]), marked))
    return cases


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [None, 0.2, 0.5, 1.0])
def test_token_f1_is_expected_over_ties(seed: int, share: float | None) -> None:
    expected = []
    for hits, chosen, marked in expected_cases(seed, share, None):
        precision, recall = hits / chosen, hits / marked
        expected.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    subject = World(marked_at_random(seed)).subject(Rounded(seed), seed=7, size=4)
    assert scored(TokenF1(share=share), subject) == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 3, 50])
def test_top_k_agreement_is_expected_over_ties(seed: int, k: int) -> None:
    expected = [hits / chosen for hits, chosen, _ in expected_cases(seed, None, k)]
    subject = World(marked_at_random(seed)).subject(Rounded(seed), seed=7, size=4)
    assert scored(TopKAgreement(k=k), subject) == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_the_area_by_steps_is_that_of_sklearn_and_constant_scores_get_the_prevalence(seed: int) -> None:
    world, areas = World(marked_at_random(seed)), []
    for _, scores, marked, _ in scored_words(seed, None, None):
        areas.append(average_precision_score([at in marked for at in range(len(scores))], scores))
    subject = world.subject(Rounded(seed), seed=7, size=4)
    assert scored(AuprcSteps(), subject) == pytest.approx(np.mean(areas), rel=1e-12)
    _, _, parts = wide(TopKAgreement().score(subject))
    assert scored(AuprcSteps(), world.subject(constant)) == pytest.approx(np.nanmean(parts["prevalence"]))


def spans_of(words: set[int]) -> list[range]:
    found: list[range] = []
    for word in sorted(words):
        if found and found[-1].stop == word:
            found[-1] = range(found[-1].start, word + 1)
        else:
            found.append(range(word, word + 1))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [None, 0.4])
@pytest.mark.parametrize("threshold", [0.5, 0.75, 1.0])
def test_iou_f1_is_erasers_macro_average(seed: int, share: float | None, threshold: float) -> None:
    precisions, recalls = [], []
    for chosen, marked in reference(seed, share):
        predicted, truth = spans_of(chosen), spans_of(marked)
        hits = 0
        for one in predicted:
            best = max(len({*one} & {*other}) / len({*one} | {*other}) for other in truth)
            hits += best >= threshold
        precisions.append(hits / len(predicted))
        recalls.append(hits / len(truth))
    p, r = np.mean(precisions), np.mean(recalls)
    subject = World(marked_at_random(seed)).subject(Rounded(seed), seed=7, size=4)
    value = scored(IouF1(share=share, threshold=threshold), subject)
    assert value == pytest.approx(2 * p * r / (p + r) if p + r else 0.0, rel=1e-12)


@settings(deadline=None)
@given(st.lists(TOKEN, min_size=1, max_size=10))
def test_the_area_is_that_of_sklearn(tokens: list[tuple[float, bool]]) -> None:
    scores, relevant = (np.array(side) for side in zip(*tokens, strict=True))
    relevant[0] = True
    precision, recall, _ = precision_recall_curve(relevant, scores)
    assert precision_recall_area(scores, relevant) == pytest.approx(auc(recall, precision), rel=1e-12)


def test_constant_scores_are_flattered_as_the_page_says() -> None:
    subject = World(keyword_examples(20)).subject(constant)
    _, _, parts = wide(TopKAgreement().score(subject))
    assert scored(AuprcAsCoded(), subject) == pytest.approx((1 + np.nanmean(parts["prevalence"])) / 2)


def test_runs_end_with_the_text_of_a_pair() -> None:
    mask = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1], dtype=bool)
    segments = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    assert runs(mask, segments).tolist() == [[1, 3], [3, 4], [5, 7], [8, 9]]
    assert runs(np.zeros(3, dtype=bool), segments[:3]).tolist() == []


@pytest.mark.parametrize(
    ("chosen", "marked", "expected"),
    [
        ([[0, 2]], [[1, 3]], 0),  # a third
        ([[0, 2]], [[0, 1]], 1),  # exactly a half
        ([[0, 6]], [[0, 2], [3, 6]], 1),  # one of the two
        ([[0, 1], [2, 5]], [[2, 5]], 1),
        ([[0, 1]], [[1, 2]], 0),
    ],
)
def test_spans_are_found_from_half_overlap_on(
    chosen: list[list[int]], marked: list[list[int]], expected: int
) -> None:
    assert found(np.array(chosen), np.array(marked), 0.5) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_no_marked_span_is_found_twice(tokens: list[tuple[bool, bool]]) -> None:
    sides = [np.array(side) for side in zip(*tokens, strict=True)]
    if all(side.any() for side in sides):
        chosen, marked = (runs(side, np.zeros(len(side), dtype=int)) for side in sides)
        assert found(chosen, marked, 0.5) <= min(len(chosen), len(marked))


@pytest.mark.parametrize("positives", [1, 2, 4])
@pytest.mark.parametrize("share", [None, 0.5])
def test_expected_f1_is_the_mean_over_all_orders(positives: int, share: float | None) -> None:
    words = ["film", "is", "a", "story"]
    item = example("x", " ".join(words), [2], words[:positives])
    values = []
    for order in permutations(range(4)):
        subject = World([item]).subject(lambda e, c, m, o=order: np.tile([0, *o, 0], (3, 1)))
        values.append(scored(TokenF1(share=share), subject))
    _, _, parts = wide(TokenF1(share=share).score(World([item]).subject(oracle)))
    assert np.mean(values) == pytest.approx(np.nanmax(parts["f1_random"]), rel=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_oracle_above_random_above_inverted(metric: Any) -> None:
    world = World(keyword_examples(120))
    best, middle, worst = (scored(metric, world.subject(e)) for e in (oracle, Noise(), inverted))
    assert worst < middle < best
    if metric in (TokenF1(), IouF1(), AuprcAsCoded(), AuprcSteps(), TopKAgreement(k=1)):
        assert best == 1.0


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_random_gets_what_is_said(metric: Any) -> None:
    world = World(keyword_examples(400))
    _, _, parts = wide(metric.score(world.subject(Noise())))
    value = scored(metric, world.subject(Noise()))
    prevalence = float(np.nanmean(wide(TopKAgreement().score(world.subject(oracle)))[2]["prevalence"]))
    if "f1_random" in parts:
        assert value == pytest.approx(np.nanmean(parts["f1_random"]), abs=0.04)
    elif isinstance(metric, TopKAgreement):
        assert value == pytest.approx(prevalence, abs=0.04)
    elif isinstance(metric, AuprcAsCoded):
        assert prevalence < value < prevalence + 0.15
    elif isinstance(metric, AuprcSteps):
        # Without ties it is the average precision, whose expectation is known.
        _, _, known = wide(HumanAgreement().score(world.subject(Noise())))
        assert value == pytest.approx(np.nanmean(known["ap_random"]), abs=0.04)


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_texts_without_rationale_are_left_out_and_counted(metric: Any) -> None:
    examples = [
        example("with", "the great film", [2], ["great"]),
        example("without", "a film", [2]),
        example("nothing_else", "great", [2], ["great"]),
    ]
    units, targets, parts = wide(metric.score(World(examples).subject(oracle)))
    assert targets == [-1, 2]
    assert dict(zip(units, parts["no_rationale"][:, 0], strict=True)) == {
        "with": 0,
        "without": 1,
        "nothing_else": 0,
    }
    only = World([example("without", "a film", [2])]).subject(oracle)
    assert metric.score(only)["part"].tolist() == ["no_rationale"]
    assert np.isnan(scored(metric, only))


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_nothing_but_rationale_is_1_whatever_the_scores(metric: Any) -> None:
    world = World([example("all", "great people", [2], ["great", "people"])])
    if getattr(metric, "share", None) is None:
        assert scored(metric, world.subject(inverted)) == scored(metric, world.subject(oracle)) == 1.0
    else:
        # One of the two tokens is chosen: all of it right, half of what is marked found.
        assert scored(metric, world.subject(oracle)) == pytest.approx(
            2 / 3 if metric.name == "token_f1" else 1.0
        )


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_shards_and_order_do_not_matter(metric: Any) -> None:
    examples = marked_at_random(2)
    whole = metric.score(World(examples).subject(Rounded(1), size=30))
    same_table(whole, metric.score(World(examples[::-1]).subject(Rounded(1), size=3)))


@pytest.mark.parametrize("metric", METRICS, ids=NAMES)
def test_special_tokens_are_not_chosen(metric: Any) -> None:
    subject = World(keyword_examples(9)).subject(oracle)
    before = scored(metric, subject)
    shards = list(subject.shards)
    for shard in shards:
        shard.scores[:, :, 0] = 1e6
    assert scored(metric, subject) == before


def test_ties_are_broken_alike_for_all_explainers_and_not_by_place() -> None:
    world = World([example(f"t{at}", "great film is a", [2], ["great"]) for at in range(300)])
    other = world.subject(lambda e, c, m: 5 * constant(e, c, m))
    same_table(IouF1().score(world.subject(constant)), IouF1().score(other))
    # By place the first word, the marked one, would always be chosen.
    assert scored(IouF1(), world.subject(constant)) == pytest.approx(0.25, abs=0.08)
    assert scored(TokenF1(), world.subject(constant)) == pytest.approx(0.25)


@pytest.mark.parametrize("metric", [TokenF1, IouF1, AuprcAsCoded, AuprcSteps, TopKAgreement])
def test_predicted_looks_at_the_predicted_class(metric: Any) -> None:
    marks = (Rationale((Span(0, 5),), label=0), Rationale((Span(12, 17),), label=2))
    world = World([Example("two", ("awful story great people",), (2,), marks)])
    world.model.bias = np.array([3.0, 0.0, -3.0])
    _, targets, _ = wide(metric(target="predicted").score(world.subject(oracle)))
    assert targets == [-1, 0]
    assert scored(metric(target="all"), world.subject(oracle)) == scored(metric(), world.subject(oracle))


@pytest.mark.parametrize("metric", [TokenF1, IouF1])
@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_shares_out_of_range_are_refused(metric: Any, share: float) -> None:
    with pytest.raises(InputError, match=r"share is .* expected above 0 and at most 1"):
        metric(share=share)


def test_other_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match=r"threshold is 0\.4; expected 0.5 to 1"):
        IouF1(threshold=0.4)
    with pytest.raises(InputError, match="k is 0; expected a whole number of at least 1"):
        TopKAgreement(k=0)
    for metric in (TokenF1, IouF1, AuprcAsCoded, AuprcSteps, TopKAgreement):
        with pytest.raises(InputError, match="did you mean 'gold'"):
            metric(target="golden")
