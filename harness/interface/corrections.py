"""What readers corrected, as labels of a task."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.harness.interface.arguments import checked
from assay.tasks.auxiliary import answer_places
from assay.tasks.concepts import read_concepts
from assay.tasks.corrections import Corrections, read_corrections, with_corrections
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, shown
from assay.tasks.example import Task

log = logging.getLogger(__name__)


@checked
def corrected(task: Task, path: str | Path, concepts: str | Path | Mapping[str, Any] | None = None) -> Task:
    """The task with the answers to its auxiliary questions that readers corrected, to train its heads with.

    Args:
        task: with auxiliary questions.
        path: a CSV file with the columns id, concept ("question: answer"), holds (yes or no), who, and if
            readers like date (`assay.tasks.corrections.read_corrections`).
        concepts: a YAML file, or a mapping as it holds it (`assay.tasks.concepts`), whose concepts the lines
            may name, too; those change no label. So one file serves this and `tcav`.

    Returns:
        The task; its other labels are as before.

    Raises:
        InputError: a task without auxiliary questions, or a line that cannot be read.

    Example:
        >>> corrected(task, "corrections.csv")  # doctest: +SKIP
    """
    if not isinstance(task, Task):
        raise InputError(f"corrected is asked of {shown(task)}; expected a task, of task() or texts()")
    if not task.auxiliary:
        raise InputError(f"task {task.name!r} has no auxiliary labels, so there is nothing to correct")
    read = () if concepts is None else read_concepts(concepts)
    corrections = read_corrections(path, read, task)
    for line in effects(corrections, task):
        log.warning("%s: %s", path, line)
    return with_corrections(task, corrections)


def effects(corrections: Corrections, task: Task) -> list[str]:
    """What readers may not expect of corrected answers: that no model learns from those on some texts, and
    that of several answers to one question none is known."""
    train, places = {example.id for example in task.train}, answer_places(task.auxiliary)
    answers = [judged for judged in corrections if judged.concept in places]
    outside = sum(judged.example not in train for judged in answers)
    holding = Counter(
        (judged.example, places[judged.concept][0]) for judged in answers if corrections[judged]
    )
    twice = [key for key, count in holding.items() if count > 1]
    told = []
    if outside:
        told.append(
            f"{outside} of {counted(len(answers), 'corrected answer')} {'is' if outside == 1 else 'are'} on "
            "texts that no model is trained on; they only change what its answers are compared with"
        )
    if twice:
        example, question = twice[0]
        told.append(
            f"{counted(len(twice), 'question')} {'has' if len(twice) == 1 else 'have'} several answers that "
            f"hold, the first {task.auxiliary[question].name!r} of {example!r}; such an answer is not known"
        )
    return told
