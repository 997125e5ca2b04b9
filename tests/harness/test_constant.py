"""Constant explanations, counted in the files of a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.explainers.explanation import Explanation
from assay.harness.reporting.constant import (
    ROWS,
    ConstantCounts,
    ConstantTexts,
    ExplainedFolder,
    constant_methods,
    count_constant,
)
from assay.harness.storage.store import write_table
from assay.harness.trials.records import to_table
from assay.results.flag import Flag
from assay.results.parallel import serial_map
from assay.results.records import Group, Method


def explanation(name: str, scores: list[float], target: int = 0) -> Explanation:
    """Of a text between two special tokens, whose scores differ from all others."""
    n = len(scores)
    return Explanation(
        name,
        target,
        tuple(f"t{at}" for at in range(n + 2)),
        np.zeros(n + 2, dtype=np.int32),
        np.zeros((n + 2, 2), dtype=np.int32),
        np.array([-1, *range(n), -1], dtype=np.int32),
        np.array([7.0, *scores, -3.0], dtype=np.float32),
        "logit",
    )


def count(explanations: list[Explanation]) -> ConstantTexts:
    """Of one part with these explanations, the texts that are constant for every class."""
    return count_constant(to_table(explanations)).whole


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5, 0.5, 0.5], ConstantTexts(1, 1, 0)),
        ([0.0, 0.0], ConstantTexts(1, 1, 1)),
        # Gaps below 1e-5 of the largest score are rounding, one after the other.
        ([-2.0, -2.00001, -2.00002, -2.00003], ConstantTexts(1, 1, 0)),
        ([2.0, 2.0001], ConstantTexts(1, 0, 0)),
        ([0.0, 0.0, 1e-20], ConstantTexts(1, 0, 0)),
        # One token alone is constant by nature.
        ([0.5], ConstantTexts(0, 0, 0)),
        ([], ConstantTexts(0, 0, 0)),
    ],
)
def test_constant_by_the_rule_of_ties(scores: list[float], expected: ConstantTexts) -> None:
    assert count([explanation("a", scores)]) == expected


def test_a_text_is_constant_if_every_explained_class_is() -> None:
    flat, steep = [1.0, 1.0], [1.0, 2.0]
    every = [
        explanation("a", flat),
        explanation("a", flat, 1),
        explanation("b", steep),
        explanation("b", flat, 1),
    ]
    assert count(every) == ConstantTexts(2, 1, 0)
    assert count_constant(to_table(every)).classes == {0: ConstantTexts(2, 1, 0), 1: ConstantTexts(2, 2, 0)}


def of_one_label(constant: int, of_all: int = 0) -> list[Explanation]:
    """Of 100 texts and two labels: so many are constant for the second label, and so many for both."""
    flat, steep = [0.0, 0.0], [1.0, 2.0]
    return [
        explanation(f"t{at}", flat if at < of_all or (target and at < constant) else steep, target)
        for at in range(100)
        for target in range(2)
    ]


@pytest.mark.parametrize(
    ("constant", "of_all", "labels", "flag"),
    [
        (100, 0, ("neg", "pos"), Flag("for pos in all 100 texts, all of them 0", frozenset({"pos"}))),
        (40, 0, ("neg", "pos"), Flag("for pos in 40 of 100 texts, all of them 0", frozenset({"pos"}))),
        (1, 0, ("neg", "pos"), Flag("", frozenset())),
        (
            30,
            20,
            ("neg", "pos"),
            Flag(
                "in 20 of 100 texts, all of them 0; for pos in 30 of 100 texts, all of them 0",
                frozenset({"neg", "pos"}),
            ),
        ),
        # A control may know nothing of a label.
        (100, 0, (), Flag("", None)),
        (100, 20, (), Flag("in 20 of 100 texts, all of them 0", None)),
    ],
)
def test_a_label_alone_is_flagged(constant: int, of_all: int, labels: tuple[str, ...], flag: Flag) -> None:
    every = to_table(of_one_label(constant, of_all))
    assert count_constant(every).flag(labels) == flag
    # The first 60 texts, then the others.
    parts = count_constant(every.slice(0, 120)) + count_constant(every.slice(120))
    assert parts.flag(labels) == flag


def test_a_flag_says_whether_all_texts_are_meant() -> None:
    assert ConstantCounts(ConstantTexts(10, 10)).flag().always
    assert not ConstantCounts(ConstantTexts(10, 9)).flag().always
    assert not ConstantCounts(ConstantTexts()).flag().always


def test_labels_are_named_up_to_three() -> None:
    labels = ("a", "b", "c", "d", "e")
    counts = ConstantCounts(ConstantTexts(10), {at: ConstantTexts(10, 10) for at in range(5)})
    words, of_labels, _ = counts.flag(labels)
    assert words.count("for ") == 4 and words.endswith("for c in all 10 texts; for 2 more labels")
    assert of_labels == set(labels)


def test_many_explanations_are_counted_in_blocks() -> None:
    rng = np.random.default_rng(0)
    flat = rng.random(ROWS + 500) < 0.3
    every = [
        explanation(f"t{at}", ([0.25] * 3 if is_flat else [0.1, 0.2, 0.4])[: 2 + at % 2])
        for at, is_flat in enumerate(flat)
    ]
    assert count(every) == ConstantTexts(len(flat), int(flat.sum()), 0)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        explanation("a", [0.5, float("nan")])


def test_the_model_with_most_counts_and_few_are_not_said(tmp_path: Path) -> None:
    group, other = Group("t", "m"), Group("t", "m", "mixed")
    folders = []
    for name, constant in (("one", 1), ("two", 3)):
        texts = [explanation(f"t{at}", [1.0, 1.0 + (at >= constant)]) for at in range(100)]
        for part, some in enumerate((texts[:50], texts[50:])):
            write_table(tmp_path / name / "explanations" / f"part-{part:05d}.parquet", to_table(some))
        folders.append(ExplainedFolder(tmp_path / name, (group, other), Method("lime"), ("neg",)))
    assert constant_methods(folders[:1], serial_map) == {}
    flag = Flag("in 3 of 100 texts", frozenset({"neg"}))
    assert constant_methods(folders, serial_map) == {
        (group, Method("lime")): flag,
        (other, Method("lime")): flag,
    }


def test_a_constant_label_of_a_stored_cell_is_found_in_all_parts(tmp_path: Path) -> None:
    every, group = of_one_label(2), Group("t", "m")
    for part in range(2):
        some = to_table(every[100 * part : 100 * (part + 1)])
        write_table(tmp_path / "explanations" / f"part-{part:05d}.parquet", some)
    folder = ExplainedFolder(tmp_path, (group,), Method("lime"), ("neg", "pos"))
    found = constant_methods([folder], serial_map)
    words = "for pos in 2 of 100 texts, all of them 0"
    assert found == {(group, Method("lime")): Flag(words, frozenset({"pos"}))}


def test_what_is_said_of_all() -> None:
    assert ConstantTexts(60, 60, 0).words == "in all 60 texts"
    assert ConstantTexts(60, 60, 60).words == "in all 60 texts, all of them 0"
    assert ConstantTexts(1000, 20, 5).words == "in 20 of 1,000 texts, 5 of them 0"
    assert ConstantTexts(100, 1, 0).words == ConstantTexts().words == ""
