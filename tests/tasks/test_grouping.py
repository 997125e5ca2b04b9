"""What hangs together stays together in a split, and what splits share is counted."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.tasks.errors import InputError
from assay.tasks.example import Example, GradedSpan, Rationale, Span, Task, fingerprint
from assay.tasks.grouping import clusters, folds_of, overlap, remarks, text_key, together, unit_keys
from assay.tasks.local import local
from assay.tasks.sampling import hold_out

# A text out of few, and a group out of few, or none.
ROW = st.tuples(st.integers(0, 40), st.none() | st.sampled_from("abcde"), st.integers(0, 2))
ROWS = st.lists(ROW, min_size=2, max_size=60)


def examples(rows: Sequence[tuple[int, str | None, int]]) -> list[Example]:
    return [
        Example(f"r{n}", (f"text {text}",), (label,), group=group)
        for n, (text, group, label) in enumerate(rows)
    ]


def hang_together(a: Example, b: Example) -> bool:
    return a.texts == b.texts or (a.group is not None and a.group == b.group)


def closure(found: Sequence[Example]) -> set[frozenset[int]]:
    """Components by Warshall's closure of who directly hangs together with whom."""
    n = len(found)
    near = np.array([[hang_together(a, b) for b in found] for a in found])
    for middle, left, right in product(range(n), repeat=3):
        near[left, right] |= near[left, middle] and near[middle, right]
    return {frozenset(np.flatnonzero(row).tolist()) for row in near}


@settings(deadline=None, max_examples=40)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_units_are_the_closure_of_equal_texts_and_groups(rows: list[tuple[int, str | None, int]]) -> None:
    found = examples(rows)
    units = together(found)
    assert {frozenset(unit) for unit in units} == closure(found)
    assert sorted(place for unit in units for place in unit) == list(range(len(found)))


@settings(deadline=None, max_examples=200)
@given(ROWS, st.sampled_from([0.1, 0.3, 0.5, 0.8]), st.integers(0, 3))
def test_a_split_parts_nothing_and_loses_nothing(
    rows: list[tuple[int, str | None, int]], share: float, seed: int
) -> None:
    found = examples(rows)
    if len(together(found)) == 1:
        with pytest.raises(InputError, match="cannot be split, because all are of one group or text"):
            hold_out(found, share, seed)
        return
    rest, held = hold_out(found, share, seed)
    assert rest and held
    assert not any(hang_together(a, b) for a in rest for b in held)
    places = {example.id: place for place, example in enumerate(found)}
    assert sorted([*rest, *held], key=lambda example: places[example.id]) == found
    assert [places[e.id] for e in held] == sorted(places[e.id] for e in held)
    # Of whole units, no single one more or less comes nearer by more than the largest of them.
    largest = max(map(len, together(found)))
    assert abs(len(held) - max(1, round(share * len(found)))) <= largest
    turned = hold_out(found[::-1], share, seed)
    assert {e.id for e in turned[1]} == {e.id for e in held}, "the order of rows decides nothing"


def test_files_without_groups_and_repetitions_are_split_as_before() -> None:
    found = [
        Example(f"r{n}", (f"text number {n}",), (n * n % 3,), (Rationale((Span(0, 4),)),)) for n in range(300)
    ]
    rest, held = hold_out(found, 0.1, 7)
    # Of the version before there were groups.
    assert fingerprint(rest) == "16cd03ac96660ff8893b6eed32c6517662ff9c25d718bde0c820d48b5401cd4b"
    assert fingerprint(held) == "40cd20adf1eb654d17489b5d66a537ea95dab8e51a943a32af661bca4efd12da"


def test_labels_keep_their_shares_among_groups() -> None:
    found = [Example(f"r{n}", (f"text {n}",), (int(n % 10 == 0),), group=f"g{n // 2}") for n in range(400)]
    _, held = hold_out(found, 0.25, 0)
    assert len(held) == 100 and 8 <= sum(example.labels == (1,) for example in held) <= 12


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Good  film ",), ("good\tfilm",), True),
        (("good film",), ("good films",), False),
        (("good film.",), ("good film",), False),
        (("a", "b"), ("a b",), False),
        (("a", "b"), ("b", "a"), False),
    ],
)
def test_equal_but_for_white_space_and_case(one: tuple[str, ...], other: tuple[str, ...], same: bool) -> None:
    assert (text_key(one) == text_key(other)) == same


def _csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def _splits(task: Task) -> list[set[bytes]]:
    return [{text_key(example.texts) for example in split} for split in (task.train, task.dev, task.test)]


