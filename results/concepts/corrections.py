"""The lines that a reader puts into corrections.csv where the model is wrong about a concept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.inert import inert_cell
from assay.tasks.corrections import COLUMNS, WHO

__all__ = ["COLUMNS", "WHO", "correction_lines", "csv_line"]


def correction_lines(explanation: ConceptExplanation) -> list[tuple[str, str]]:
    """For each concept its name and the line that says the contrary of the model.

    The model says the likeliest answer to a question, also where that is below one half, and any concept from
    one half on; of a concept without a probability it says what the layer has.

    Example:
        >>> from assay.explainers.concepts.explanation import ConceptPart
        >>> parts = (ConceptPart("ladder", 0.5, 0.9),)
        >>> correction_lines(ConceptExplanation("7", "bottleneck", 1, 0.8, parts))
        [('ladder', '7,ladder,no,YOUR NAME')]
    """
    likeliest = _likeliest(explanation.parts)
    return [
        (
            part.name,
            csv_line((explanation.example_id, part.name, "no" if _said(part, likeliest) else "yes", WHO)),
        )
        for part in explanation.parts
    ]


def _said(part: ConceptPart, likeliest: Mapping[str, float]) -> bool:
    """Whether the model says that the concept is there."""
    if part.probability is None:
        return part.seen
    question, colon, _ = part.name.partition(": ")
    return part.probability >= min(0.5, likeliest[question] if colon else 0.5)


def _likeliest(parts: Iterable[ConceptPart]) -> dict[str, float]:
    """The probability of the likeliest answer to each question."""
    found = dict[str, float]()
    for part in parts:
        question, colon, _ = part.name.partition(": ")
        if colon and part.probability is not None:
            found[question] = max(part.probability, found.get(question, 0.0))
    return found


def csv_line(cells: tuple[str, ...]) -> str:
    """A line of a CSV file in which no cell is a formula or moves a cursor, without its end."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(map(inert_cell, cells))
    return file.getvalue()
