"""The sentences of a recommendation, each with the numbers that permit it. None says more than these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assay.results.recommendation.evidence import COST, TRUTH
from assay.results.recommendation.recommendation import PropertyVerdict, Recommendation
from assay.results.recommendation.robustness import DRAWS
from assay.results.recommendation.templates import TEMPLATES
from assay.results.records import Method, grouped
from assay.tasks.counted import counted

# A ratio of costs below it is not worth a sentence.
LEAST_RATIO = 2.0
# So many explainers at most are named by how often they are first, and none of less than this share.
MOST_WEIGHTINGS, LEAST_SHARE = 3, 0.005
# More texts than this are no plan.
MOST_TEXTS = 1_000_000


TOLD = "weighted score"


class Sentence(NamedTuple):
    """key: of TEMPLATES. text: with the blanks filled."""

    key: str
    text: str


def sentences(found: Recommendation, alpha: float = 0.05) -> list[Sentence]:
    """The answer in words.

    Args:
        found: with the numbers.
        alpha: of the tests of single properties.
    """
    said = list(_refusal(found)) if found.refused else [*_use(found), *_about(found, alpha)]
    said += [*_no_better(found), *_few(found), *_changes(found)]
    if found.latency:
        said.append(_say("latency", how=found.latency))
    if found.texts:
        models = counted(found.models, "model")
        said.append(_say("scope", texts=f"{found.texts:,}", models=models))
    return said


def named(methods: Sequence[Method], last: str = "and") -> str:
    """Methods in a row, with their baselines in words.

    Example:
        >>> named([Method("lime", "mask"), Method("saliency")], "or")
        'lime with baseline mask or saliency'
    """
    return _row([" with baseline ".join(filter(None, method)) for method in methods], last)


def _titles(methods: Sequence[Method], last: str = "and") -> str:
    return _row([method.title for method in methods], last)


def _row(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else ""


def _say(key: str, **blanks: str) -> Sentence:
    return Sentence(key, TEMPLATES[key].words.format(**blanks))


def _refusal(found: Recommendation) -> Iterator[Sentence]:
    methods = found.unjudged if found.refused == "one operator" else found.methods
    yield _say(found.refused, methods=named(methods), properties=_judging(found), few=found.too_few)
    if found.refused == "one operator":
        yield from _use_judged(found)


def _use_judged(found: Recommendation) -> Iterator[Sentence]:
    """Whom to use all the same where the baselines of some that may be best are not judged."""
    better = {one.method for one in found.ranking if one.beats_random}
    judged = [method for method in found.methods if method not in found.unjudged]
    told, others = [m for m in judged if m in better], [m for m in judged if m not in better]
    if told:
        yield _say("use judged", methods=named(told, "or"), score=_score(found))
    if others:
        yield _say("not shown", methods=_titles(others), is_=_verb(others), properties=_judging(found))


def _use(found: Recommendation) -> Iterator[Sentence]:
    score = _score(found)
    if len(found.ranking) == 1:
        yield _say("use only", methods=named(found.methods))
        return
    key = "use shown" if found.unshown else "use one" if len(found.methods) == 1 else "use any"
    yield _say(key, methods=named(found.methods, "or"), score=score)
    if found.unshown:
        is_, judging = _verb(found.unshown), _judging(found)
        yield _say("best, not shown", methods=_titles(found.unshown), is_=is_, properties=judging)
    others = [one for one in found.ranking if one.method not in (*found.methods, *found.unshown)]
    if others:
        views = {one.operator for one in found.properties if one.weight > 0 and one.operator}
        operators = " by at least one removal operator" if len(views) > 1 else ""
        largest = _p(max(one.p for one in others)).replace("=", "<=")
        yield _say(
            "worse",
            methods=_titles([one.method for one in others]),
            score=score,
            operators=operators,
            p=largest,
        )


def _about(found: Recommendation, alpha: float) -> Iterator[Sentence]:
    """What the properties, the cost and the weights say of the recommended methods."""
    known = {one.method: one for one in found.ranking if one.method in found.methods}
    for properties, methods in grouped(found.methods, lambda method: known[method].beats_random).items():
        if properties:
            beat = _verb(methods, "beats", "beat")
            yield _say("beats", methods=_titles(methods), beat=beat, properties=_row(properties))
    yield from _on_properties(found, alpha)
    first = known[found.methods[0]]
    for method in found.methods[1:]:
        yield from _cheaper(first.method, first.rows, method, known[method].rows)
    for method, words in (found.constant or {}).items():
        yield _say("constant", methods=_titles([method]), words=words)
    for one in sorted(found.ranking, key=lambda one: -one.first)[:MOST_WEIGHTINGS]:
        if one.first > LEAST_SHARE:
            share = f"{one.first:.0%}".replace("%", " %")
            yield _say("weights", methods=_titles([one.method]), share=share, draws=f"{DRAWS:,}")
    for method, texts in (found.more_texts or {}).items():
        number = f"{texts:,}" if texts <= MOST_TEXTS else f"{MOST_TEXTS:,} or more"
        yield _say("more texts", texts=number, methods=_titles([method]), other=_titles(found.methods[:1]))


def _on_properties(found: Recommendation, alpha: float) -> Iterator[Sentence]:
    """Who is among the best on which properties, and who is worse.

    Only of properties of which every metric calls somebody best and tests all of the methods; nothing of
    cost, because a count has no other texts to be worse on.
    """
    methods, alike, best = found.methods, [], []
    worse: list[Sentence] = []
    for name, verdicts in grouped(found.properties, lambda one: one.property).items():
        tested = [{m: p for m, p in one.p.items() if not math.isnan(p)} for one in verdicts]
        is_told = all(one.best and not one.note for one in verdicts)
        if name == COST or not is_told or any(m not in of_one for m in methods for of_one in tested):
            continue
        if all(of_one[m] > alpha for m in methods for of_one in tested):
            others = any(p <= alpha for of_one in tested for p in of_one.values())
            if len(methods) > 1:
                alike.append(name)
            elif others and any(not {*methods} & {*one.sharing} for one in verdicts):
                best.append(name)
        for method in methods:
            if all(of_one[method] <= alpha for of_one in tested) and _is_fair(method, verdicts):
                p = _p(max(of_one[method] for of_one in tested))
                worse.append(_say("worse on", methods=_titles([method]), properties=name, p=p))
    if alike:
        yield _say("alike", methods=_titles(methods), properties=_row(alike, "or"))
    if best:
        yield _say("best on", methods=_titles(methods), properties=_row(best))
    yield from worse


def _is_fair(method: Method, verdicts: Sequence[PropertyVerdict]) -> bool:
    """Whether some metric favours none of the best over the method."""
    return any(method in one.sharing or not {*one.best} & {*one.sharing} for one in verdicts)


def _no_better(found: Recommendation) -> Iterator[Sentence]:
    by_property = grouped(found.properties, lambda one: one.property)
    names = [
        name
        for name, verdicts in by_property.items()
        if all(one.has_level and not one.better for one in verdicts)
    ]
    if names and found.refused != "nothing beats random":
        yield _say("no better", properties=_row(names, "or"))


def _few(found: Recommendation) -> Iterator[Sentence]:
    """Whose values rest on too few texts to be compared, and on which properties."""
    of: dict[Method, dict[str, None]] = {}
    for verdict in found.properties:
        for method in verdict.few:
            of.setdefault(method, {})[verdict.property] = None
    for properties, methods in grouped(of, lambda method: tuple(of[method])).items():
        has, on = _verb(methods, "has", "have"), _row(properties)
        yield _say("few texts", methods=_titles(methods), has=has, properties=on)


def _cheaper(first: Method, rows: float, other: Method, others: float) -> Iterator[Sentence]:
    cheap, dear = (first, other) if rows < others else (other, first)
    low, high = min(rows, others), max(rows, others)
    # Nothing is so many times as much as nothing.
    if low > 0 and high / low >= LEAST_RATIO:
        yield _say("cheaper", methods=_titles([cheap]), ratio=f"{high / low:,.0f}", other=_titles([dear]))


def _changes(found: Recommendation) -> Iterator[Sentence]:
    for change in found.changes:
        group = _titles(change.group, "or")
        if change.without:
            yield _say("without", constraint=change.without.replace("_", "-"), methods=group)
        else:
            yield _say("by operator", operator=change.by, methods=group)


def _judging(found: Recommendation) -> str:
    """The properties that judge truth, of which the metric tells."""
    names = [one.property for one in found.properties if one.property in TRUTH and one.tells]
    return _row(list(dict.fromkeys(names)), "or")


def _score(found: Recommendation) -> str:
    """What they are compared by: the property that alone counts, or the weighted score of all that do."""
    names = list(dict.fromkeys(one.property for one in found.properties if one.weight > 0))
    return names[0] if len(names) == 1 else f"the {TOLD} of {_row(names)}"


def _verb(methods: Sequence[Method], one: str = "is", several: str = "are") -> str:
    return one if len(methods) == 1 else several


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