def test_a_text_that_occurs_twice_is_in_one_split(tmp_path: Path) -> None:
    """As in the file of 425 rows and 411 texts that had the same text in train and in test."""
    texts = [f"report {n}" for n in range(411)]
    rows = [(text, n % 2) for n, text in enumerate(texts)]
    rows += [(f" Report  {n * 29}", n % 2) for n in range(14)]
    task = local(path=_csv(tmp_path / "a.csv", ("text", "label"), rows))
    train, dev, test = _splits(task)
    assert not train & test and not train & dev and not dev & test
    assert len(task.train) + len(task.dev) + len(task.test) == 425
    assert abs(len(task.test) - 42) <= 1 and abs(len(task.dev) - 43) <= 2
    # 29 n is even where n is, so the second label differs for none of them.
    assert remarks(task) == ("14 text(s) repeat another one, white space and case aside",)
    rows[-1] = (" Report  377", 0)
    task = local(path=_csv(tmp_path / "a.csv", ("text", "label"), rows))
    assert remarks(task)[0].endswith("; 1 text(s) occur with different labels")


def test_sentences_of_a_document_are_in_one_split(tmp_path: Path) -> None:
    rows = [(f"sentence {n}", n % 3 == 0, f"doc {n // 7}") for n in range(350)]
    path = _csv(tmp_path / "a.csv", ("text", "label", "doc_id"), rows)
    task = local(path=path, group="doc_id")
    splits = task.train, task.dev, task.test
    groups = [{example.group for example in split} for split in splits]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert sum(map(len, groups)) == 50 and [len(split) for split in splits] == [280, 35, 35]
    assert remarks(task) == (
        "35 of 35 test texts hang together, in 5 groups; intervals and tests count a group as one text",
    )
    apart = local(path=path)
    assert {e.group for split in (apart.train, apart.dev, apart.test) for e in split} == {None}
    assert fingerprint(apart.test) != fingerprint(task.test)


def test_a_group_is_a_name(tmp_path: Path) -> None:
    path = _csv(tmp_path / "a.csv", ("text", "label", "doc"), [("one", 0, "x"), ("two", 1, " ")])
    with pytest.raises(InputError, match=r"a\.csv, line 3: column 'doc' is empty; every row needs a group"):
        local(path=path, group="doc")
    with pytest.raises(InputError, match="has no column 'document'; available: doc"):
        local(path=path, group="document")
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one", "label": "a", "doc": [1]}\n')
    with pytest.raises(InputError, match=r"line 1: column 'doc' holds \[1\]; expected a name"):
        local(path=str(file), group="doc", labels=["a", "b"])


