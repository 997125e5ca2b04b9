"""What moved between two versions, as text for a terminal, as JSON and as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from assay.results.columns import to_table
from assay.results.inert import inert
from assay.results.tables.layout import ARROWS
from assay.results.versions.conditions import Judgement
from assay.results.versions.drift import DriftRow, MovedText
from assay.results.versions.records import BETTER, PAIRED, UNTOLD, WORSE, ChangeRow
from assay.tasks.counted import counted

# So many characters of a text are shown.
SHOWN = 90


def comparison_text(
    names: tuple[str, str],
    rows: Sequence[ChangeRow],
    notes: Sequence[str],
    drift: Sequence[DriftRow],
    moved: Sequence[MovedText],
    judgements: Sequence[Judgement],
) -> str:
    """Aligned columns, what moved first; every text of a user on one line, without control characters."""
    lines = [f"{names[0]} (A) and {names[1]} (B)", *(f"  {note}" for note in notes), "", *_summary(rows), ""]
    lines += _table(rows)
    lines += [""] * bool(rows) + ["B - A with the metric's arrow: ↑ more is better, ↓ less is better"] * bool(
        rows
    )
    if drift:
        lines += [
            "",
            "Agreement of explanations: Spearman's correlation of A's scores with B's, mean over texts",
        ]
        lines += _aligned([*_drift_lines(drift)])
    if moved:
        lines += ["", "Texts whose explanations moved most", "  agreement  text"]
        lines += [f"  {text.agreement:9.2f}  {_one_line(text.id)}  {_one_line(text.text)}" for text in moved]
    elif any(math.isfinite(row.agreement) and not row.control for row in drift):
        lines += ["", "No text's explanations moved: wherever it can be told, the correlation is 1.00."]
    words = {True: "holds", False: "does not hold", None: "cannot be judged"}
    for one in judgements:
        lines += ["", f"fail-if {one.condition.text!r} {words[one.holds]}: {one.words}"]
    return inert("\n".join(lines))


def comparison_json(
    names: tuple[str, str],
    rows: Sequence[ChangeRow],
    notes: Sequence[str],
    drift: Sequence[DriftRow],
    moved: Sequence[MovedText],
    judgements: Sequence[Judgement],
) -> str:
    """All of it as one object; numbers that are none are null."""
    content = {
        "a": names[0],
        "b": names[1],
        "notes": list(notes),
        "changes": [_plain(asdict(row)) for row in rows],
        "agreement": [_plain(asdict(row)) for row in drift],
        "moved_texts": [_plain(asdict(row)) for row in moved],
        "conditions": [
            {"condition": one.condition.text, "holds": one.holds, "words": one.words} for one in judgements
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False)


def changes_table(rows: Sequence[ChangeRow]) -> pd.DataFrame:
    """The rows as a table, for CSV."""
    return to_table(ChangeRow, rows)


def _summary(rows: Sequence[ChangeRow]) -> Iterator[str]:
    moved = [row for row in rows if row.verdict in (BETTER, WORSE)]
    tested = [row for row in rows if row.verdict != UNTOLD]
    if tested:
        yield (
            f"Beyond noise: {len(moved)} of {counted(len(tested), 'difference')} tested (Holm, 5 % over the "
            "table). What is not among them is not shown to be equal."
        )
    for note in dict.fromkeys(row.note for row in rows if row.verdict == UNTOLD):
        count = sum(row.verdict == UNTOLD and row.note == note for row in rows)
        yield f"Cannot be told of {count}: {note}."


def _table(rows: Sequence[ChangeRow]) -> list[str]:
    lines = []
    order = {BETTER: 0, WORSE: 0}
    for (task, model, other), of_group in _by_group(rows):
        title = f"{task} / {model}" if model == other else f"{task} / {model} (A), {other} (B)"
        shown = sorted(of_group, key=lambda row: order.get(row.verdict, 1))
        head = ["explainer", "metric", "A", "B", "B - A", "interval", "p (Holm)", "texts", "seeds", ""]
        lines += [title, *_aligned([head, *map(_cells, shown)]), ""]
    return lines[:-1]


def _cells(row: ChangeRow) -> list[str]:
    explainer = f"{row.explainer} ({row.baseline})" if row.baseline else row.explainer
    interval = f"[{row.low:+.3g}, {row.high:+.3g}]" if math.isfinite(row.low) else ""
    p = "" if not math.isfinite(row.p_holm) else f"{row.p_holm:.3f}" if row.p_holm >= 0.0005 else "<0.001"
    return [
        *(
            explainer,
            f"{row.metric} {ARROWS.get(row.direction, '')}".rstrip(),
            *map(_number, (row.value_a, row.value_b)),
        ),
        f"{row.difference:+.3g}" if math.isfinite(row.difference) else "",
        *(interval, p, _texts(row), f"{row.seeds_a}, {row.seeds_b}"),
        row.verdict if row.control is False else f"{row.verdict} (control)",
    ]


def _texts(row: ChangeRow) -> str:
    """How many shared texts a change rests on."""
    return f"{row.shared_texts} shared" if row.texts == PAIRED else f"{row.n_texts}, none shared"


def _drift_lines(drift: Sequence[DriftRow]) -> Iterator[list[str]]:
    yield ["explainer", "agreement", "two seeds of A", "texts", ""]
    for row in drift:
        explainer = f"{row.explainer} ({row.baseline})" if row.baseline else row.explainer
        left = f"left out: {row.left_out}" if row.left_out else ""
        agreement = _number(row.agreement) or "cannot be told"
        yield [explainer, agreement, _number(row.within), f"{row.n_texts} shared", left]


def _by_group(rows: Sequence[ChangeRow]) -> list[tuple[tuple[str, str, str], list[ChangeRow]]]:
    found: dict[tuple[str, str, str], list[ChangeRow]] = {}
    for row in rows:
        kind = "" if row.kind == "trained" else f", {row.kind}"
        found.setdefault((row.task, row.model + kind, row.other_model + kind), []).append(row)
    return list(found.items())


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
