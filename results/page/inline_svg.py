"""A drawing as an element of a page: ids of its own, and nothing that points elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from assay.results.figures.style import Drawing

# In points; a drawing wider than that is no longer legible at half the width of the page.
WIDE = 400.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing ready for the page; `wide` ones want a row of their own. place: its number on the page."""

    title: str
    text: str
    svg: Markup
    wide: bool
    place: int


def inline(drawing: Drawing, place: int) -> Figure:
    """The SVG without prologue, comments and metadata, labelled for readers who do not see it.

    place: its number on the page. matplotlib salts the ids it refers to, but calls the groups of every
    figure `figure_1`, `axes_1`, ..., so all ids get the place in front.
    """
    svg = drawing.svg.decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)

    def renamed(tag: re.Match[str]) -> str:
        return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>drawing{place}-", tag[0])

    svg = re.sub(r"<[^>]+>", renamed, svg)
    width = re.search(r'<svg[^>]*\bwidth="([\d.]+)pt"', svg)
    label = escape(f"{drawing.title}. {drawing.text}")
    labelled = f'<svg role="img" aria-label="{label}"' + svg.removeprefix("<svg")
    return Figure(
        drawing.title,
        drawing.text,
        Markup(labelled),
        wide=width is None or float(width[1]) > WIDE,
        place=place,
    )
