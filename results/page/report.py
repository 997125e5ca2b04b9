"""The report: HTML with everything people read about an experiment, each page complete in itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import count

from jinja2 import Template
from markupsafe import Markup

from assay.results.html_pages import encodable, environment, script_hash
from assay.results.page.content import Content
from assay.results.page.explorer import explorer
from assay.results.page.first_screen import SCORE, WARNINGS, Answer, answers, warnings
from assay.results.page.glossary import code_marked, definition, value_range
from assay.results.page.inline_svg import inline
from assay.results.page.numbers import by_label, three_digits
from assay.results.panel_limit import PANEL_LIMIT, limit_sentence
from assay.results.recommendation.answer import agreement
from assay.results.records import Method, Missing, Results, Timing, grouped
from assay.results.statistics.comparison import methods_of
from assay.results.tables.annotators import annotator_rows
from assay.results.tables.counts import HEADING
from assay.results.tables.data_sheet_layout import sheets
from assay.results.tables.layout import ARROWS, MISSING
from assay.results.tables.stability_layout import HEADINGS, stability_lines
from assay.results.tables.text import how_to_read
from assay.results.tables.timing import seed_means

SOURCES = files("assay.results.page")
SCRIPTS = ("tables.js", "report.js", "explorer.js")
INDEX = "report.html"
# Of the name of a task and model as much as this is in the name of its page.
SLUG = 60


@dataclass(frozen=True, slots=True)
class Link:
    """A page of one task and model in the index: where it is, its title, and its answers."""

    href: str
    title: str
    answers: tuple[Answer, ...]


def pages(content: Content) -> dict[str, str]:
    """The report by file name: one page, or an index and a page for each of many tasks and models.

    Equal input gives equal bytes. Names and texts are escaped; a content security policy lets a page run its
    own script and nothing else.
    """
    if not content.is_large:
        return {INDEX: page(content)}
    parts = {
        f"report/{number:03d}-{_slug(' '.join(place))}.html": content.of(place)
        for number, place in enumerate(content.places, 1)
    }
    links = [
        Link(name, " / ".join(place), tuple(answers(part.advice, part.grids, part.results.timings)))
        for place, (name, part) in zip(content.places, parts.items(), strict=True)
    ]
    index = page(content, links=links)
    return {INDEX: index} | {name: page(part, up=f"../{INDEX}") for name, part in parts.items()}


def page(content: Content, *, links: Sequence[Link] = (), up: str = "") -> str:
    """A whole page.

    Args:
        content: what it is about.
        links: the pages of single tasks and models, of an index, which shows the rest.
        up: where the index is, of such a page.
    """
    beware = warnings(content.results, [*content.grids, *content.found.overall])
    content = content.summary() if links else content
    results, found = content.results, content.found
    scripts = [SOURCES.joinpath(name).read_text("utf-8") for name in SCRIPTS]
    script, sheet = "\n".join(scripts), SOURCES.joinpath("report.css").read_text("utf-8")
    numbers = count(1)
    figures, agreement_figures, stability_figures, knowledge_figures = (
        [inline(drawing, next(numbers)) for drawing in drawn]
        for drawn in (
            content.drawings,
            found.agreement_figures,
            found.stability_figures,
            content.knowledge[:PANEL_LIMIT],
        )
    )
    explainers = _explainers(results)
    html = _template().render(
        results=results,
        bootstrap=content.bootstrap,
        script=Markup(script),
        script_hash=script_hash(script),
        sheet=Markup(sheet),
        links=links,
        up=up,
        agreement=agreement(content.advice) if len(content.advice) > 1 else "",
        answers=[] if links else answers(content.advice, content.grids, results.timings),
        warnings=beware[:WARNINGS],
        more_warnings=[*beware[WARNINGS:], *results.notes],
        score_column=SCORE,
        explorer=explorer(results) if results.texts else None,
        explain=results.command.removeprefix("assay run").strip(),
        missing=MISSING,
        arrows=ARROWS,
        counts_heading=HEADING,
        candidates=[title for name, title in explainers.items() if name not in results.controls],
        controls=[title for name, title in explainers.items() if name in results.controls],
        seeds=_seeds(results),
        sheets=sheets(results.tasks, results.read),
        grids=content.grids,
        label_grids=content.labels,
        claims=content.claims,
        how_to_read=partial(how_to_read, bootstrap=content.bootstrap),
        annotators=annotator_rows(results),
        figures=figures,
        knowledge_figures=knowledge_figures,
        more_knowledge=len(content.knowledge) - len(knowledge_figures),
        found=found,
        agreement_figures=agreement_figures,
        stability_headings=HEADINGS,
        stability=stability_lines(found.stability),
        stability_figures=stability_figures,
        first_groups=limit_sentence(len({grid.group for grid in content.grids})),
        timings=_timings(results),
        skipped=_skipped(results.absences),
        failures=[absence for absence in results.absences if absence.failed],
    )
    return encodable(html)


def _slug(title: str) -> str:
    """The title as part of a file name on any system."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:SLUG].strip("-")


@cache
def _template() -> Template:
    functions = three_digits, by_label, definition, value_range, code_marked
    return environment("page", filters=functions).get_template("report.html.j2")


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
