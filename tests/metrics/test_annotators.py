"""Agreement between annotators: against the published example, pairs counted one by one, and by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics.annotators import AnnotatorAgreement, annotator_agreement, krippendorff_alpha
from assay.tasks.example import Example, Rationale, Span

LABELS = ("neg", "pos")
# Krippendorff 2011, section C: four observers, twelve units, five values, 0 for a missing one.
PUBLISHED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


def counts_of(units: list[list[int]], values: range) -> np.ndarray:
    return np.array([[unit.count(value) for value in values] for unit in units], dtype=np.float64)


def pair_by_pair(units: list[list[int]]) -> float:
    """Alpha from its definition: the values of all ordered pairs within units, and of all pairs there are."""
    units = [unit for unit in units if len(unit) > 1]
    every = [value for unit in units for value in unit]
    observed = sum(
        (one != other) / (len(unit) - 1) for unit in units for one, other in permutations(unit, 2)
    ) / max(len(every), 1)
    apart = sum(one != other for one, other in permutations(every, 2))
    expected = apart / (len(every) * (len(every) - 1)) if apart else 0
    return 1 - observed / expected if expected else float("nan")


def test_alpha_of_the_published_example() -> None:
    units = [[value for value in unit if value] for unit in zip(*PUBLISHED, strict=True)]
    found = krippendorff_alpha(counts_of(units, range(1, 6)))
    assert found == pytest.approx(pair_by_pair(units), rel=1e-12)
    assert round(found, 3) == 0.743


@given(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=6), st.integers(1, 3))
def test_alpha_is_that_of_all_pairs_and_repeated_units_may_be_counted(
    units: list[list[int]], times: int
) -> None:
    found = krippendorff_alpha(counts_of(units, range(3)), np.full(len(units), float(times)))
    np.testing.assert_allclose(found, pair_by_pair(units * times), rtol=1e-9, atol=1e-12)


TEXT = "the film is good"
PLACES = [(0, 3), (4, 8), (9, 11), (12, 16)]


def by(who: str, *words: int, group: str = "", label: int | None = None) -> Rationale:
    return Rationale(tuple(Span(*PLACES[word]) for word in words), who, label, group=group)


def item(name: str, *rationales: Rationale, labels: tuple[int, ...] = (1,)) -> Example:
    return Example(name, (TEXT,), labels, rationales)


def written_out(texts: list[list[tuple[int, ...]]]) -> tuple[float, float]:
    """Alpha and F1 of texts of four words, of which each annotator marked some."""
    units = [[int(word in words) for words in marked] for marked in texts for word in range(4)]
    f1 = []
    for marked in texts:
        pairs = [(set(one), set(other)) for one, other in combinations(marked, 2)]
        each = [2 * len(one & other) / (len(one) + len(other)) if one | other else 1 for one, other in pairs]
        f1.append(np.mean(each))
    return pair_by_pair(units), float(np.mean(f1))


def one_row(examples: list[Example], group: str = "", label: str = "") -> AnnotatorAgreement:
    (row,) = (
        each for each in annotator_agreement(examples, LABELS) if (each.group, each.label) == (group, label)
    )
    return row


def test_only_texts_that_two_saw_count_and_who_is_named_and_marked_nothing_is_one_of_them() -> None:
    examples = [
        item("two", by("a", 1, 3), by("b", 3)),
        item("alone", by("a", 0)),
        item("nobody"),
        item("silent", by("a", 2, 3), by("b"), by("c")),
        item("unmarked", by("a"), by("b")),
    ]
    found = one_row(examples)
    alpha, f1 = written_out([[(1, 3), (3,)], [(2, 3), (), ()]])
    assert (found.annotators, found.texts, found.pairs) == (3, 2, 4)
    assert (found.alpha, found.f1) == (pytest.approx(alpha), pytest.approx(f1))
    assert f1 == pytest.approx((2 / 3 + (0 + 0 + 1) / 3) / 2)


def test_groups_are_agreements_of_their_own() -> None:
    examples = [
        item("x", by("a", 1, group="expert"), by("b", 1, group="expert"), by("c", 0, 2, group="crowd")),
        item("y", by("a", 3, group="expert"), by("c", 3, group="crowd"), by("d", 2, 3, group="crowd")),
    ]
    assert [row.group for row in annotator_agreement(examples, LABELS)] == ["", "crowd", "expert"]
    for group, texts in (
        ("", [[(1,), (1,), (0, 2)], [(3,), (3,), (2, 3)]]),
        ("crowd", [[(3,), (2, 3)]]),
        ("expert", [[(1,), (1,)]]),
    ):
        found, (alpha, f1) = one_row(examples, group), written_out(texts)
        assert found.texts == len(texts)
        assert (found.alpha, found.f1) == (pytest.approx(alpha), pytest.approx(f1))
    assert one_row(examples, "expert").alpha == 1


def test_a_group_without_a_pair_has_a_row_that_says_how_many_it_is() -> None:
    examples = [
        item("x", by("a", 1, group="expert"), by("b", 1, group="crowd"), by("c", 0, group="crowd")),
        # Two of one group that never saw the same text.
        item("y", by("d", 3, group="author"), by("b", 3, group="crowd")),
        item("z", by("e", 3, group="author")),
        # Nobody marked anything: no judgement is compared.
        item("silent", by("f", group="reader")),
    ]
    found = {row.group: row for row in annotator_agreement(examples, LABELS)}
    assert list(found) == ["", "author", "crowd", "expert"]
    for group, annotators in (("author", 2), ("expert", 1)):
        row = found[group]
        assert (row.label, row.annotators, row.texts, row.pairs) == ("", annotators, 0, 0)
        assert np.isnan([row.alpha, row.f1]).all()
    assert (found["crowd"].annotators, found["crowd"].pairs) == (2, 1)
    alone = [item("z", by("e", 3, group="author"))]
    assert annotator_agreement(alone, LABELS) == []


def test_labels_have_rows_where_they_differ_and_are_together_in_the_first() -> None:
    examples = [
        # "b" saw the text and marked nothing for "neg".
        item("x", by("a", 1, label=1), by("b", 1, label=1), by("a", 0, 2, label=0)),
        item("y", by("a", 3), by("b", 2, 3), labels=(0,)),
    ]
    assert [row.label for row in annotator_agreement(examples, LABELS)] == ["", "neg", "pos"]
    of_neg, of_pos = [[(0, 2), ()], [(3,), (2, 3)]], [[(1,), (1,)]]
    for label, texts in (("neg", of_neg), ("pos", of_pos), ("", of_pos + of_neg)):
        found, (alpha, f1) = one_row(examples, label=label), written_out(texts)
        assert (found.alpha, found.f1) == (pytest.approx(alpha), pytest.approx(f1))
    assert one_row(examples).texts == 2
    same = [replace(each, labels=(1,), rationales=each.rationales[:2]) for each in examples]
    assert [row.label for row in annotator_agreement(same, LABELS)] == [""]


def test_nothing_is_said_without_two_annotators() -> None:
    assert annotator_agreement([item("x", by("a", 1)), item("y", by("b", 1))], LABELS) == []


def test_pairs_of_texts_and_scripts_without_spaces_are_cut_into_words() -> None:
    texts = ("這部電影很好", "so good")
    marks = Rationale((Span(4, 6), Span(3, 7, 1)), "a"), Rationale((Span(5, 6), Span(3, 4, 1)), "b")
    found = one_row([Example("x", texts, (1,), marks)])
    # Eight words; "a" marked three of them, "b" two of these.
    assert found.f1 == pytest.approx(4 / 5)
    units = [[int(at in places) for places in ((4, 5, 7), (5, 7))] for at in range(8)]
    assert found.alpha == pytest.approx(pair_by_pair(units))


def test_alpha_is_unknown_where_all_marked_everything() -> None:
    assert np.isnan(one_row([item("x", by("a", 0, 1, 2, 3), by("b", 0, 1, 2, 3))]).alpha)
