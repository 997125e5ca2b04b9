from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from metrics_world import World, example, oracle

from assay.metrics.cell_data import gold
from assay.metrics.rationales import Marks, compared, marks, table
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span


def shard_of(*examples: Example):
    subject = World(list(examples)).subject(oracle, size=len(examples))
    return subject, next(iter(subject.shards))


def seen_by_three() -> Example:
    """ "great" is marked by two, "film" by one; the third annotator marks "great" for another label, too."""
    text = "the great film is great"
    rationales = (
        Rationale((Span(4, 9),), annotator="a"),
        Rationale((Span(10, 14),), annotator="b", label=2),
        Rationale((Span(4, 9),), annotator="c"),
        Rationale((Span(18, 23),), annotator="c"),
        Rationale((Span(18, 23),), annotator="c", label=0),
    )
    return Example("three", (text,), (2,), rationales)


def test_marks_are_one_mask_per_class_and_annotator() -> None:
    _, shard = shard_of(
        example("none", "a film", [1]), seen_by_three(), example("one", "great", [2], ["great"])
    )
    has = marks(shard, np.ones((3, 3), dtype=bool))
    assert has.rows.tolist() == [1, 1, 1, 1, 2]
    assert has.labels.tolist() == [0, 2, 2, 2, 2]
    assert [np.flatnonzero(mask).tolist() for mask in has.tokens] == [[5], [2], [3], [2, 5], [1]]
    assert has.pair.tolist() == [0, 1, 1, 1, 2]
    assert [part.tolist() for part in has.one_each()] == [[1, 1, 2], [0, 2, 2]]


def test_union_is_any_and_majority_more_than_half() -> None:
    _, shard = shard_of(seen_by_three())
    has = marks(shard, gold(shard.examples, 3))
    assert [np.flatnonzero(mask).tolist() for mask in has.agreed("union").tokens] == [[2, 3, 5]]
    assert [np.flatnonzero(mask).tolist() for mask in has.agreed("majority").tokens] == [[2]]


def test_a_pair_without_a_majority_is_gone() -> None:
    halves = (Rationale((Span(0, 1),), annotator="a"), Rationale((Span(2, 6),), annotator="b"))
    _, shard = shard_of(Example("halves", ("a film",), (1,), halves), example("b", "a film", [1], ["film"]))
    has = marks(shard, gold(shard.examples, 3))
    assert has.agreed("majority").rows.tolist() == [1]
    assert has.agreed("union").rows.tolist() == [0, 1]
    left_out = table(shard, has.agreed("majority"), {"ap": np.ones(1)})
    assert left_out[left_out["part"] == "no_rationale"]["value"].tolist() == [1.0, 0.0]


def test_who_marked_nothing_has_a_vote_of_a_majority() -> None:
    marked, nothing = Rationale((Span(2, 6),), annotator="a"), Rationale((), annotator="b")
    examples = [
        Example("one of two", ("a film",), (1,), (marked, nothing)),
        Example("two of three", ("a film",), (1,), (marked, nothing, replace(marked, annotator="c"))),
        Example("of another class", ("a film",), (1,), (marked, replace(nothing, label=0))),
    ]
    subject, shard = shard_of(*examples)
    assert compared(subject, shard, "gold", "m", "majority").rows.tolist() == [1, 2]
    assert compared(subject, shard, "gold", "m", "each").rows.tolist() == [0, 1, 1, 2]
    assert compared(subject, shard, "gold", "m").rows.tolist() == [0, 1, 2]


def test_means_and_couples_are_within_pairs() -> None:
    tokens = np.ones((6, 2), dtype=bool)
    has = Marks(np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 2, 2, 2, 2]), tokens)
    assert has.mean(np.array([1.0, 3.0, 5.0, 0.0, 0.0, 3.0])).tolist() == [2.0, 5.0, 1.0]
    couples = set(zip(*(side.tolist() for side in has.others()), strict=True))
    assert couples == {(0, 1), (1, 0), *((i, j) for i in (3, 4, 5) for j in (3, 4, 5) if i != j)}


def test_nothing_marked_is_no_error() -> None:
    _, shard = shard_of(example("none", "a film", [1]))
    has = marks(shard, gold(shard.examples, 3))
    for of in (has, has.agreed("union"), has.agreed("majority")):
        assert of.tokens.shape == (0, shard.content.shape[1])
        assert of.mean(np.zeros(0)).tolist() == [] and [len(side) for side in of.others()] == [0, 0]
        assert table(shard, of, {"ap": np.zeros(0)})["part"].tolist() == ["no_rationale"]


def test_only_classes_with_a_rationale_must_be_explained() -> None:
    world = World([seen_by_three(), example("none", "a film", [1])])
    subject = world.subject(oracle, size=2, only=lambda row: np.array([False, row == 1, row == 0]))
    shard = next(iter(subject.shards))
    assert compared(subject, shard, "gold", "m").rows.tolist() == [0]
    with pytest.raises(InputError, match="m needs explanations of class 'negative' for example 'three'"):
        compared(subject, shard, "all", "m")
