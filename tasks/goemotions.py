"""GoEmotions: comments from Reddit, each with one or more of 27 emotions, or neutral."""

from __future__ import annotations

from pathlib import Path

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.files import csv_rows, file_text, given_path
from assay.tasks.table import Columns, Labels, examples

_SOURCE = "https://github.com/google-research/google-research/tree/master/goemotions/data"
_HEADER = ("text", "labels", "id")
_COLUMNS = Columns(text="text", label="labels", id="id", multi_label=True)


def goemotions(*, name: str = "goemotions", path: str | None = None) -> Task:
    """The comments in the folder `path`: train.tsv, dev.tsv and test.tsv, as the authors split them.

    A line holds a text, label indices joined by commas, and the comment's id; labels.txt holds a label a
    line, in class order. Multi-label. Raises InputError naming file and line.
    Source: Demszky et al. (2020), "GoEmotions: A Dataset of Fine-Grained Emotions".
    """
    folder = given_path(path, option="task.path", what="the folder with train.tsv", source=_SOURCE)
    labels = _labels(folder / "labels.txt")
    train, dev, test = (_split(folder, split, labels) for split in ("train", "dev", "test"))
    return Task(name, labels, train, dev, test, multi_label=True)


def _labels(path: Path) -> tuple[str, ...]:
    names = tuple(line.strip() for line in file_text(path).rstrip().split("\n"))
    if not all(names) or len(set(names)) < len(names):
        raise InputError(f"{path} holds an empty line or a name twice; expected one label a line")
    return names


def _split(folder: Path, split: str, labels: tuple[str, ...]) -> tuple[Example, ...]:
    path = folder / f"{split}.tsv"
    rows = csv_rows(path, wanted=_HEADER, delimiter="\t", quotes=False, header=_HEADER)
    return tuple(examples(rows, _COLUMNS, Labels(labels, by_index=True), split))
