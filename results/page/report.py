"""The report: one HTML page with everything people read about an experiment, complete in itself."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assay.results.columns import TimingRow, from_table, method_of
from assay.results.figures.style import Drawing
from assay.results.page.glossary import reading
from assay.results.page.heatmap import coloured, marked
from assay.results.page.inline_svg import inline
from assay.results.page.summary_tables import SummaryTables
from assay.results.panel_limit import limit_sentence
from assay.results.records import Group, Method, Missing, Results, ShownText, grouped
from assay.results.statistics.comparison import methods_of
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.how_to_read import how_to_read
from assay.results.tables.label_layout import LabelGrid
from assay.results.tables.layout import MISSING, Grid
from assay.results.tables.stability_layout import HEADINGS, stability_lines

Rank = Callable[[Method], tuple[bool, int]]


@dataclass(frozen=True, slots=True)
class Panel:
    """The explanations of one text for one class: per method its coloured text, or both texts of a pair."""

    target: str
    lines: tuple[tuple[Method, tuple[Markup, ...]], ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall milliseconds per text of one method, mean over seeds of the median and the quartiles."""

    group: Group
    method: Method
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """Everything that is left out for one reason."""

    reason: str
    places: tuple[str, ...]


def page(
    results: Results,
    grids: Sequence[Grid],
    drawings: Sequence[Drawing],
    timing: pd.DataFrame,
    bootstrap: Bootstrap | None = None,
    labels: Sequence[LabelGrid] = (),
    found: SummaryTables | None = None,
) -> str:
    """The whole page. Whatever is empty is left out, or said to be missing.

    timing: as from assay.results.write.timing_table, in seconds. bootstrap: what the grids were made with,
    for the words about intervals. labels: the comparison label by label, of multi-label tasks. found: what
    follows from the scores beyond it. Equal input gives equal bytes. Names and texts are escaped; a content
    security policy lets the page run its own script and nothing else.
    """
    environment = Environment(
        loader=PackageLoader("assay.results.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["three_digits"] = three_digits
    script, sheet = (_packaged(environment, name) for name in ("report.js.j2", "report.css"))
    candidates, controls = _explainers(results)
    rank = ranked(results)
    found = found or SummaryTables()
    figures = [inline(drawing, place) for place, drawing in enumerate((*drawings, *found.figures), 1)]
    further = figures[len(drawings) :]
    html = environment.get_template("report.html.j2").render(
        results=results,
        bootstrap=bootstrap or Bootstrap(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sheet=Markup(sheet),
        missing=MISSING,
        candidates=candidates,
        controls=controls,
        seeds=_seeds(results),
        readings=[reading(metric) for metric in results.metrics],
        grids=grids,
        label_grids=labels,
        how_to_read=partial(how_to_read, bootstrap=bootstrap),
        figures=figures[: len(drawings)],
        found=found,
        agreement_figures=further[: len(found.agreement_figures)],
        stability_headings=HEADINGS,
        stability=stability_lines(found.stability),
        stability_figures=further[len(found.agreement_figures) :],
        first_groups=limit_sentence(len({grid.group for grid in grids})),
        clocks=clocks(timing, rank),
        models=[(model, _by_label(model.accuracy), _by_label(model.f1)) for model in results.models],
        skipped=skipped(results.absences),
        failures=[absence for absence in results.absences if absence.failed],
        texts=[(text, marked(text) if text.rationales else (), panels(text, rank)) for text in results.texts],
        shown=_shown(results.texts, rank),
    )
    # A text read from a careless file may hold half of a surrogate pair, which no encoding can write.
    return html.encode("utf-8", "replace").decode()


def _packaged(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def ranked(results: Results) -> Rank:
    """The order of methods in the tables: as configured, controls last."""
    order = {name: place for place, name in enumerate(results.explainers)}
    return lambda method: (method.explainer in results.controls, order.get(method.explainer, len(order)))


def _explainers(results: Results) -> tuple[list[str], list[str]]:
    """Candidates and controls, each with the baselines it was run with."""
    baselines: dict[str, dict[str, None]] = {name: {} for name in results.explainers}
    measured = {cell.method for cell in results.cells}
    for method in (method for methods in methods_of(results).values() for method in methods):
        if method in measured:
            baselines.setdefault(method.explainer, {})[method.baseline] = None
    titles = {
        name: f"{name} ({', '.join(filter(None, used))})" if any(used) else name
        for name, used in baselines.items()
    }
    return (
        [title for name, title in titles.items() if name not in results.controls],
        [title for name, title in titles.items() if name in results.controls],
    )


def _seeds(results: Results) -> list[str]:
    """Seeds of single models, in numerical order where they are numbers."""
    seeds = {model.seed for model in results.models} or {cell.seed for cell in results.cells}
    return sorted(seeds, key=lambda seed: (not seed.isdecimal(), int(seed) if seed.isdecimal() else 0, seed))


def _shown(texts: Iterable[ShownText], rank: Rank) -> list[str]:
    """The explainers that any text is shown under."""
    methods = {shown.method for text in texts for shown in text.explanations}
    return list(dict.fromkeys(method.explainer for method in sorted(methods, key=lambda of: (rank(of), of))))


def _by_label(values: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {three_digits(value)}" for label, value in values.items()) or MISSING


def panels(text: ShownText, rank: Rank) -> list[Panel]:
    """The explanations of a text, one panel per explained class."""
    ordered = sorted(text.explanations, key=lambda shown: rank(shown.method))
    return [
        Panel(target, tuple((shown.method, coloured(text, shown)) for shown in of_target))
        for target, of_target in grouped(ordered, lambda shown: shown.target).items()
    ]


def skipped(absences: Iterable[Missing]) -> list[Skipped]:
    """What was left out on purpose, by reason."""
    by_reason = grouped(
        (absence for absence in absences if not absence.failed), lambda absence: absence.reason
    )
    return [
        Skipped(reason, tuple(dict.fromkeys(absence.place for absence in of_reason)))
        for reason, of_reason in by_reason.items()
    ]


def clocks(timing: pd.DataFrame, rank: Rank) -> list[Clock]:
    """Wall times by method, from seconds per cell."""
    rows = grouped(from_table(TimingRow, timing), lambda row: row.group)
    found = []
    for group, of_group in rows.items():
        by_method = grouped(of_group, method_of)
        for method in sorted(by_method, key=rank):
            seconds = ((row.median, row.quartile_1, row.quartile_3) for row in by_method[method])
            milliseconds = (1000 * fmean(values) for values in zip(*seconds, strict=True))
            found.append(Clock(group, method, *milliseconds))
    return found


def three_digits(value: float) -> str:
    """Three significant digits without an exponent; a dash if it is no number."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    return f"{value:,.{min(12, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"
