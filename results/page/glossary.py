"""How to read each metric, in the words of its class."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from markupsafe import Markup, escape

from assay.metrics.cell_data import Metric
from assay.results.tables.layout import ARROWS

QUESTIONS = {
    "faithfulness": "How fast does the model fail when the tokens with the highest scores are taken away?",
    "confidence indication": "Can the model's confidence be read off its explanation?",
    "rationale consistency": "Where two models reason differently, do their explanations differ as much?",
    "dataset consistency": "Does one model explain texts alike that it reads alike?",
    "human agreement": "Do the scores rank the tokens first that people marked as the reason?",
    "compute time": "What does an explanation cost?",
    "numerical quality": "Do the scores add up to what they explain, and would other draws give the same?",
    "complexity": "How few tokens does the explanation rest on?",
    "robustness": "Does the explanation stay the same when chance or the text changes a little?",
    "sanity": "Does the explanation change when the model forgets what it has learnt?",
    "ground truth": "Do the scores rank the tokens first that are known to be the reason?",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one metric."""

    title: str
    arrow: str
    better: str
    question: str
    definition: str
    bounds: str
    random: Markup


def reading(metric: Metric) -> Reading:
    """What the page says about a metric: its question, and what its class says it computes."""
    definition = (inspect.getdoc(type(metric)) or "").split("\n\n")[0]
    low, high = (f"{bound:g}".replace("inf", "any size").replace("-", "−") for bound in metric.bounds)
    return Reading(
        title=metric.title,
        arrow=ARROWS[metric.direction],
        better="more is better" if metric.direction == "higher" else "less is better",
        question=QUESTIONS.get(metric.property, ""),
        definition=" ".join(definition.split()),
        bounds=f"{low} to {high}",
        random=code_marked(metric.random_level),
    )


def code_marked(words: str) -> Markup:
    """The words with what stands between backticks set as code."""
    parts = words.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )
