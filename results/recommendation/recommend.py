"""From the scores of an experiment to a recommendation for each group, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from assay.results.checks import Checks, packaged_checks
from assay.results.property_metrics import shares_operator
from assay.results.recommendation.constraints import Constraints, MethodFacts, Violation, violations
from assay.results.recommendation.decision import Decision, decide
from assay.results.recommendation.evidence import (
    COST,
    TRUTH,
    Evidence,
    Weights,
    chosen_properties,
    measure,
    weights_of,
)
from assay.results.recommendation.robustness import first_shares, texts_to_settle
from assay.results.records import Group, Method, Results, trained_groups
from assay.results.statistics.comparison import methods_of
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.ranking import percentiles
from assay.results.statistics.verdicts import conclude

Facts = Mapping[tuple[Group, Method], MethodFacts]
UNKNOWN, FREE, USUAL = MethodFacts(), Constraints(), Bootstrap()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A method that keeps all constraints, in a ranked list.

    Attributes:
        method: the explainer with its baseline.
        score: the weighted mean of anchored values: 0 is random, 1 the best or human marks.
        low: lower end of its 95 % percentile interval over texts.
        high: upper end of it.
        p: of being as good as the best, the smallest of all views, adjusted; NaN for a method alone.
        recommended: whether it is in the recommended group.
        first: share of drawn weightings under which it is first; NaN where only one property counts.
        beats_random: on which of the properties that judge truth it is shown to be better than random, by a
            metric that does not share its operator.
        rows: mean rows of the model per text; NaN if unknown.
    """

    method: Method
    score: float
    low: float
    high: float
    p: float
    recommended: bool
    first: float
    beats_random: tuple[str, ...]
    rows: float


@dataclass(frozen=True, slots=True)
class PropertyVerdict:
    """What one metric says of the methods that keep all constraints.

    Attributes:
        property: that it measures.
        metric: its name.
        operator: what it takes tokens away with, "" for none.
        weight: of the property, with sum 1 over those that count; 0 where it does not count.
        best: those that cannot be told apart from the best; none where nobody is called best.
        p: by method, adjusted, of being as good as the best.
        better: those that are better than random for certain.
        has_level: whether random scores are measured and are a level.
        note: why nobody is called best, "" where somebody is.
    """

    property: str
    metric: str
    operator: str
    weight: float
    best: tuple[Method, ...]
    p: Mapping[Method, float]
    better: tuple[Method, ...]
    has_level: bool
    note: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that is not compared: the constraints that it is not shown to keep, or a value it lacks."""

    method: Method
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Who would be recommended instead without a constraint, or by one removal operator alone.

    Attributes:
        without: the constraint's name, or "".
        by: the operator's name, or "".
        group: who would be recommended, or cannot be told apart by the operator.
    """

    without: str
    by: str
    group: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Which explainer to use in one group, or why that cannot be told.

    Attributes:
        group: task, model and kind of model.
        refused: why nothing is recommended, as a key of `TEMPLATES` (assay.results.recommendation.sentences);
            "" where something is.
        methods: those that cannot be told apart from the best, the highest score first. Where it is refused,
            those that would be, or none.
        unjudged: those of them whose baseline two operators do not judge.
        ranking: the candidates that are compared, the highest score first.
        properties: what each metric says.
        excluded: the candidates that are not compared, with the reason.
        changes: what would change the answer.
        more_texts: by method, how many more texts would tell it from the first with power 0.8.
        constant: of recommended methods that give all tokens one score, in how many texts.
        texts: how many texts the metric with fewest rests on.
        models: how many model seeds.
        latency: how the time was measured; "" where no limit was asked.
    """

    group: Group
    refused: str
    methods: tuple[Method, ...]
    unjudged: tuple[Method, ...] = ()
    ranking: tuple[Ranked, ...] = ()
    properties: tuple[PropertyVerdict, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    changes: tuple[Change, ...] = ()
    more_texts: Mapping[Method, int] | None = None
    constant: Mapping[Method, str] | None = None
    texts: int = 0
    models: int = 0
    latency: str = ""


def recommend(
    results: Results,
    facts: Facts,
    constraints: Constraints = FREE,
    weights: Weights | None = None,
    bootstrap: Bootstrap = USUAL,
    *,
    latency: str = "",
    checks: Checks | None = None,
) -> list[Recommendation]:
    """A recommendation for every group of trained models.

    Args:
        results: the scores, and what surrounds them.
        facts: by group and method what is known beside scores.
        constraints: what a recommended method must keep to.
        weights: by property; None: all that are measured alike (`weights_of`).
        bootstrap: resamples, level, alpha and seed.
        latency: how times were measured, in words.
        checks: which metrics tell good explanations from bad ones; by default those of this version.

    Raises:
        InputError: on weights of properties that are not measured.
    """
    checks = packaged_checks() if checks is None else checks
    properties = chosen_properties(results.metrics, results.removal, checks)
    weighed = weights_of(weights, properties, results.metrics)
    methods = methods_of(results)
    found = []
    for group in trained_groups(methods):
        evidence = measure(results, group, properties, bootstrap)
        candidates = [method for method in methods[group] if method.explainer not in results.controls]
        of_group = {method: facts.get((group, method), UNKNOWN) for method in candidates}
        one = _recommend(results, group, evidence, of_group, constraints, weighed, bootstrap)
        found.append(replace(one, latency=latency if constraints.latency is not None else ""))
    return found


def _recommend(
    results: Results,
    group: Group,
    evidence: Sequence[Evidence],
    facts: Mapping[Method, MethodFacts],
    constraints: Constraints,
    weights: Weights,
    bootstrap: Bootstrap,
) -> Recommendation:
    broken = {method: violations(of_method, constraints) for method, of_method in facts.items()}
    allowed = [method for method in facts if not broken[method]]
    decision = decide(evidence, allowed, weights, results, bootstrap)
    judged = [each.of(allowed, bootstrap.level) for each in evidence]
    beats = {method: _beaten(method, judged, results) for method in allowed}
    refused = _why_refused(facts, allowed, judged, decision, beats)
    counting = {name: weight for view in decision.views for name, weight in view.weight_of.items()}
    present = decision.views[0].methods if decision.views else ()
    shares = first_shares(decision.views, bootstrap.seed)
    ranking = [
        Ranked(
            method,
            float(score[0]),
            *percentiles(score[1:], bootstrap.level),
            p=min((view.p[method] for view in decision.views), default=float("nan")),
            recommended=method in decision.group and not refused,
            first=shares.get(method, float("nan")),
            beats_random=beats[method],
            rows=_cost(method, evidence),
        )
        for method in present
        for score in (decision.score(method),)
    ]
    behind = [
        each.estimates[method] for view in decision.views for each in view.evidence for method in present
    ]
    lacking = {m: (Violation("value", f"has no value of {name}"),) for m, name in decision.left_out.items()}
    flags = results.constant_in(group)
    return Recommendation(
        group,
        refused,
        # Those that are shown to beat random come first.
        tuple(sorted(decision.group, key=lambda method: not beats[method])),
        decision.untested,
        tuple(sorted(ranking, key=lambda one: -one.score)),
        tuple(_verdict(each, allowed, counting, results, bootstrap) for each in judged),
        tuple(
            Excluded(method, reasons)
            for method in facts
            if (reasons := (*broken[method], *lacking.get(method, ())))
        ),
        tuple(_changes(results, evidence, broken, weights, bootstrap, decision)),
        texts_to_settle(decision.views, decision.group, decision.alpha),
        {method: flags[method].words for method in decision.group if method in flags},
        min((one.texts for one in behind), default=0),
        min((len(one.values) for one in behind), default=0),
    )


def _beaten(method: Method, evidence: Sequence[Evidence], results: Results) -> tuple[str, ...]:
    """The properties of truth on which a method beats random by a metric that tells, not of its operator."""
    found = [
        each.property
        for each in evidence
        if each.tells
        and each.property in TRUTH
        and method in each.better
        and not shares_operator(method.baseline, each.metric, results.removal, results.alike)
    ]
    return tuple(dict.fromkeys(found))


def _why_refused(
    facts: Mapping[Method, MethodFacts],
    allowed: Sequence[Method],
    evidence: Sequence[Evidence],
    decision: Decision,
    beats: Mapping[Method, tuple[str, ...]],
) -> str:
    """The key of the sentence that says why nothing is recommended; "" where something is."""
    truth = [each for each in evidence if each.tells and each.property in TRUTH and each.estimates]
    if not facts:
        return "no candidate"
    if not allowed:
        return "all violate"
    if not truth:
        return "no truth"
    if not any(each.random is not None for each in truth):
        return "no random"
    if not any(each.better for each in truth):
        return "nothing beats random"
    if not any(view.evidence for view in decision.views):
        return "nothing counts"
    if not decision.group:
        return "operators disagree"
    if decision.untested:
        return "one operator"
    if not any(beats[method] for method in decision.group):
        return "none of the best beats random"
    return ""


def _verdict(
    evidence: Evidence,
    allowed: Sequence[Method],
    counting: Mapping[str, float],
    results: Results,
    bootstrap: Bootstrap,
) -> PropertyVerdict:
    found = {method: (one, one.n) for method, one in evidence.estimates.items()}
    said = conclude(list(allowed), evidence.metric, found, results, bootstrap)
    best = () if said.no_best else tuple(m for m in allowed if said.p.get(m, np.nan) > bootstrap.alpha)
    better = tuple(method for method in allowed if method in evidence.better)
    return PropertyVerdict(
        *(evidence.property, evidence.metric.name, evidence.operator, counting.get(evidence.property, 0.0)),
        best,
        said.p,
        better,
        evidence.random is not None and any(method in evidence.estimates for method in allowed),
        said.no_best,
    )


def _cost(method: Method, evidence: Sequence[Evidence]) -> float:
    """Mean rows per text; NaN where rows of a masked language model come on top, which are none of these."""
    for each in evidence:
        one = each.estimates.get(method)
        if each.property == COST and one is not None:
            asked = any("mlm_rows" in cell.parts for cells in one.cells.values() for cell in cells)
            return float("nan") if asked else one.value
    return float("nan")


def _changes(
    results: Results,
    evidence: Sequence[Evidence],
    broken: Mapping[Method, Sequence[Violation]],
    weights: Weights,
    bootstrap: Bootstrap,
    decision: Decision,
) -> list[Change]:
    """Who would be in the group without each constraint, and by each operator alone, if that differs."""
    found = []
    for constraint in (each.name for each in fields(Constraints)):
        without = [m for m, those in broken.items() if all(one.constraint == constraint for one in those)]
        if any(broken[method] for method in without):
            group = decide(evidence, without, weights, results, bootstrap).group
            if group and set(group) != set(decision.group):
                found.append(Change(constraint, "", group))
    if len({view.group for view in decision.views}) > 1:
        found += [Change("", view.operator, view.group) for view in decision.views]
    return found
