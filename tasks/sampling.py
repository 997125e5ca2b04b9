"""Seeded subsets of examples that depend on their ids and labels, never on their order."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Sequence

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.grouping import together

# Shares of train, dev and test: those of one file, and those of one that is only explained.
USUAL_SHARES = (0.8, 0.1, 0.1)
ALL_EXPLAINED = (0, 0, 1)


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
        examples: tuple[Example, ...] = getattr(task, split)
        inside = set(_spread([(example,) for example in examples], seed)[:size])
        chosen[split] = tuple(example for place, example in enumerate(examples) if place in inside)
    return dataclasses.replace(task, **chosen)


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(rest, held): a share of the examples, at least one, held out; both in the order given.

    What hangs together (`assay.tasks.grouping.together`) stays together. Then the number held out comes as
    near to the share as whole units taken one after the other allow.

    Raises InputError on a share that is not between 0 and 1, or if all examples hang together.
    """
    if not 0 < share < 1:
        raise InputError(f"the share of examples to hold out is {share}; expected 0 < share < 1")
    units = together(examples)
    if len(units) == 1 and len(examples) > 1:
        raise InputError(
            f"{len(examples)} examples cannot be split, because all are of one group or text; expected at "
            "least three groups, one for each split, or files for train, dev and test"
        )
    size, held = held_out(len(examples), share), set[int]()
    order = _spread([[examples[place] for place in unit] for unit in units], seed)
    for unit in order:
        # Whether it comes nearer to the size, and something else is left.
        count = len(units[unit])
        if count < 2 * (size - len(held)) and len(held) + count < len(examples):
            held.update(units[unit])
    held = held or set(units[min(order, key=lambda unit: len(units[unit]))])
    rest = [example for place, example in enumerate(examples) if place not in held]
    return rest, [example for place, example in enumerate(examples) if place in held]


def held_out(count: int, share: float) -> int:
    """How many of so many examples `hold_out` takes for a share: at least one."""
    return max(1, round(share * count))


def rank(id: str, seed: int) -> bytes:
    """A key that puts ids in a random order fixed by the seed."""
    return hashlib.sha256(f"{seed}\0{id}".encode()).digest()


def _spread(units: Sequence[Sequence[Example]], seed: int) -> list[int]:
    """The units, as positions, in a random order in which every label is evenly spread."""
    strata: dict[tuple[int, ...], list[tuple[bytes, int]]] = defaultdict(list)
    for index, members in enumerate(units):
        labels = {example.labels for example in members}
        # a set of labels is too fine a stratum: most of its kind would occur once
        (stratum,) = labels if len(labels) == 1 and all(len(each) == 1 for each in labels) else [()]
        strata[stratum].append((rank(min(example.id for example in members), seed), index))
    places: list[tuple[float, bytes, int]] = []
    for ordered in strata.values():
        ordered.sort()
        before, total = 0, sum(len(units[index]) for _, index in ordered)
        for key, index in ordered:
            places.append(((before + len(units[index]) / 2) / total, key, index))
            before += len(units[index])
    return [index for _, _, index in sorted(places)]
