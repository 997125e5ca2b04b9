"""Cards as Markdown, as JSON, and as a page to print on A4; every text in them is shown and never obeyed."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from assay.results.card.card import Card
from assay.results.card.sections import evidence_pages, first_page, title
from assay.results.html_pages import encodable, environment
from assay.results.inert import inert
from assay.results.recommendation.answer import plain_values
from assay.results.recommendation.answer import record as advice_record
from assay.results.tables.sections import sections_markdown
from assay.results.tables.text import escape_markdown

VERSION = 1
MATRICES = ("agreement", "low", "high", "texts")


def to_markdown(card: Card) -> str:
    """GitHub Markdown: the first page, a rule, the evidence."""
    first, evidence = sections_markdown(first_page(card)), sections_markdown(evidence_pages(card))
    lines = [f"# {escape_markdown(title(card))}", "", *first, "---", "", *evidence]
    return inert("\n".join(lines).rstrip() + "\n")


def to_json(card: Card) -> str:
    """One JSON object, in ASCII, with the numbers as they are; what is no number is null."""
    return json.dumps(record(card), indent=2).replace("\x7f", "\\u007f") + "\n"


def record(card: Card) -> dict[str, Any]:
    """A card as plain values; `card_version` names its form."""
    shown = (field.name for field in fields(card) if field.name not in ("sensitivity", "sheet", "baselines"))
    plain = {name: plain_values(getattr(card, name)) for name in shown}
    plain["sensitivity"] = [
        {
            "label": one.label,
            "baselines": list(one.baselines),
            **{name: plain_values(getattr(one, name).tolist()) for name in MATRICES},
            "note": one.note,
        }
        for one in card.sensitivity
    ]
    plain["baselines"] = None if card.baselines is None else advice_record(card.baselines)
    return {"card_version": VERSION, **plain}


def to_html(card: Card) -> str:
    """A page that needs no network and runs no script; the first page fits one sheet of A4."""
    html = _template().render(
        title=title(card),
        first=first_page(card),
        evidence=list(evidence_pages(card)),
        sheet=Markup(files("assay.results.card").joinpath("card.css").read_text("utf-8")),
    )
    return inert(encodable(html))


@cache
def _template() -> Template:
    return environment("card").get_template("card.html.j2")
