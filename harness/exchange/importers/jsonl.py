"""Assay's own plain layout of scores, one JSON object per example and class: docs/exchange.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.explainers.explanation_columns import COSTS
from assay.harness.exchange.importers.foreign_scores import (
    Found,
    Known,
    Stretch,
    json_lines,
    number,
    numbers,
    on_tokens,
)
from assay.tasks.errors import InputError
from assay.tasks.example import Example


def read_jsonl(path: Path, known: Known) -> Iterator[Found]:
    """The explanations of a file, in its order. Raises InputError naming the line."""
    for where, row in json_lines(path, wanted=("id", "target")):
        example = known.example(row["id"], where)
        _check_texts(row, example, where)
        yield Found(
            where,
            example,
            known.target(row["target"], where),
            _stretches(row, example, where),
            _about(row, where),
        )


def _check_texts(row: dict[str, Any], example: Example, where: str) -> None:
    given = row.get("texts") or ([row["text"]] if "text" in row else None)
    if given is not None and _list(given) != list(example.texts):
        raise InputError(
            f"{where}: the text is not that of example {example.id!r}; the scores were made for other texts"
        )


def _stretches(row: dict[str, Any], example: Example, where: str) -> list[Stretch]:
    if "spans" in row:
        spans = row["spans"]
        if not isinstance(spans, list):
            raise InputError(f"{where}: the spans are no list; expected [[start, end, score], ...]")
        return [_stretch(span, where) for span in spans]
    tokens = row.get("tokens", row.get("words"))
    if not isinstance(tokens, list):
        raise InputError(f"{where} has no scores; expected spans, or tokens (or words) with scores")
    if not isinstance(row.get("offsets"), list):
        return on_tokens(tokens, row.get("scores"), example, where)
    values = numbers(row.get("scores"), len(tokens), where)
    offsets, segments = row["offsets"], row.get("segments") or [0] * len(tokens)
    if not len(offsets) == len(segments) == len(tokens):
        raise InputError(
            f"{where}: {len(tokens)} tokens, {len(offsets)} offsets and {len(segments)} segments; "
            "expected the same number of each"
        )
    spans = zip(offsets, values, segments, strict=True)
    stretches = [_stretch([*_list(offset), value, segment], where) for offset, value, segment in spans]
    # Special tokens have no characters.
    return [stretch for stretch in stretches if stretch.start != stretch.end]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _stretch(span: Any, where: str) -> Stretch:
    if isinstance(span, list) and len(span) in (3, 4):
        start, end, score, *segment = span
        if all(type(place) is int for place in (start, end, *segment)):
            return Stretch(
                start, end, number(score, f"the score at characters {start} to {end}", where), *segment
            )
    raise InputError(
        f"{where} has the span {span!r}; expected [start, end, score], or [start, end, score, segment]"
    )


def _about(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Cost and values, where the row gives them."""
    about: dict[str, Any] = {}
    for name in COSTS:
        if row.get(name) is not None:
            if type(row[name]) is not int or row[name] < 0:
                raise InputError(f"{where}: {name} is {row[name]!r}; expected a whole number")
            about[name] = row[name]
    for name in ("value_input", "value_baseline"):
        if row.get(name) is not None:
            about[name] = number(row[name], name, where)
    if row.get("output_space") is not None:
        about["output_space"] = str(row["output_space"])
    return about
