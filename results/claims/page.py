"""The page of a reproducer: verdicts, what they rest on, and published numbers; Markdown, text and CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from assay.results.claims.claims import Verdict, claims_table
from assay.results.claims.published import published_table
from assay.results.claims.records import FAILS, HOLDS, UNTOLD, ClaimRow, PublishedRow
from assay.results.inert import inert, to_csv
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.sections import Section, TextTable, sections_markdown
from assay.results.tables.text import how_to_read
from assay.tasks.counted import counted

MISSING = "–"
CLAIMS_FILES = ("claims.csv", "claims.md", "published.csv")
VERDICTS = (HOLDS, FAILS, UNTOLD)


def claims_sections(found: Sequence[Verdict], published: Sequence[PublishedRow] = ()) -> list[Section]:
    """The verdicts, the estimates behind them, and published numbers if there are any."""
    whole = [
        (verdict.claim.sentence, verdict.whole.verdict, verdict.whole.reason, verdict.claim.id)
        for verdict in found
    ]
    counts = [f"{one}: {sum(row[1] == one for row in whole)}" for one in VERDICTS]
    quoted = [f"{one.claim.id} is quoted from {one.claim.quoted}" for one in found if one.claim.quoted]
    sections = [
        Section(
            "Verdicts",
            (f"{counted(len(whole), 'claim')}; {', '.join(counts)}.", *remarks(found))
            + (
                (f"{'; '.join(quoted)}; the others are put to the test and quoted from nowhere.",)
                if quoted
                else ()
            ),
            (TextTable(("claim", "verdict", "why", "name"), "llll", tuple(whole)),),
        ),
        Section("Estimates", (), tuple(map(_estimates, filter(_measured, found)))),
    ]
    if published:
        sections.append(_published(published))
    return [section for section in sections if section.tables]


def remarks(found: Sequence[Verdict]) -> list[str]:
    """What to beware of: which claims rest on a metric that favours some of the explainers."""
    by_names: dict[str, list[str]] = {}
    for verdict in found:
        for names in dict.fromkeys(row.favoured for row in verdict.rows if row.favoured):
            by_names.setdefault(names, []).append(verdict.claim.id)
    return [
        f"Beware of {', '.join(ids)}: a metric takes tokens away as the baseline of {names} does, which "
        "favours these; baseline@removal=[...] chooses another operator."
        for names, ids in by_names.items()
    ]


def _measured(verdict: Verdict) -> bool:
    return any(math.isfinite(row.estimate) for row in verdict.rows)


def _estimates(verdict: Verdict) -> TextTable:
    head = ("task / model", "estimate", "interval", "p (Holm)", "texts × models", "verdict", "contrast")
    rows = tuple(_cells(row) for row in verdict.rows if math.isfinite(row.estimate))
    return TextTable(head, "lrrrrll", rows, f"{verdict.claim.id}: {verdict.claim.scale}")


def _cells(row: ClaimRow) -> tuple[str, ...]:
    verdict = f"{row.verdict}: {row.reason}" if row.reason else row.verdict
    return (
        f"{row.task} / {row.model}",
        number(row.estimate, signed=True),
        _interval(row.low, row.high),
        MISSING if math.isnan(row.p_holm) else f"{row.p_holm:.3f}" if row.p_holm >= 0.0005 else "<0.001",
        f"{row.n_texts} × {row.n_seeds}",
        verdict,
        row.contrast,
    )


def _published(rows: Sequence[PublishedRow]) -> Section:
    head = (
        *("task / model", "explainer", "metric", "published", "measured", "interval", "difference"),
        *("inside the interval", "source"),
    )
    cells = tuple(
        (
            f"{row.task} / {row.model}",
            f"{row.explainer} ({row.baseline})" if row.baseline else row.explainer,
            row.metric,
            number(row.published),
            number(row.measured),
            _interval(row.low, row.high),
            number(row.difference, signed=True),
            row.inside or row.note or MISSING,
            row.source,
        )
        for row in rows
    )
    known = [row for row in rows if row.inside]
    inside = sum(row.inside == "yes" for row in known)
    without = len(rows) - len(known)
    line = (
        f"{counted(len(rows), 'comparison')} of a published with a measured number: in {inside} the "
        f"published one lies inside the interval of the measured one, in {len(known) - inside} outside; in "
        f"{without} the measured one has no interval, for the reason in its row."
        if known
        else "No measured number here has an interval that a published one may lie in, for the reasons below."
    )
    return Section("Published numbers", (line,), (TextTable(head, "lllrrrrll", cells),))


def _place(row: ClaimRow) -> str:
    return " ".join(f"{row.task} / {row.model}".split())


def number(value: float, *, signed: bool = False) -> str:
    """Three decimals, one from 100 on, with its sign if asked.

    Example:
        >>> number(0.12345, signed=True), number(float("nan"))
        ('+0.123', '–')
    """
    if not math.isfinite(value):
        return MISSING
    decimals = 1 if abs(value) >= 100 else 3
    return f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"


def _interval(low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]" if math.isfinite(low) and math.isfinite(high) else MISSING


def claims_markdown(sections: Sequence[Section], bootstrap: Bootstrap) -> str:
    """The page in Markdown."""
    head = ["# Claims of the diagnostic study", "", how_to_read("claims", bootstrap), ""]
    return "\n".join([*head, *sections_markdown(sections)]).rstrip() + "\n"


def claims_text(found: Sequence[Verdict], published: Sequence[PublishedRow] = ()) -> str:
    """The verdicts for a terminal, one claim after the other, and the published numbers."""
    width = max(map(len, VERDICTS))
    lines = []
    for verdict in found:
        lines.append(f"{verdict.whole.verdict.ljust(width)}  {verdict.claim.sentence}")
        lines.append(f"{' ' * width}    {verdict.whole.reason}")
        lines += [
            f"{' ' * width}    {_place(row)}: {number(row.estimate, signed=True)} "
            f"{_interval(row.low, row.high)}, {row.verdict}"
            for row in verdict.rows
            if math.isfinite(row.estimate)
        ]
    lines += ["", *remarks(found)]
    for section in [_published(published)] if published else []:
        lines += ["", *section.lines]
        table = [section.tables[0].headings, *section.tables[0].rows]
        plain = [[" ".join(cell.split()) for cell in row] for row in table]
        widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
        lines += [
            "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
            for row in plain
        ]
    return inert("\n".join(lines))


def claims_files(
    found: Sequence[Verdict], published: Sequence[PublishedRow], bootstrap: Bootstrap
) -> dict[str, bytes]:
    """claims.csv and claims.md, and published.csv if there are published numbers."""
    sections = claims_sections(found, published)
    files = {
        "claims.csv": to_csv(claims_table(found)),
        "claims.md": claims_markdown(sections, bootstrap).encode(),
    }
    return files | ({"published.csv": to_csv(published_table(published))} if published else {})


def plain_rows(found: Sequence[Verdict], published: Sequence[PublishedRow]) -> dict[str, Any]:
    """Both tables as plain values; numbers that are none are None."""
    claims = [row for verdict in found for row in (verdict.whole, *verdict.rows)]
    return {"claims": [*map(_plain, claims)], "published": [*map(_plain, published)]}


def _plain(row: ClaimRow | PublishedRow) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }
