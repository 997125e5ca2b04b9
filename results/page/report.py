"""The report: one HTML page with everything people read about an experiment, complete in itself."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from itertools import count

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from assay.results.figures.style import Drawing
from assay.results.page.glossary import code_marked, definition, value_range
from assay.results.page.heatmap import coloured, marked, unread
from assay.results.page.inline_svg import inline
from assay.results.page.summary_tables import SummaryTables
from assay.results.panel_limit import PANEL_LIMIT, limit_sentence
from assay.results.records import Method, Missing, Results, ShownText, Timing, grouped
from assay.results.statistics.comparison import methods_of
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.annotators import annotator_rows
from assay.results.tables.breakdown import LabelGrid
from assay.results.tables.counts import HEADING
from assay.results.tables.data_sheet_layout import sheets
from assay.results.tables.layout import ARROWS, MISSING, Grid
from assay.results.tables.stability_layout import HEADINGS, stability_lines
from assay.results.tables.text import how_to_read
from assay.results.tables.timing import seed_means

SOURCES = files("assay.results.page")


def page(
    results: Results,
    grids: Sequence[Grid],
    drawings: Sequence[Drawing],
    bootstrap: Bootstrap | None = None,
    labels: Sequence[LabelGrid] = (),
    found: SummaryTables | None = None,
    knowledge: Sequence[Drawing] = (),
) -> str:
    """The whole page. Whatever is empty is left out, or said to be missing.

    bootstrap: what the grids were made with, for the words about intervals. labels: the comparison label by
    label, of multi-label tasks. found: what follows from the scores beyond it. knowledge: figures of
    embeddings and hidden layers. Equal input gives equal bytes.
    Names and texts are escaped; a content security policy lets the page run its own script and nothing else.
    """
    script, sheet = (SOURCES.joinpath(name).read_text("utf-8") for name in ("report.js.j2", "report.css"))
    found = found or SummaryTables()
    numbers = count(1)
    figures, agreement_figures, stability_figures, knowledge_figures = (
        [inline(drawing, next(numbers)) for drawing in drawn]
        for drawn in (drawings, found.agreement_figures, found.stability_figures, knowledge[:PANEL_LIMIT])
    )
    explainers = _explainers(results)
    html = _template(results).render(
        results=results,
        bootstrap=bootstrap or Bootstrap(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sheet=Markup(sheet),
        missing=MISSING,
        arrows=ARROWS,
        counts_heading=HEADING,
        candidates=[title for name, title in explainers.items() if name not in results.controls],
        controls=[title for name, title in explainers.items() if name in results.controls],
        seeds=_seeds(results),
        sheets=sheets(results.tasks, results.read),
        grids=grids,
        label_grids=labels,
        how_to_read=partial(how_to_read, bootstrap=bootstrap),
        annotators=annotator_rows(results),
        figures=figures,
        knowledge_figures=knowledge_figures,
        more_knowledge=len(knowledge) - len(knowledge_figures),
        found=found,
        agreement_figures=agreement_figures,
        stability_headings=HEADINGS,
        stability=stability_lines(found.stability),
        stability_figures=stability_figures,
        first_groups=limit_sentence(len({grid.group for grid in grids})),
        timings=_timings(results),
        skipped=_skipped(results.absences),
        failures=[absence for absence in results.absences if absence.failed],
        shown=_shown(results),
        unsigned=any(not shown.signed for text in results.texts for shown in text.explanations),
        cut=any(unread(text, segment) for text in results.texts for segment in range(len(text.texts))),
    )
    # A text read from a careless file may hold half of a surrogate pair, which no encoding can write.
    return html.encode("utf-8", "replace").decode()


def _template(results: Results) -> Template:
    environment = Environment(
        loader=PackageLoader("assay.results.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = three_digits, by_label, marked, definition, value_range, code_marked
    environment.filters |= {function.__name__: function for function in functions}
    environment.filters["by_class"] = partial(_by_class, results)
    return environment.get_template("report.html.j2")


def _explainers(results: Results) -> dict[str, str]:
    """The title of every explainer: its name, and the baselines it was run with."""
    measured = {cell.method for cell in results.cells}
    every = dict.fromkeys(method for methods in methods_of(results).values() for method in methods)
    methods = [Method(name) for name in results.explainers] + [each for each in every if each in measured]
    baselines = {
        name: ", ".join(method.baseline for method in of_name if method.baseline)
        for name, of_name in grouped(methods, lambda method: method.explainer).items()
    }
    return {name: f"{name} ({used})" if used else name for name, used in baselines.items()}


def _seeds(results: Results) -> list[str]:
    """Seeds of single models, in numerical order where they are numbers."""
    seeds = {model.seed for model in results.models} or {cell.seed for cell in results.cells}
    return sorted(seeds, key=lambda seed: (not seed.isdecimal(), int(seed) if seed.isdecimal() else 0, seed))


def _shown(results: Results) -> list[str]:
    """The explainers that any text is shown under."""
    methods = {shown.method for text in results.texts for shown in text.explanations}
    ordered = sorted(methods, key=lambda method: (results.rank(method), method))
    return list(dict.fromkeys(method.explainer for method in ordered))


def by_label(values: Mapping[str, float]) -> str:
    """Numbers by label in one line; a dash if there are none."""
    return ", ".join(f"{label} {three_digits(value)}" for label, value in values.items()) or MISSING


def _by_class(results: Results, text: ShownText) -> dict[str, list[tuple[Method, tuple[Markup, ...]]]]:
    """The explanations of a text by explained class: per method its coloured text, or both of a pair."""
    ordered = sorted(text.explanations, key=lambda shown: results.rank(shown.method))
    return {
        target: [(shown.method, coloured(text, shown)) for shown in of_class]
        for target, of_class in grouped(ordered, lambda shown: shown.target).items()
    }


def _skipped(absences: Iterable[Missing]) -> dict[str, list[str]]:
    """What was left out on purpose, by reason."""
    on_purpose = (absence for absence in absences if not absence.failed)
    by_reason = grouped(on_purpose, lambda absence: absence.reason)
    return {
        reason: list(dict.fromkeys(absence.place for absence in of_reason))
        for reason, of_reason in by_reason.items()
    }


def _timings(results: Results) -> list[Timing]:
    """Means over model seeds, group by group in the order of the tables."""
    by_group = grouped(seed_means(results.timings), lambda timing: timing.group)
    return [
        timing
        for of_group in by_group.values()
        for timing in sorted(of_group, key=lambda timing: results.rank(timing.method))
    ]


def three_digits(value: float) -> str:
    """Three significant digits without an exponent; a dash if it is no number."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    return f"{value:,.{min(12, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"
