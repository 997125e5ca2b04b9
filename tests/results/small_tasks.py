"""Tasks of a few texts with annotators, as a report sizes them up."""

from __future__ import annotations

from assay.results.records import TaskSize
from assay.tasks.data_sheet import data_sheet
from assay.tasks.example import Example, Rationale, Span, Task

LABELS = ("bad", "good")


def size_of(task: Task, *models: str, available: int | None = None) -> TaskSize:
    explained = len(task.test)
    sizes = len(task.train), len(task.dev), available or explained, explained
    return TaskSize(task.name, task.labels, *sizes, models=models, sheet=data_sheet(task))


def texts(split: str, count: int, *annotators: str, label: int | None = None) -> tuple[Example, ...]:
    """Texts of three words, of both labels by turns or of one; each annotator marks the last word."""
    marks = tuple(Rationale((Span(2, 3 + len(split)),), name) for name in annotators)
    return tuple(
        Example(f"{split}{n}", (f"a {split} {n}",), (n % 2 if label is None else label,), marks)
        for n in range(count)
    )


def task(*annotators: str, name: str = "small", labels: tuple[str, ...] = LABELS) -> Task:
    train, dev, test = (
        texts(split, count, *annotators) for split, count in (("train", 7), ("dev", 3), ("test", 4))
    )
    return Task(name, labels, train, dev, test)
