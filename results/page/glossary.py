"""What the page says about each metric, in the words of its class."""

from __future__ import annotations

import inspect

from markupsafe import Markup, escape

from assay.metrics.cell_data import Metric
from assay.results.minus import minus


def definition(metric: Metric) -> str:
    """What the metric's class says it computes: the first paragraph of its docstring."""
    return " ".join((inspect.getdoc(type(metric)) or "").split("\n\n")[0].split())


def value_range(metric: Metric) -> str:
    """Both bounds of the metric in words."""
    low, high = (minus(f"{bound:g}".replace("inf", "any size")) for bound in metric.bounds)
    return f"{low} to {high}"


def code_marked(words: str) -> Markup:
    """The words with what stands between backticks set as code."""
    parts = words.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )
