"""A small sample of a large task and the sizes of its splits, without loading all texts.

A task function that can be previewed names the function that does it: `@previewed(by=...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple, ParamSpec

from assay.tasks.example import Task, fingerprint

# Texts of a split, or of a file, in a sample.
SAMPLE = 400

P = ParamSpec("P")


class Sizes(NamedTuple):
    """Number of texts per split."""

    train: int
    dev: int
    test: int


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A large task in brief.

    Attributes:
        sample: a task of few texts that are like those of the whole task.
        sizes: of the whole task.
        loading: seconds that loading and fingerprinting the whole task takes, estimated.
    """

    sample: Task
    sizes: Sizes
    loading: float


# From a task function's options, defaults included; None where the task is small enough to load.
Previewer = Callable[[Mapping[str, Any]], Preview | None]


def previewed(by: Previewer) -> Callable[[Callable[P, Task]], Callable[P, Task]]:
    """Mark a task function with its previewer."""

    def mark(task: Callable[P, Task]) -> Callable[P, Task]:
        task.__dict__["preview"] = by
        return task

    return mark


def preview(task: Callable[..., Task], options: Mapping[str, Any]) -> Preview | None:
    """The preview that a task function offers.

    Args:
        task: a task function.
        options: its keyword arguments; defaults are filled in.

    Returns:
        None where the task is small, has no previewer, or does not take these options: load it instead.

    Raises:
        InputError: as the task function does.
    """
    by: Previewer | None = getattr(task, "preview", None)
    if by is None:
        return None
    try:
        bound = signature(task).bind(**options)
    except TypeError:
        return None
    bound.apply_defaults()
    return by(bound.arguments)


def fingerprint_all(task: Task) -> None:
    """Fingerprint every split, as loading a trial does."""
    for split in Sizes._fields:
        fingerprint(getattr(task, split))
