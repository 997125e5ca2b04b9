"""Data sheets count what brute force counts, whatever the texts are."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.tasks.data_sheet import SplitSheet, data_sheet, lengths, split_sheet
from assay.tasks.example import Example, Rationale, Span, Task

LABELS = 3
WORD = st.sampled_from(["a", "bad", "film,", "–", "naïve"])
TEXT = st.lists(WORD, min_size=1, max_size=6).map(lambda words: "  ".join(words))


@st.composite
def example(draw: st.DrawFn, name: str) -> Example:
    """A text or a pair, with any number of labels, and rationales of up to three annotators."""
    texts = tuple(draw(st.lists(TEXT, min_size=1, max_size=2)))
    labels = draw(st.sets(st.integers(0, LABELS - 1)))
    rationales = []
    for annotator in draw(st.sets(st.sampled_from("xyz"))):
        spans = set[Span]()
        for _ in range(draw(st.integers(0, 2))):
            segment = draw(st.integers(0, len(texts) - 1))
            start = draw(st.integers(0, len(texts[segment]) - 1))
            spans.add(Span(start, draw(st.integers(start + 1, len(texts[segment]))), segment))
        label = draw(st.none() | st.integers(0, LABELS - 1))
        rationales.append(Rationale(tuple(sorted(spans)), annotator, label))
    group = draw(st.none() | st.sampled_from("gh"))
    return Example(name, texts, tuple(sorted(labels)), tuple(rationales), group)


EXAMPLES = st.integers(1, 8).flatmap(lambda n: st.tuples(*(example(f"e{place}") for place in range(n))))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_quartiles_of_counts_are_those_of_the_list(values: list[int]) -> None:
    assert lengths(Counter(values)) == pytest.approx(np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist())


def is_marked(example: Example, label: int | None, segment: int, start: int, end: int) -> bool:
    """Whether anybody marked a character of a word for the label; None: for any."""
    return any(
        span.segment == segment and set(range(start, end)) & set(range(span.start, span.end))
        for rationale in example.rationales
        if label is None or rationale.label in (None, label)
        for span in rationale.spans
    )


def words_of(example: Example) -> list[tuple[int, int, int]]:
    """Segment, start and end of every word, found letter by letter."""
    found = []
    for segment, text in enumerate(example.texts):
        starts = [at for at, char in enumerate(text) if char != " " and (at == 0 or text[at - 1] == " ")]
        found += [(segment, at, at + len(text[at:].split(" ")[0])) for at in starts]
    return found


@settings(deadline=None, max_examples=150)
@given(EXAMPLES)
def test_a_split_is_counted_as_by_brute_force(examples: tuple[Example, ...]) -> None:
    sheet = split_sheet(iter(examples), LABELS)
    assert sheet.texts == len(examples)
    assert sheet.words is not None
    sizes = [len(words_of(each)) for each in examples]
    assert (sheet.words.shortest, sheet.words.median, sheet.words.longest) == (
        min(sizes),
        np.median(sizes),
        max(sizes),
    )
    for label in range(LABELS):
        having = [each for each in examples if label in each.labels]
        shares = []
        for each in having:
            spans = [r.spans for r in each.rationales if r.label in (None, label) and r.spans]
            if spans:
                shares.append(fmean(is_marked(each, label, *word) for word in words_of(each)))
        of_label = sheet.labels[label]
        assert (of_label.texts, of_label.marked) == (len(having), len(shares))
        assert of_label.marked_share == (pytest.approx(fmean(shares)) if shares else None)
    judges = [{rationale.annotator for rationale in each.rationales} for each in examples]
    assert dict(sheet.annotators) == Counter(name for names in judges for name in names)
    assert sheet.several == sum(len(names) >= 2 for names in judges)
    assert sheet.marked == sum(any(r.spans for r in each.rationales) for each in examples)
    assert sheet.unlabelled == sum(each.labels == () for each in examples)
    assert sheet.most_labels == max(len(each.labels) for each in examples)
    groups = Counter(each.group for each in examples if each.group)
    assert (sheet.groups, sheet.grouped) == (len(groups), sum(groups.values()))
    assert sheet.largest_group == max(groups.values(), default=0)


def test_no_texts_have_no_lengths() -> None:
    nothing = split_sheet((), 2)
    assert isinstance(nothing, SplitSheet) and nothing.words is None
    assert nothing.texts == nothing.marked == nothing.groups == 0
    assert nothing.labels[0].marked_share is None


def test_repeats_are_counted_within_splits_and_across() -> None:
    def split(name: str, *texts: str) -> tuple[Example, ...]:
        return tuple(Example(f"{name}{n}", (text,), (0,)) for n, text in enumerate(texts))

    task = Task(
        "repeats",
        ("a", "b"),
        split("train", "one", "One ", "two", "two", "two"),
        split("dev", "two", "three"),
        split("test", "four", "FOUR", "one", "five"),
    )
    found = data_sheet(task).overlap
    assert found.repeated_within == (3, 0, 1)
    assert (found.dev_seen, found.test_seen) == (1, 1)


def test_memory_does_not_grow_with_the_texts() -> None:
    def stream(count: int) -> Iterator[Example]:
        for n in range(count):
            yield Example(
                f"e{n}", ("one two three " * (1 + n % 5),), (n % LABELS,), (Rationale((Span(4, 7),)),)
            )

    peaks = []
    for count in (500, 5000):
        tracemalloc.start()
        assert split_sheet(stream(count), LABELS).texts == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + 20_000
