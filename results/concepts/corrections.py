"""The lines that a reader puts into corrections.csv where the model is wrong about a concept."""

from __future__ import annotations

import csv
import io

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.results.inert import inert_cell
from assay.tasks.corrections import COLUMNS, WHO

__all__ = ["COLUMNS", "WHO", "correction_lines", "csv_line"]


def correction_lines(explanation: ConceptExplanation) -> list[tuple[str, str]]:
    """For each concept with a probability its name and the line that says the contrary of the model.

    Example:
        >>> from assay.explainers.concepts.explanation import ConceptPart
        >>> parts = (ConceptPart("ladder", 0.5, 0.9),)
        >>> correction_lines(ConceptExplanation("7", "bottleneck", 1, 0.8, parts))
        [('ladder', '7,ladder,no,YOUR NAME')]
    """
    return [
        (
            part.name,
            csv_line((explanation.example_id, part.name, "no" if part.probability >= 0.5 else "yes", WHO)),
        )
        for part in explanation.parts
        if part.probability is not None
    ]


def csv_line(cells: tuple[str, ...]) -> str:
    """A line of a CSV file in which no cell is a formula or moves a cursor, without its end."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(map(inert_cell, cells))
    return file.getvalue()
