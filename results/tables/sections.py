"""Headings with sentences and tables of text below them, for Markdown and for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.results.tables.text import escape_markdown, markdown_table


@dataclass(frozen=True, slots=True)
class TextTable:
    """headings: of the columns. align: a letter per column, "l" or "r". rows: the cells. caption: its own."""

    headings: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """title: its heading. lines: sentences, each a line. tables: below them. code: shown as it is typed."""

    title: str
    lines: tuple[str, ...] = ()
    tables: tuple[TextTable, ...] = ()
    code: str = ""


def sections_markdown(sections: Iterable[Section]) -> list[str]:
    """The lines of GitHub Markdown, a heading of second level for each."""
    return [line for section in sections for line in _markdown(section)]


def _markdown(section: Section) -> list[str]:
    lines = [f"## {escape_markdown(section.title)}", ""]
    if section.lines:
        lines += [*(f"- {escape_markdown(line)}" for line in section.lines), ""]
    for table in section.tables:
        rows = [[escape_markdown(cell) for cell in row] for row in table.rows]
        if table.caption:
            lines += [f"**{escape_markdown(table.caption)}**", ""]
        lines += [*markdown_table("", table.headings, table.align, rows), ""]
    if section.code:
        # Indented, so that no text can end it.
        lines += [*(f"    {line}" for line in section.code.splitlines()), ""]
    return lines
