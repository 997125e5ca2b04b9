"""The scores of content tokens in stored explanations."""

from __future__ import annotations

from pathlib import Path

from assay.harness.reporting.explanation_rows import explanation_rows
from assay.results.versions.drift import Scores


def explained_part(part: Path) -> dict[tuple[str, int], Scores]:
    """The scores of content tokens in one file of explanations, by text and class."""
    found: dict[tuple[str, int], Scores] = {}
    for text, target, tokens, scores in explanation_rows(part):
        *_, words = tokens
        content = words >= 0
        # What names the tokens: segment, start and end of each.
        found[text, target] = Scores(tokens[:-1, content].tobytes(), scores[content])
    return found
