"""The texts of a report as data: what its script draws, searches and sorts."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from assay.results.inert import inert
from assay.results.page.text_pieces import pieces, word_scores, words
from assay.results.records import Method, Results, grouped
from assay.results.shown import ShownScores, ShownText
from assay.results.statistics.disagreement import disagreement
from assay.results.statistics.rank_correlation import is_constant

# Of a task with more labels than that, the probabilities of the likeliest stand beside a text, and of those
# that are predicted or right.
MOST_PROBABILITIES = 6
MARKED, UNREAD = 1, 2


@dataclass(frozen=True, slots=True)
class Explorer:
    """What the page needs of the texts.

    Attributes:
        data: JSON without markup and control characters, to stand in a script element that does not run.
        shown: the number of texts in it.
        explained: the number of texts that were explained, over the same tasks and models.
        unsigned: whether some explainer's scores have no sign.
        cut: whether the model does not read some text to its end.
        marked: whether some text has a rationale.
        wrong: whether some text has labels, so that its prediction can be wrong.
        explainers: whose scores are in it, in the order of the tables.
    """

    data: Markup
    shown: int
    explained: int
    unsigned: bool
    cut: bool
    marked: bool
    wrong: bool
    explainers: tuple[str, ...]


def explorer(results: Results) -> Explorer:
    """The texts of an experiment with their explanations, sub-words joined into words."""
    methods = sorted(
        dict.fromkeys(shown.method for text in results.texts for shown in text.explanations),
        key=results.rank,
    )
    signed = {shown.method: shown.signed for text in results.texts for shown in text.explanations}
    groups = list(dict.fromkeys(text.group for text in results.texts))
    places = {method: place for place, method in enumerate(methods)}
    texts = [_text(text, groups.index(text.group), places, results) for text in results.texts]
    known = {facts.group: len(facts.ids) for facts in results.facts}
    shown = Counter(text.group for text in results.texts)
    data = {
        "methods": [
            {
                "title": inert(method.title),
                "explainer": inert(method.explainer),
                "signed": signed[method],
                "control": method.explainer in results.controls,
            }
            for method in methods
        ],
        "groups": [inert(group.title) for group in groups],
        "texts": texts,
    }
    flags = {flag for text in texts for of_text in text["pieces"] for _, _, flag in of_text}
    return Explorer(
        _script_safe(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))),
        len(texts),
        sum(max(known.get(group, 0), count) for group, count in shown.items()),
        unsigned=not all(signed.values()),
        cut=any(flag & UNREAD for flag in flags),
        marked=any(flag & MARKED for flag in flags),
        wrong=any(text.gold is not None for text in results.texts),
        explainers=tuple(dict.fromkeys(method.explainer for method in methods)),
    )


def _script_safe(data: str) -> Markup:
    """JSON in which no character can end the script element that it stands in, or begin a comment."""
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return Markup(data)


def _text(text: ShownText, group: int, places: Mapping[Method, int], results: Results) -> dict[str, Any]:
    of = words(text)
    said = [
        _said(target, text, of_target, of, places, results)
        for target, of_target in grouped(text.explanations, lambda shown: shown.target).items()
    ]
    return {
        "id": inert(text.id),
        "group": group,
        "gold": None if text.gold is None else [*map(inert, text.gold)],
        "predicted": [*map(inert, text.predicted)],
        "wrong": text.wrong,
        "probabilities": [[inert(label), round(value, 3)] for label, value in _probabilities(text)],
        "pieces": [
            [
                [inert(piece.characters), piece.word, MARKED * piece.marked + UNREAD * piece.unread]
                for piece in pieces(text, of, segment)
            ]
            for segment in range(len(text.texts))
        ],
        "said": sorted(said, key=lambda one: one["target"] not in map(inert, text.predicted)),
    }


def _said(
    target: str,
    text: ShownText,
    shown: Sequence[ShownScores],
    of: Sequence[Any],
    places: Mapping[Method, int],
    results: Results,
) -> dict[str, Any]:
    """What the explainers say of one label."""
    ordered = sorted(shown, key=lambda one: places[one.method])
    scores = {one.method: word_scores(of, one.scores) for one in ordered}
    # By tokens: a word of several would stand out of words of one, though nothing is told apart.
    several = int(text.content.sum()) > 1
    constant = [one.method for one in ordered if several and is_constant(one.scores[text.content])]
    judged = [
        one for one in ordered if one.method.explainer not in results.controls and one.method not in constant
    ]
    apart = (
        disagreement(np.stack([scores[one.method] for one in judged]), [one.signed for one in judged])
        if judged
        else math.nan
    )
    return {
        "target": inert(target),
        "disagreement": None if math.isnan(apart) else round(apart, 2),
        "constant": [places[method] for method in constant],
        "lines": [[places[method], [*map(_number, values.tolist())]] for method, values in scores.items()],
    }


def _number(value: float) -> float | None:
    """Three significant digits, which is what is shown."""
    return float(f"{value:.3g}") if math.isfinite(value) else None


def _probabilities(text: ShownText) -> list[tuple[str, float]]:
    if len(text.probabilities) <= MOST_PROBABILITIES:
        return list(text.probabilities.items())
    told = {*text.predicted, *(text.gold or ())}
    ranked = sorted(text.probabilities.items(), key=lambda pair: -pair[1])
    return [pair for place, pair in enumerate(ranked) if place < MOST_PROBABILITIES // 2 or pair[0] in told]