def test_a_group_may_be_a_place_in_files_without_names(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("".join(f"sentence {n},{n % 2},{n // 5}\n" for n in range(100)))
    task = local(path=str(file), text=0, label=1, group=2)
    assert {example.group for example in task.train} & {example.group for example in task.test} == set()
    assert len(task.test) == 10


def test_what_given_splits_share_is_counted() -> None:
    def some(split: str, *rows: tuple[str, int, str | None]) -> tuple[Example, ...]:
        made = (Example(f"{split}{n}", (text,), (label,), group=g) for n, (text, label, g) in enumerate(rows))
        return tuple(made)

    task = Task(
        "t",
        ("a", "b"),
        some("train", ("one", 0, "g"), ("two", 0, None), ("TWO ", 1, None)),
        some("dev", ("three", 0, "h"), ("one", 0, "g"), ("new", 0, "g")),
        some("test", ("one", 1, None), ("three", 0, None), ("four", 0, "h"), ("five", 0, "i")),
    )
    found = overlap(task)
    assert (found.repeated, found.contradictory) == (4, 2)
    assert (found.test_seen, found.dev_seen) == (2, 1)
    assert (found.test_group_seen, found.dev_group_seen) == (1, 1)
    assert list(found.sentences()) == [
        "4 text(s) repeat another one, white space and case aside; 2 text(s) occur with different labels",
        "2 of 4 test texts are also in train or dev",
        "1 of 3 dev texts are also in train",
        "1 of 4 test texts are new, but of a group that is also in train or dev",
        "1 of 3 dev texts are new, but of a group that is also in train",
    ]


def test_texts_to_explain_need_no_label_to_agree() -> None:
    labelled, bare = Example("a", ("one",), (0,)), Example("b", ("one",), ())
    task = Task("t", ("a", "b"), (labelled,), (), (bare,), partial=True)
    assert overlap(task).contradictory == 0 and overlap(task).test_seen == 1


def test_clusters_are_groups_of_several_texts() -> None:
    found = examples([(0, "x", 0), (1, None, 0), (2, "y", 0), (3, "x", 0), (0, None, 1)])
    assert clusters(found) == {"r0": "x", "r3": "x"}


def test_questions_on_one_text_hang_together_by_its_column(tmp_path: Path) -> None:
    """The column of the text may be that of the group, whichever side of the pair it is."""
    rows = [(f"passage {n // 3}", f"question {n}?", n % 2) for n in range(60)]
    path = _csv(tmp_path / "a.csv", ("passage", "question", "label"), rows)
    for first, second in (("passage", "question"), ("question", "passage")):
        sides: dict[str, Any] = {"text": first, "text_pair": second}
        task = local(path=path, group="passage", **sides)
        splits = [{example.group for example in split} for split in (task.train, task.dev, task.test)]
        assert sum(map(len, splits)) == 20 == len(set.union(*splits))
        assert set(clusters(task.test)) == {example.id for example in task.test}
        assert [remark.partition(";")[0] for remark in remarks(task)] == [
            f"{len(task.test)} of {len(task.test)} test texts hang together, in {len(splits[2])} groups"
        ]
        # Without the column it is said.
        task = local(path=path, fractions=(0, 0, 1), **sides)
        assert (
            "60 test pairs share one of their two texts with another pair; if such pairs hang together, "
            "give the column of that text as group, or intervals are too narrow" in remarks(task)
        )


def test_the_threshold_of_graded_marks_is_said() -> None:
    marks = Rationale((Span(0, 3),), graded=(GradedSpan(Span(0, 3), 0.5),))
    one, two, three = (Example(name, (name,), (0,)) for name in ("one", "two", "three"))
    graded = Example("four", ("four",), (0,), (marks,))
    for threshold, words in ((None, "above 0"), (0.5, "of at least 0.5")):
        task = Task("t", ("a", "b"), (one,), (two,), (three, graded), rationale_threshold=threshold)
        assert remarks(task) == (
            f"marks are graded; metrics of marks as yes or no take those with a grade {words}",
        )


def test_groups_do_not_change_prints_and_grades_do() -> None:
    plain = Example("a", ("one two",), (0,), (Rationale((Span(0, 3),)),))
    grouped = Example("a", ("one two",), (0,), (Rationale((Span(0, 3),)),), group="g")
    graded = Example(
        "a", ("one two",), (0,), (Rationale((Span(0, 3),), graded=(GradedSpan(Span(0, 3), 0.5),)),)
    )
    assert fingerprint([plain]) == fingerprint([grouped]) != fingerprint([graded])
    assert (
        fingerprint([plain], explained=True) == fingerprint([grouped], explained=True) == fingerprint([plain])
    )


def test_what_only_scores_depend_on_changes_prints_of_explained_texts() -> None:
    marked = Rationale((Span(0, 3), Span(4, 7)))
    apart = replace(marked, alternatives=((Span(0, 3),), (Span(4, 7),)))
    examples = [
        Example("a", ("one two",), (0,), (rationale,))
        for rationale in (marked, apart, replace(marked, group="expert"))
    ]
    assert len({fingerprint([example]) for example in examples}) == 1
    assert len({fingerprint([example], explained=True) for example in examples}) == 3


@given(ROWS, st.integers(2, 6), st.randoms())
@settings(max_examples=50, deadline=None)
def test_folds_keep_together_what_hangs_together_in_any_order(
    rows: list[tuple[int, str | None, int]], folds: int, chance: Any
) -> None:
    found = examples(rows)
    units = unit_keys(found)
    for a, b in product(range(len(found)), repeat=2):
        if hang_together(found[a], found[b]):
            assert units[a] == units[b]
    assert len({*units}) == len(closure(found))
    fold = folds_of(units, folds, 0).tolist()
    assert len({*fold}) == min(folds, len({*units}))
    order = list(range(len(found)))
    chance.shuffle(order)
    moved = unit_keys([found[at] for at in order])
    assert moved == [units[at] for at in order]
    assert folds_of(moved, folds, 0).tolist() == [fold[at] for at in order]


def test_folds_are_of_equal_size_and_drawn_by_their_names() -> None:
    units = [text_key([f"text {at}"]) for at in range(41)]
    sizes = np.bincount(folds_of(units, 5, 0, "folds"))
    assert sorted(sizes.tolist()) == [8, 8, 8, 8, 9]
    assert folds_of(units, 5, 0, "folds").tolist() != folds_of(units, 5, 1, "folds").tolist()
