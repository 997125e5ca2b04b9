"""Constant explanations, counted in the files of a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.explainers.explanation import Explanation
from assay.harness.reporting.constant import (
    ROWS,
    ConstantTexts,
    ExplainedFolder,
    constant_methods,
    count_constant,
)
from assay.harness.storage.store import write_table
from assay.harness.trials.records import to_table
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
    """Of one part with these explanations."""
    return count_constant(to_table(explanations))


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
        folders.append(ExplainedFolder(tmp_path / name, (group, other), Method("lime")))
    assert constant_methods(folders[:1], serial_map) == {}
    words = "in 3 of 100 texts"
    assert constant_methods(folders, serial_map) == {
        (group, Method("lime")): words,
        (other, Method("lime")): words,
    }


def test_what_is_said_of_all() -> None:
    assert ConstantTexts(60, 60, 0).words == "in all 60 texts"
    assert ConstantTexts(60, 60, 60).words == "in all 60 texts, all of them 0"
    assert ConstantTexts(1000, 20, 5).words == "in 20 of 1,000 texts, 5 of them 0"
    assert ConstantTexts(100, 1, 0).words == ConstantTexts().words == ""
