from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics.options import check_at_least, check_percents
from assay.metrics.token_masks import evenly, only, random_subsets, scattered, top, without
from assay.tasks.errors import InputError


@given(st.integers(0, 6), st.integers(0, 3))
def test_without_and_only_part_the_content_tokens(tokens: int, specials: int) -> None:
    length = tokens + specials
    rng = np.random.default_rng(tokens * 10 + specials)
    order = rng.permutation(length)[:tokens]
    counts = np.arange(tokens + 1)
    lacking, having = without(length, order, counts), only(length, order, counts)
    assert lacking.shape == having.shape == (tokens + 1, length)
    for row, count in enumerate(counts):
        for at in range(length):
            first = at in order[:count].tolist()
            assert lacking[row, at] == (not first)
            assert having[row, at] == (first or at not in order.tolist())


@given(st.integers(0, 2000), st.lists(st.integers(1, 100), min_size=1, max_size=5, unique=True))
def test_top_rounds_up_exactly(tokens: int, percents: list[int]) -> None:
    found = top(tuple(percents), tokens)
    assert found.tolist() == [math.ceil(Fraction(percent * tokens, 100)) for percent in percents]
    assert (found >= min(tokens, 1)).all() and (found <= tokens).all()


@given(st.integers(0, 60), st.integers(0, 12))
def test_evenly_runs_from_none_to_all(tokens: int, steps: int) -> None:
    found = evenly(tokens, steps).tolist()
    wanted = range(tokens + 1) if steps == 0 else {at * tokens // steps for at in range(steps + 1)}
    assert found == sorted(wanted)
    assert found[0] == 0 and found[-1] == tokens


def test_random_subsets_have_their_sizes_and_no_favourites() -> None:
    sizes = np.repeat([1, 2, 5], 2000)
    found = random_subsets(5, sizes, np.random.default_rng(0))
    assert (found.sum(axis=1) == sizes).all()
    np.testing.assert_allclose(found[2000:4000].mean(axis=0), 0.4, atol=0.04)
    assert random_subsets(0, np.zeros(3, dtype=np.intp), np.random.default_rng(0)).shape == (3, 0)


def test_scattered_tokens_are_absent_where_they_stand() -> None:
    absent = np.array([[True, False], [False, False]])
    keep = scattered(4, np.array([1, 3]), absent)
    assert keep.tolist() == [[True, False, True, True], [True] * 4]


@pytest.mark.parametrize("percents", [(), (0,), (101,), (5, 5), (10, 5), (0.2,)])
def test_bad_percents_are_refused(percents: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"metric.m.bins is .*; expected whole percentages"):
        check_percents(percents, "metric.m.bins")


@pytest.mark.parametrize("value", [-1, 0, 2.5])
def test_too_few_are_refused(value: int) -> None:
    with pytest.raises(InputError, match=r"metric.m.draws is .*; expected a whole number of at least 1"):
        check_at_least(value, 1, "metric.m.draws")
