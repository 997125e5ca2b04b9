"""Seeded subsets of examples that depend on their ids and labels, never on their order."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Sequence

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task


def limit(
    task: Task, *, train: int | None = None, dev: int | None = None, test: int | None = None, seed: int = 0
) -> Task:
    """The task with at most so many examples per split (None: all), kept in the task's order.

    Labels keep their shares (single-label tasks). The subset of size n is contained in that of size m > n.
    Raises InputError on a size below 1.
    """
    sizes = {"train": train, "dev": dev, "test": test}
    chosen: dict[str, tuple[Example, ...]] = {}
    for split, size in sizes.items():
        if size is None:
            continue
        if size < 1:
            raise InputError(f"the {split} split is limited to {size} examples; expected at least 1")
        chosen[split] = tuple(_first(getattr(task, split), size, seed)[0])
    return dataclasses.replace(task, **chosen)


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(rest, held): a share of the examples, at least one, held out; both in the order given.

    Raises InputError on a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"the share of examples to hold out is {share}; expected 0 < share < 1")
    held, rest = _first(examples, held_out(len(examples), share), seed)
    return rest, held


def held_out(count: int, share: float) -> int:
    """How many of so many examples `hold_out` takes for a share: at least one."""
    return max(1, round(share * count))


def rank(id: str, seed: int) -> bytes:
    """A key that puts ids in a random order fixed by the seed."""
    return hashlib.sha256(f"{seed}\0{id}".encode()).digest()


def _first(examples: Sequence[Example], size: int, seed: int) -> tuple[list[Example], list[Example]]:
    """The first `size` examples in a random order in which every label is evenly spread, and the others."""
    strata: dict[tuple[int, ...], list[tuple[bytes, int]]] = defaultdict(list)
    for index, example in enumerate(examples):
        # a set of labels is too fine a stratum: most of its kind would occur once
        stratum = example.labels if len(example.labels) == 1 else ()
        strata[stratum].append((rank(example.id, seed), index))
    places: list[tuple[float, bytes, int]] = []
    for members in strata.values():
        members.sort()
        places += [((k + 0.5) / len(members), key, index) for k, (key, index) in enumerate(members)]
    places.sort()
    inside = {index for _, _, index in places[:size]}
    chosen = [example for index, example in enumerate(examples) if index in inside]
    others = [example for index, example in enumerate(examples) if index not in inside]
    return chosen, others
