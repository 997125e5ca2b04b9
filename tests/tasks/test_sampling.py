"""Subsets: seeded, stratified, nested, and blind to order."""

from __future__ import annotations

from collections import Counter

import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.sampling import hold_out, limit


def _examples(count: int) -> tuple[Example, ...]:
    """Labels 0, 1 and 2 with shares 60, 30 and 10 %, in blocks, as a sorted file has them."""
    return tuple(
        Example(f"e{n}", (f"text {n}",), (0 if n < 0.6 * count else 1 if n < 0.9 * count else 2,))
        for n in range(count)
    )


def _task(train: tuple[Example, ...], multi_label: bool = False) -> Task:
    return Task("t", ("a", "b", "c"), train, _examples(20), _examples(10), multi_label)


def _ids(examples: tuple[Example, ...]) -> set[str]:
    return {example.id for example in examples}


@pytest.mark.parametrize("size", [10, 50, 100])
def test_labels_keep_their_shares(size: int) -> None:
    chosen = limit(_task(_examples(200)), train=size).train
    counts = Counter(example.labels[0] for example in chosen)
    assert [counts[label] for label in range(3)] == pytest.approx([0.6 * size, 0.3 * size, 0.1 * size], abs=1)
    assert len(chosen) == size


def test_subsets_are_nested_seeded_and_in_the_task_s_order() -> None:
    task = _task(_examples(200))
    small, large = limit(task, train=30).train, limit(task, train=70).train
    assert _ids(small) < _ids(large)
    assert list(large) == [example for example in task.train if example in large]
    assert _ids(limit(task, train=30, seed=1).train) != _ids(small)


def test_the_order_of_the_examples_does_not_matter() -> None:
    task, turned = _task(_examples(200)), _task(_examples(200)[::-1])
    assert _ids(limit(task, train=37).train) == _ids(limit(turned, train=37).train)


def test_none_and_large_sizes_change_nothing() -> None:
    task = _task(_examples(50))
    assert limit(task) == task
    assert limit(task, train=50, dev=1000, test=10) == task
    assert limit(task, test=3).train == task.train


def test_multi_label_examples_are_drawn_too() -> None:
    both = tuple(Example(f"e{n}", ("text",), tuple(range(n % 4))) for n in range(40))
    assert len(limit(_task(both, multi_label=True), train=7).train) == 7


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"test split is limited to {size}"):
        limit(_task(_examples(50)), test=size)


def test_hold_out_divides_and_keeps_shares() -> None:
    rest, held = hold_out(_examples(100), 0.2, seed=0)
    assert (len(rest), len(held)) == (80, 20)
    assert not set(rest) & set(held)
    assert Counter(example.labels[0] for example in held) == {0: 12, 1: 6, 2: 2}
    assert len(hold_out(_examples(10), 0.001, seed=0)[1]) == 1
    with pytest.raises(InputError, match="expected 0 < share < 1"):
        hold_out(_examples(10), 1.0, seed=0)
