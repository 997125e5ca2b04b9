"""The templates of the pages: every text is escaped, an undefined name is an error."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup

from assay.results.concepts.mentions import heading, percent
from assay.results.concepts.terms import method_in_words
from assay.results.html_pages import encodable, environment, script_hash
from assay.results.inert import inert
from assay.results.minus import minus
from assay.results.statistics.intervals import Interval
from assay.results.tables.layout import MISSING


def render(name: str, **values: object) -> str:
    """A page from its template; it shows texts of users and obeys none.

    The style is that of the report with a sheet of its own. The one script that a page may run is named by
    its hash in the content security policy.
    """
    report, own = files("assay.results.page"), files("assay.results.concepts")
    script = "\n".join(
        (report.joinpath("tables.js").read_text("utf-8"), own.joinpath("pages.js").read_text("utf-8"))
    )
    sheet = "\n".join(
        (report.joinpath("report.css").read_text("utf-8"), own.joinpath("pages.css").read_text("utf-8"))
    )
    html = (
        _environment()
        .get_template(name)
        .render(
            script=Markup(script),
            script_hash=script_hash(script),
            sheet=Markup(sheet),
            missing=MISSING,
            **values,
        )
    )
    return inert(encodable(html))


@cache
def _environment() -> Environment:
    functions = heading, percent, signed, share, decimals, interval, method_in_words
    return environment("concepts", "page", filters=functions)


def signed(value: float) -> str:
    """Two decimals with a sign, that of zero always plus; a dash where there is no value."""
    return minus(f"{round(value, 2) + 0.0:+.2f}") if math.isfinite(value) else MISSING


def share(value: float) -> str:
    """A share of cases in per cent; a dash where there is none."""
    return f"{100 * value:.0f} %" if math.isfinite(value) else MISSING


def decimals(value: float, places: int = 2) -> str:
    """A number with so many decimals; a dash where there is no value."""
    return minus(f"{value:.{places}f}") if math.isfinite(value) else MISSING


def interval(given: Interval, places: int = 2) -> str:
    """[low, high], or nothing where the interval is not known."""
    if not (math.isfinite(given.low) and math.isfinite(given.high)):
        return ""
    low, high = (f"{round(end, places) + 0.0:.{places}f}" for end in (given.low, given.high))
    return minus(f"[{low}, {high}]")
