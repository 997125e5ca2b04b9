"""ERASER's predictions: rationales over the white-space tokens of a document, for the predicted class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.harness.exchange.importers.base import ScoredExample, ScoredSpan, TaskLookup, json_lines, numbers
from assay.tasks.errors import InputError


def read_eraser(path: Path, lookup: TaskLookup) -> Iterator[ScoredExample]:
    """The rationales of a file, each for the class its line predicts. Raises InputError naming the line.

    Soft predictions are the scores; without them, hard ones give 1 to each of their tokens and 0 elsewhere.
    Of a pair, the document is the second text.
    """
    for where, row in json_lines(path, ("annotation_id", "rationales")):
        example = lookup.example(row["annotation_id"], where)
        if row.get("classification") is None:
            raise InputError(
                f"{where} has no 'classification', so nobody knows which class its rationale is for; add the "
                "predicted label"
            )
        segment = len(example.texts) - 1
        tokens = list(re.finditer(r"\S+", example.texts[segment]))
        scores = _scores(_rationale(row["rationales"], where), len(tokens), where)
        spans = [
            ScoredSpan(*token.span(), score, segment) for token, score in zip(tokens, scores, strict=True)
        ]
        yield ScoredExample(where, example, lookup.target(row["classification"], where), spans)


def _rationale(rationales: Any, where: str) -> dict[str, Any]:
    """The one rationale of a line."""
    if not isinstance(rationales, list) or not all(isinstance(one, dict) for one in rationales):
        raise InputError(f"{where}: the rationales are no list of objects")
    if len(rationales) != 1:
        named = ", ".join(str(one.get("docid")) for one in rationales) or "none"
        raise InputError(
            f"{where}: {len(rationales)} documents have a rationale ({named}); expected one per example"
        )
    return rationales[0]


def _scores(rationale: dict[str, Any], tokens: int, where: str) -> list[float]:
    soft, hard = rationale.get("soft_rationale_predictions"), rationale.get("hard_rationale_predictions")
    if soft:
        return numbers(soft, tokens, where)
    if not isinstance(hard, list):
        raise InputError(
            f"{where}: the rationale has neither soft_rationale_predictions nor hard_rationale_predictions; "
            "sentence predictions alone cannot be scored"
        )
    scores = [0.0] * tokens
    for span in hard:
        first, last = (
            span.get(name) if isinstance(span, dict) else None for name in ("start_token", "end_token")
        )
        if type(first) is not int or type(last) is not int or not 0 <= first < last <= tokens:
            raise InputError(
                f"{where}: a rationale at tokens {first} to {last}, but the document has {tokens} "
                "tokens; expected 0 <= start_token < end_token, and no token beyond the last"
            )
        scores[first:last] = [1.0] * (last - first)
    return scores
