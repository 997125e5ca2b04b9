"""Data sheets as tables to be read: a column per split, and tables of labels, annotators and models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.results.columns import SheetRow
from assay.results.records import TaskSize, TextsRead
from assay.results.tables.data_sheet import (
    ANNOTATORS,
    CUT,
    LABELS,
    LOST,
    MARKED,
    MARKED_WORDS,
    MODELS,
    OF_MARKED,
    PARTLY,
    RATIONALES,
    SHARE,
    SPLITS,
    TEXTS,
    WHOLLY,
    sheet_rows,
)
from assay.results.tables.layout import MISSING
from assay.results.tables.text import escape_markdown, how_to_read, markdown_table

# More labels or annotators than these are left to data_sheet.csv.
ITEM_LIMIT = 40
UNKNOWN = "unknown"
# Facts that stand in the cell of another one, and what others are called where they stand alone.
TOLD_WITH_OTHERS = ("shortest", "lower quartile", "upper quartile", f"{MARKED}, share")
NAMES = {"median": "words: median (quartiles)", "longest": "words: longest"}


class Cell(NamedTuple):
    """text: of the cell. note: the number of the sentence that says why it is unknown. share: of a bar."""

    text: str = MISSING
    note: int = 0
    share: float | None = None


@dataclass(frozen=True, slots=True)
class SheetTable:
    """One table. rows: a name, and a cell per heading but the first. left_out: the rows not shown."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """The data sheet of one task. notes: why values are unknown, by number from 1."""

    title: str
    tables: tuple[SheetTable, ...]
    notes: tuple[str, ...]


def sheets(tasks: Sequence[TaskSize], read: Sequence[TextsRead] = ()) -> list[Sheet]:
    """One per task; the title names the models where a task is listed more than once."""
    names = [task.name for task in tasks]
    return [
        _sheet(
            task.name if names.count(task.name) < 2 else f"{task.name}, for {', '.join(task.models)}",
            sheet_rows(task, read),
        )
        for task in tasks
    ]


def _sheet(title: str, rows: Sequence[SheetRow]) -> Sheet:
    reasons = list(dict.fromkeys(row.reason for row in rows if row.reason))
    page = _Page(rows, reasons)
    tables = page.splits(), page.labels(), page.annotators(), page.models()
    return Sheet(title, tuple(table for table in tables if table is not None), tuple(reasons))


class _Page:
    """Finds the facts of one task by what they are about."""

    def __init__(self, rows: Sequence[SheetRow], reasons: Sequence[str]) -> None:
        self.rows, self.reasons = rows, reasons
        self.facts = {(row.section, row.split, row.item, row.measure): row for row in rows}
        sizes = {split: self.facts[TEXTS, split, "", "texts"].value for split in SPLITS}
        self.names = [split for split in SPLITS if sizes[split]]

    def cell(self, section: str, split: str, item: str, measure: str, *, bar: bool = False) -> Cell:
        """The cell of a fact; a dash where there is none. bar: whether a share has a bar."""
        row = self.facts.get((section, split, item, measure))
        if row is None:
            return Cell()
        if math.isnan(row.value):
            return Cell(UNKNOWN, self.reasons.index(row.reason) + 1)
        return Cell(number(row), share=row.value if bar else None)

    def counted(self, section: str, split: str, item: str, measure: str, share: str) -> Cell:
        """A number of texts with its share, and a bar of it."""
        count = self.cell(section, split, item, measure)
        part = self.cell(section, split, item, share, bar=True)
        return count if part.share is None else part._replace(text=f"{count.text} ({part.text})")

    def spread(self, section: str, split: str, item: str, prefix: str = "") -> Cell:
        """A median with its quartiles."""
        middle, low, high = (
            self.cell(section, split, item, f"{prefix}{measure}")
            for measure in ("median", "lower quartile", "upper quartile")
        )
        known = middle != Cell() and not middle.note
        return Cell(f"{middle.text} ({low.text} to {high.text})") if known else middle

    def splits(self) -> SheetTable:
        """What is counted of whole splits, a row each."""
        lines = []
        for section, measure in dict.fromkeys(
            (row.section, row.measure) for row in self.rows if not row.item
        ):
            if measure in TOLD_WITH_OTHERS:
                continue
            over_all = self.cell(section, "", "", measure)
            cells = [self._of_split(section, split, measure) for split in self.names]
            if over_all != Cell():
                cells[-1] = over_all if over_all.note else over_all._replace(text=f"{over_all.text} in all")
            lines.append((NAMES.get(measure, measure), tuple(cells)))
        return SheetTable("Texts", ("", *self.names), tuple(lines))

    def _of_split(self, section: str, split: str, measure: str) -> Cell:
        if measure == "median":
            return self.spread(section, split, "")
        if measure == MARKED:
            return self.counted(section, split, "", measure, f"{MARKED}, share")
        return self.cell(section, split, "", measure)

    def labels(self) -> SheetTable | None:
        """How often each label occurs, and how often it has a rationale."""
        marked = any(row.section == RATIONALES and row.item for row in self.rows)

        def line(label: str) -> list[Cell]:
            cells = [self.counted(LABELS, split, label, "texts", SHARE) for split in self.names]
            if marked:
                cells.append(self.counted(RATIONALES, "test", label, MARKED, f"{MARKED}, share"))
                cells.append(self.cell(RATIONALES, "test", label, MARKED_WORDS, bar=True))
            return cells

        of_rationales = ("test, with a rationale for it", MARKED_WORDS) if marked else ()
        return self._by_item(LABELS, ("label", *self.names, *of_rationales), line)

    def annotators(self) -> SheetTable | None:
        """How many texts each annotator has judged."""
        return self._by_item(
            ANNOTATORS,
            ("annotator", *self.names),
            lambda name: [self.counted(ANNOTATORS, split, name, "texts", SHARE) for split in self.names],
        )

    def models(self) -> SheetTable | None:
        """What each model reads of the explained texts."""

        def line(model: str) -> list[Cell]:
            read = self.spread(MODELS, "test", model, "tokens, ")
            longest = self.cell(MODELS, "test", model, "tokens, longest")
            cut = self.counted(MODELS, "test", model, CUT, f"{CUT}, share")
            lost = [
                self.counted(MODELS, "test", model, measure, f"{measure}, {OF_MARKED}")
                for measure in (PARTLY, WHOLLY)
            ]
            return [read, longest, cut, self.cell(MODELS, "test", model, LOST), *lost]

        headings = "model", "tokens read: median (quartiles)", "tokens read: most", CUT, LOST, PARTLY, WHOLLY
        return self._by_item(MODELS, headings, line)

    def _by_item(
        self, section: str, headings: tuple[str, ...], line: Callable[[str], Iterable[Cell]]
    ) -> SheetTable | None:
        """A row for each item of a section; None without items."""
        items = list(dict.fromkeys(row.item for row in self.rows if row.section == section and row.item))
        lines = tuple((item, tuple(line(item))) for item in items[:ITEM_LIMIT])
        left_out = max(0, len(items) - ITEM_LIMIT)
        return SheetTable(section.capitalize(), headings, lines, left_out) if items else None


def number(row: SheetRow) -> str:
    """A share in percent, anything else with one digit after the point, or two below 10, without zeros."""
    if row.unit != SHARE:
        text = f"{row.value:,.{2 if row.value < 10 else 1}f}"
        return text.rstrip("0").rstrip(".")
    return "< 0.1%" if 0 < row.value < 0.0005 else f"{row.value:.1%}"


def sheets_markdown(found: Sequence[Sheet]) -> str:
    """GitHub Markdown, the tables of one task after another."""
    lines = ["# Data sheets", "", how_to_read("sheet"), ""]
    for sheet in found:
        for table in sheet.tables:
            rows = [[escape_markdown(name), *map(_markdown_cell, cells)] for name, cells in table.rows]
            align = "l" + "r" * (len(table.headings) - 1)
            lines += [*markdown_table(f"{sheet.title}: {table.caption}", table.headings, align, rows), ""]
            if table.left_out:
                lines += [f"{table.left_out} more are in data_sheet.csv.", ""]
        lines += [f"{place}. Unknown: {note}." for place, note in enumerate(sheet.notes, 1)]
        lines += [""] * bool(sheet.notes)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_cell(cell: Cell) -> str:
    return f"{cell.text}<sup>{cell.note}</sup>" if cell.note else escape_markdown(cell.text)
