"""The sentences of a recommendation, each with the numbers that permit it. None says more than these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from assay.results.recommendation.evidence import COST, TRUTH
from assay.results.recommendation.recommendation import PropertyVerdict, Recommendation
from assay.results.recommendation.robustness import DRAWS
from assay.results.records import Method, grouped
from assay.tasks.counted import counted

# A ratio of costs below it is not worth a sentence.
LEAST_RATIO = 2.0
# So many explainers at most are named by how often they are first, and none of less than this share.
MOST_WEIGHTINGS, LEAST_SHARE = 3, 0.005
# More texts than this are no plan.
MOST_TEXTS = 1_000_000


class Template(NamedTuple):
    """A sentence with blanks. permitted_by: the test or statistic without which it is not said."""

    words: str
    permitted_by: str


# Why nothing is recommended.
REFUSALS: Mapping[str, Template] = {
    "no candidate": Template(
        "Nothing can be recommended: every explainer here is a control.", "no candidate was planned"
    ),
    "all violate": Template(
        "Nothing can be recommended: no explainer is shown to keep all constraints and tell tokens apart.",
        "each candidate has a constraint that its measurement does not keep",
    ),
    "no truth": Template(
        "Cannot be told: no metric of faithfulness, human agreement or ground truth that tells good "
        "explanations from bad ones has values.",
        "no such metric with the verdict *tells* in docs/metric_checks.md has a value",
    ),
    "no random": Template(
        "Cannot be told: no random scores were measured to compare with (add random to explainer).",
        "the random control has no value on those metrics",
    ),
    "nothing beats random": Template(
        "Cannot be told: nothing here is shown to beat random on {properties}.",
        "on each of those metrics no lower bound of a difference to random is above 0 (max-T, 95 %)",
    ),
    "nothing counts": Template(
        "Cannot be told: of what has a weight, nothing measured here tells explainers from random scores.",
        "the same bounds on every weighted property",
    ),
    "operators disagree": Template(
        "Cannot be told: no explainer is among the best by two removal operators.",
        "the groups of the views (p > alpha / views) have no member in common",
    ),
    "one operator": Template(
        "Cannot be told: {methods} may be best, but a baseline needs two removal operators that agree, one "
        "of them not its own (baseline@removal=[mask,delete]).",
        "the views whose group has the method: fewer than two, or all of its own operator",
    ),
    "none of the best beats random": Template(
        "Cannot be told: of the best by these weights, {methods}, none is shown to beat random on "
        "{properties}.",
        "max-T bounds of the metrics that do not share the method's operator",
    ),
}
# The same, then what is said of a recommendation, in the order of the answer.
TEMPLATES: Mapping[str, Template] = {
    **REFUSALS,
    "use only": Template(
        "Use {methods}, the only one that is compared.", "one candidate keeps all constraints and has values"
    ),
    "use one": Template("Use {methods}.", "each other explainer has p <= alpha / views (Holm) in a view"),
    "use any": Template(
        "Use {methods}: they cannot be told apart by {score}.",
        "each of them has p > alpha / views (Holm) in two views, or in the only one",
    ),
    "worse": Template(
        "{methods} did worse by {score}{operators} (p {p} for each).",
        "the p of each <= alpha / views (Holm) in a view",
    ),
    "beats": Template(
        "{methods} {beat} random on {properties}.",
        "lower max-T bounds above 0, by a metric that tells and does not share the operator",
    ),
    "not shown": Template(
        "{methods} {is_} not shown to beat random on {properties}.", "no such lower bound is above 0"
    ),
    "alike": Template(
        "{methods} cannot be told apart on {properties}.",
        "on each metric of these p > 5 % for each of them, and somebody is called best",
    ),
    "best on": Template(
        "{methods} is among the best on {properties}.",
        "on each metric of these its p > 5 % and some other's p <= 5 %; one is not of its own operator",
    ),
    "worse on": Template(
        "{methods} is worse than the best on {properties} (p {p}).",
        "p <= 5 % on each metric of it (Holm), of which one favours none of the best over it",
    ),
    "no better": Template(
        "Nothing here is shown to beat random on {properties}.",
        "on each metric of it no lower bound of a difference to random is above 0 (max-T)",
    ),
    "cheaper": Template(
        "{methods} costs {ratio} times less than {other}.",
        "the ratio of mean model rows per text, at least 2; a count, no estimate of other texts",
    ),
    "constant": Template(
        "{methods} gives all tokens one score {words}.", "the count of such texts, above 1 %"
    ),
    "weights": Template(
        "{methods} has the highest score under {share} of {draws} random weightings of the properties.",
        "the share of 10,000 seeded draws, uniform over all weights that sum to 1",
    ),
    "more texts": Template(
        "About {texts} more texts like these would tell {methods} from {other} with power 0.8, if they "
        "differ as they did here.",
        "the paired bootstrap's deviation; every metric is a mean of one value per text",
    ),
    "without": Template(
        "Without the constraint on {constraint}: {methods}.",
        "the decision made again with the explainers that violate only it",
    ),
    "by operator": Template(
        "By {operator} alone, not told apart from the best: {methods}.", "the group of that view"
    ),
    "latency": Template(
        "Latency is the upper 95 % limit of the p95 over texts: {how}.",
        "an order statistic of the times of 59 texts or more",
    ),
    "scope": Template(
        "This is about texts like these {texts} and {models}; anything else was not measured.",
        "the fewest texts and models behind what counts",
    ),
}
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
    said += [*_no_better(found), *_changes(found)]
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
    yield _say(found.refused, methods=named(methods), properties=_judging(found))


def _use(found: Recommendation) -> Iterator[Sentence]:
    score = _score(found)
    if len(found.ranking) == 1:
        yield _say("use only", methods=named(found.methods))
        return
    key = "use one" if len(found.methods) == 1 else "use any"
    yield _say(key, methods=named(found.methods, "or"), score=score)
    others = [one for one in found.ranking if one.method not in found.methods]
    if others:
        views = {one.operator for one in found.properties if one.weight > 0 and one.operator}
        operators = " with a removal operator at least" if len(views) > 1 else ""
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
        else:
            is_, judging = _verb(methods), _judging(found)
            yield _say("not shown", methods=_titles(methods), is_=is_, properties=judging)
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
