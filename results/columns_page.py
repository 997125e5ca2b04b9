"""The page of the documentation on the columns of every table."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from assay.results.claims.records import ClaimRow, PublishedRow
from assay.results.columns import (
    AgreementRow,
    AnnotatorRow,
    Column,
    ComparisonRow,
    LabelRow,
    OverallRow,
    RankRow,
    SensitivityRow,
    SheetRow,
    SliceRow,
    StabilityRow,
    SubsampleRow,
    TimingRow,
    columns,
)
from assay.results.word_columns import GlobalWordRow, WordStabilityRow

PAGE_HEAD = """# The columns of every table

The CSV files of `<store>/experiments/<name>/`. [Reading the results](reading_results.md) explains the tables,
[statistics](statistics.md) their intervals and tests. Generated from the types of the rows by
`python -m assay.results.columns_page > docs/columns.md`.
"""


TABLES: dict[str, type] = {
    "comparison.csv": ComparisonRow,
    "overall.csv": OverallRow,
    "agreement.csv": AgreementRow,
    "stability.csv": StabilityRow,
    "stability_texts.csv": SubsampleRow,
    "ranks.csv": RankRow,
    "slices.csv": SliceRow,
    "labels.csv": LabelRow,
    "baseline_sensitivity.csv": SensitivityRow,
    "annotators.csv": AnnotatorRow,
    "global_words.csv": GlobalWordRow,
    "global_words_stability.csv": WordStabilityRow,
    "claims.csv": ClaimRow,
    "published.csv": PublishedRow,
    "timing.csv": TimingRow,
    "data_sheet.csv": SheetRow,
}


def page() -> str:
    """The page of the documentation: the columns of every table, in Markdown."""
    lines = [PAGE_HEAD]
    for file, row in TABLES.items():
        about = (row.__doc__ or "").split(": a row of")[0]
        lines += [f"## `{file}`", "", f"One row: {about[0].lower()}{about[1:]}.", ""]
        lines += [*column_table(columns(row)), ""]
    return "\n".join(lines).rstrip() + "\n"


def column_table(described: Iterable[Column]) -> list[str]:
    """The lines of a Markdown table of columns."""
    lines = (
        f"| `{name}` | {getattr(type, '__name__', type)} | {meaning} |" for name, type, meaning in described
    )
    return ["| column | type | meaning |", "| --- | --- | --- |", *lines]


if __name__ == "__main__":
    sys.stdout.write(page())
