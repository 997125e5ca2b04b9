"""Assay's own plain layout of scores, one JSON object per example and class: docs/exchange.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.explainers.explanation_columns import COSTS
from assay.harness.exchange.importers.base import (
    ScoredExample,
    ScoredSpan,
    TaskLookup,
    align_tokens,
    json_lines,
    number,
    numbers,
)
from assay.tasks.errors import InputError
from assay.tasks.example import Example


def read_jsonl(path: Path, lookup: TaskLookup) -> Iterator[ScoredExample]:
    """The explanations of a file, in its order. Raises InputError naming the line."""
    for where, row in json_lines(path, ("id", "target")):
        example = lookup.example(row["id"], where)
        _check_texts(row, example, where)
        target, spans = lookup.target(row["target"], where), _spans(row, example, where)
        yield ScoredExample(where, example, target, spans, _costs(row, where), _outputs(row, where))


def _check_texts(row: dict[str, Any], example: Example, where: str) -> None:
    given = row.get("texts") or ([row["text"]] if "text" in row else None)
    if given is not None and _list(given) != list(example.texts):
        raise InputError(
            f"{where}: the text is not that of example {example.id!r}; the scores were made for other texts"
        )


def _spans(row: dict[str, Any], example: Example, where: str) -> list[ScoredSpan]:
    if "spans" in row:
        spans = row["spans"]
        if not isinstance(spans, list):
            raise InputError(f"{where}: the spans are no list; expected [[start, end, score], ...]")
        return [_span(span, where) for span in spans]
    tokens = row.get("tokens", row.get("words"))
    if not isinstance(tokens, list):
        raise InputError(f"{where} has no scores; expected spans, or tokens (or words) with scores")
    if not isinstance(row.get("offsets"), list):
        return align_tokens(tokens, row.get("scores"), example, where)
    values = numbers(row.get("scores"), len(tokens), where)
    offsets, segments = row["offsets"], row.get("segments") or [0] * len(tokens)
    if not len(offsets) == len(segments) == len(tokens):
        raise InputError(
            f"{where}: {len(tokens)} tokens, {len(offsets)} offsets and {len(segments)} segments; "
            "expected the same number of each"
        )
    rows = zip(offsets, values, segments, strict=True)
    spans = [_span([*_list(offset), value, segment], where) for offset, value, segment in rows]
    # Special tokens have no characters.
    return [span for span in spans if span.start != span.end]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _span(span: Any, where: str) -> ScoredSpan:
    if isinstance(span, list) and len(span) in (3, 4):
        start, end, score, *segment = span
        if all(type(place) is int for place in (start, end, *segment)):
            value = number(score, f"the score at characters {start} to {end}", where)
            return ScoredSpan(start, end, value, *segment)
    raise InputError(
        f"{where} has the span {span!r}; expected [start, end, score], or [start, end, score, segment]"
    )


def _costs(row: dict[str, Any], where: str) -> dict[str, int]:
    costs = {field: row[name] for name, field in COSTS.items() if row.get(name) is not None}
    for name, field in COSTS.items():
        if field in costs and (type(costs[field]) is not int or costs[field] < 0):
            raise InputError(f"{where}: {name} is {costs[field]!r}; expected a whole number")
    return costs


def _outputs(row: dict[str, Any], where: str) -> dict[str, float | str]:
    outputs: dict[str, float | str] = {
        name: number(row[name], name, where)
        for name in ("value_input", "value_baseline")
        if row.get(name) is not None
    }
    if row.get("output_space") is not None:
        outputs["output_space"] = str(row["output_space"])
    return outputs
