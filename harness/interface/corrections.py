"""What readers corrected, as labels of a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.harness.interface.arguments import checked
from assay.tasks.concepts import read_concepts
from assay.tasks.corrections import read_corrections, with_corrections
from assay.tasks.errors import InputError, shown
from assay.tasks.example import Task


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
    return with_corrections(task, read_corrections(path, read, task))
