"""Everything people read, written into one folder; each file appears whole."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pandas as pd

from assay.results.checks import packaged_checks
from assay.results.claims.claims import verdicts
from assay.results.claims.page import CLAIMS_FILES, claims_files, claims_sections
from assay.results.claims.published import Beside
from assay.results.figures.every_figure import Summaries, drawings, summary_drawings
from assay.results.figures.style import Drawing
from assay.results.figures.words import words_calls
from assay.results.inert import inert, to_csv
from assay.results.page.content import Content
from assay.results.page.report import pages
from assay.results.page.summary_tables import findings, summary_files
from assay.results.parallel import ParallelMap, serial_map
from assay.results.recommendation.answer import verdict
from assay.results.records import Results
from assay.results.statistics.by_group import by_group
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.global_words import GlobalWords
from assay.results.tables.annotators import annotator_table
from assay.results.tables.bibliography import used_references
from assay.results.tables.breakdown import label_grids, labels_markdown
from assay.results.tables.data_sheet import sheet_table
from assay.results.tables.data_sheet_layout import sheets, sheets_markdown
from assay.results.tables.latex import latex
from assay.results.tables.layout import grids, split_grids
from assay.results.tables.text import markdown, plain
from assay.results.tables.timing import timing_markdown, timing_table


@dataclass(frozen=True, slots=True)
class Written:
    """text: the comparison for a terminal. page: where the report lies."""

    text: str
    page: Path


def write_results(
    results: Results,
    folder: Path,
    bootstrap: Bootstrap,
    parallel_map: ParallelMap = serial_map,
    knowledge: Sequence[Drawing] = (),
    words: GlobalWords | None = None,
    claims: Beside | None = None,
) -> Written:
    """Write comparison.{csv,md,tex,txt}, references.bib, timing.{csv,md}, data_sheet.{csv,md}, the folder
    figures and report.html, with report/*.html where there are many tasks and models, and what
    `summary_files` names: overall scores, agreement, stability and slices.

    With a multi-label task also labels.{csv,md}, the comparison label by label; with several annotators
    annotators.csv; with `words` global_words.{csv,parquet} and how stable they are; with `claims`
    claims.{csv,md} on the diagnostic study, and published.csv if there are published numbers. The page also
    shows `knowledge`, figures of embeddings and hidden layers. All but the
    timing files and the page, which show wall times, are the same bytes for the same scores, whatever they
    are spread over.
    """
    content, summarised = _content(results, bootstrap, parallel_map, knowledge, words)
    files = _tables(content, summarised, words) | _figures(content)
    if claims is not None:
        tested = verdicts(results, bootstrap, parallel_map=parallel_map)
        numbers = claims.rows(summarised.found.comparison)
        content = replace(content, claims=claims_sections(tested, numbers))
        files |= claims_files(tested, numbers, bootstrap)
    files |= {name: html.encode() for name, html in pages(content).items()}
    for name, written in files.items():
        shown = name.endswith((".md", ".tex", ".txt", ".html"))
        write_whole(folder / name, inert(written.decode()).encode() if shown else written)
    # Claims that are no longer asked for, and pages of tasks and models that are no longer in the experiment.
    for page in (folder / "report").glob("*.html"):
        if f"report/{page.name}" not in files:
            page.unlink()
    for name in CLAIMS_FILES:
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    return Written(files["comparison.txt"].decode(), folder / "report.html")


def _content(
    results: Results,
    bootstrap: Bootstrap,
    parallel_map: ParallelMap,
    knowledge: Sequence[Drawing],
    words: GlobalWords | None,
) -> tuple[Content, Summaries]:
    """What is shown, computed and drawn, and the tables that it is made of."""
    checks = packaged_checks()
    of_groups = by_group(results, bootstrap, parallel_map, advise=True)
    tables = [
        replace(grid, remarks=(*grid.remarks, *results.remarks))
        for grid in split_grids(of_groups.comparison, results.metrics, results.removal, checks, results.alike)
    ]
    # Begun here, and waited for at last.
    shown = grids(of_groups.comparison, results.metrics, results.removal, alike=results.alike)
    drawing = drawings(results, shown, parallel_map)
    of_words = parallel_map(words_calls(words.words, results.controls) if words is not None else [])
    found = findings(results, of_groups, tables, checks, bootstrap, parallel_map)
    summaries = Summaries(of_groups, found.ranks, found.sensitivity, bootstrap.alpha)
    figures = [*drawing, *summary_drawings(results, shown, summaries, parallel_map), *of_words]
    of_labels = label_grids(of_groups.labels, results)
    content = Content(results, tables, figures, bootstrap, of_labels, found, knowledge, of_groups.advice)
    return content, summaries


def _tables(content: Content, summaries: Summaries, words: GlobalWords | None) -> dict[str, bytes]:
    """The tables by file name, and the verdict."""
    results, tables, bootstrap = content.results, content.grids, content.bootstrap
    files = {
        "comparison.csv": to_csv(summaries.found.comparison),
        "comparison.md": markdown(tables, bootstrap).encode(),
        "comparison.tex": latex(tables, bootstrap).encode(),
        "comparison.txt": plain(tables, bootstrap).encode(),
        "references.bib": used_references(results).encode(),
        "timing.csv": to_csv(timing_table(results.timings)),
        "timing.md": timing_markdown(results.timings).encode(),
        "data_sheet.csv": to_csv(sheet_table(results.tasks, results.read), "%.10g"),
        "data_sheet.md": sheets_markdown(sheets(results.tasks, results.read)).encode(),
        **summary_files(content.found, bootstrap),
        "verdict.txt": verdict(content.advice, results.incomplete).encode(),
    }
    if results.labels:
        files["labels.csv"] = to_csv(summaries.found.labels)
        files["labels.md"] = labels_markdown(content.labels, bootstrap).encode()
    if results.annotators:
        files["annotators.csv"] = to_csv(annotator_table(results))
    if words is not None and words.words:
        for name, table in words.tables().items():
            files |= {f"{name}.csv": to_csv(table), f"{name}.parquet": parquet(table)}
    return files


def _figures(content: Content) -> dict[str, bytes]:
    """The figures by file name."""
    drawn = [*content.drawings, *content.found.figures]
    pairs = [((f"figures/{one.name}.svg", one.svg), (f"figures/{one.name}.png", one.png)) for one in drawn]
    return dict(chain.from_iterable(pairs))


def parquet(table: pd.DataFrame) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there with all its content or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
