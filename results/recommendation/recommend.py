"""From the scores of an experiment to a recommendation for each group, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from assay.results.checks import Checks, packaged_checks
from assay.results.flag import Flag
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
    random_levels,
    weights_of,
)
from assay.results.recommendation.recommendation import (
    Change,
    Excluded,
    PropertyVerdict,
    Ranked,
    Recommendation,
)
from assay.results.recommendation.refusals import why_refused
from assay.results.recommendation.robustness import first_shares, texts_to_settle
from assay.results.records import Group, Method, Results, trained_groups
from assay.results.statistics.comparison import methods_of
from assay.results.statistics.estimates import Bootstrap, Estimate
from assay.results.statistics.ranking import percentiles
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.verdicts import conclude

Facts = Mapping[tuple[Group, Method], MethodFacts]
UNKNOWN, FREE, USUAL = MethodFacts(), Constraints(), Bootstrap()


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Who is recommended in a group, without what else is said of it.

    Attributes:
        evidence: what every metric says of the candidates that keep all constraints.
        broken: by candidate the constraints that it is not shown to keep.
        decision: the groups of the best, and their scores.
        beats: by candidate on which properties of truth it beats random.
        refused: as in `Recommendation`.
    """

    evidence: tuple[Evidence, ...]
    broken: Mapping[Method, Sequence[Violation]]
    decision: Decision
    beats: Mapping[Method, tuple[str, ...]]
    refused: str

    @property
    def recommended(self) -> tuple[Method, ...]:
        """Those of the group that are shown to beat random; nobody if it is refused."""
        return () if self.refused else tuple(one for one in self.decision.group if self.beats[one])


def recommend(
    results: Results,
    facts: Facts,
    constraints: Constraints = FREE,
    weights: Weights | None = None,
    bootstrap: Bootstrap = USUAL,
    *,
    latency: str = "",
    checks: Checks | None = None,
    shared: SharedEstimates | None = None,
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
        shared: what was estimated and tested already of these results.

    Raises:
        InputError: on weights of properties that are not measured.
    """
    shared = SharedEstimates() if shared is None else shared
    decided = decide_groups(results, facts, constraints, weights, bootstrap, checks, shared)
    said = latency if constraints.latency is not None else ""
    return [
        replace(_recommendation(results, group, one, weighed, bootstrap, shared), latency=said)
        for group, (one, weighed) in decided.items()
    ]


def decide_groups(
    results: Results,
    facts: Facts,
    constraints: Constraints = FREE,
    weights: Weights | None = None,
    bootstrap: Bootstrap = USUAL,
    checks: Checks | None = None,
    shared: SharedEstimates | None = None,
) -> dict[Group, tuple[Decided, Weights]]:
    """Who is recommended in every group of trained models, and the weights; arguments as of `recommend`."""
    checks = packaged_checks() if checks is None else checks
    properties = chosen_properties(results.metrics, results.removal, checks)
    weighed = weights_of(weights, properties, results.metrics)
    methods = methods_of(results)
    found = {}
    for group in trained_groups(methods):
        evidence = measure(results, group, properties, bootstrap, shared)
        named = [method for method in methods[group] if method.explainer not in results.controls]
        candidates = [method for method in named if not results.refuses(group, method)]
        flags = results.constant_in(group)
        broken = {
            method: [
                *violations(facts.get((group, method), UNKNOWN), constraints),
                *(_tells_nothing(flag) for flag in (flags.get(method),) if flag and flag.always),
            ]
            for method in candidates
        }
        found[group] = _decided(results, evidence, broken, weighed, bootstrap, shared), weighed
    return found


def _tells_nothing(flag: Flag) -> Violation:
    """No constraint of the user's: who gives all tokens one score explains nothing, whatever its values."""
    return Violation("constant", f"gives all tokens one score {flag.words}")


def _decided(
    results: Results,
    evidence: Sequence[Evidence],
    broken: Mapping[Method, Sequence[Violation]],
    weights: Weights,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None,
) -> Decided:
    allowed = [method for method in broken if not broken[method]]
    levels = random_levels(evidence, bootstrap.level)
    judged = [each.of(allowed, level) for each, level in zip(evidence, levels, strict=True)]
    decision = decide(judged, allowed, weights, results, bootstrap, shared)
    beats = {method: _beaten(method, judged, results) for method in allowed}
    refused = why_refused(broken, allowed, judged, decision, beats)
    return Decided(tuple(judged), broken, decision, beats, refused)


def _recommendation(
    results: Results,
    group: Group,
    decided: Decided,
    weights: Weights,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None,
) -> Recommendation:
    decision, beats = decided.decision, decided.beats
    counting = {name: weight for view in decision.views for name, weight in view.weight_of.items()}
    present = decision.views[0].methods if decision.views else ()
    behind = [
        each.estimates[method] for view in decision.views for each in view.evidence for method in present
    ]
    lacking = {
        method: (Violation("value", _lacks(method, name, decided.evidence)),)
        for method, name in decision.left_out.items()
    }
    # Those that are shown to beat random come first.
    best = tuple(sorted(decision.group, key=lambda method: not beats[method]))
    methods = best if decided.refused else decided.recommended
    flags = results.constant_in(group)
    return Recommendation(
        group,
        decided.refused,
        methods,
        decision.untested,
        _ranking(decided, bootstrap),
        tuple(
            _verdict(each, tuple(beats), counting, results, bootstrap, shared) for each in decided.evidence
        ),
        tuple(
            Excluded(method, reasons)
            for method, violated in decided.broken.items()
            if (reasons := (*violated, *lacking.get(method, ())))
        ),
        tuple(_changes(results, decided, weights, bootstrap, shared)),
        texts_to_settle(decision.views, best, decision.alpha),
        {method: flags[method].words for method in methods if method in flags},
        min((one.texts for one in behind), default=0),
        min((_models(one) for one in behind), default=0),
        unshown=tuple(method for method in best if method not in methods),
        too_few=decision.too_few,
    )


def _lacks(method: Method, name: str, evidence: Sequence[Evidence]) -> str:
    """Why a method has no estimate of a property, in words."""
    few = any(method in each.few for each in evidence if each.property == name)
    return f"has values of fewer than ten texts of {name}" if few else f"has no value of {name}"


def _models(estimate: Estimate) -> int:
    """How many model seeds an estimate rests on; cells of pairs of models name both."""
    return len({seed for cells in estimate.cells.values() for cell in cells for seed in cell.seed.split("-")})


def _ranking(decided: Decided, bootstrap: Bootstrap) -> tuple[Ranked, ...]:
    decision = decided.decision
    shares = first_shares(decision.views, bootstrap.seed)
    ranking = [
        Ranked(
            method,
            float(score[0]),
            *percentiles(score[1:], bootstrap.level),
            p=min(view.p[method] for view in decision.views),
            recommended=method in decided.recommended,
            first=shares.get(method, float("nan")),
            beats_random=decided.beats[method],
            rows=_cost(method, decided.evidence),
        )
        for method in (decision.views[0].methods if decision.views else ())
        for score in (decision.score(method),)
    ]
    return tuple(sorted(ranking, key=lambda one: -one.score))


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


def _verdict(
    evidence: Evidence,
    allowed: Sequence[Method],
    counting: Mapping[str, float],
    results: Results,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None,
) -> PropertyVerdict:
    found = {method: (one, one.n) for method, one in evidence.estimates.items()}
    said = conclude(list(allowed), evidence.metric, found, results, bootstrap, shared)
    best = () if said.no_best else tuple(m for m in allowed if said.p.get(m, np.nan) > bootstrap.alpha)
    better = tuple(method for method in allowed if method in evidence.better)
    alike = results.removal, results.alike
    sharing = tuple(m for m in allowed if shares_operator(m.baseline, evidence.metric, *alike))
    return PropertyVerdict(
        *(evidence.property, evidence.metric.name, evidence.operator, counting.get(evidence.property, 0.0)),
        best,
        said.p,
        better,
        sharing,
        evidence.random is not None and any(method in evidence.estimates for method in allowed),
        said.no_best,
        evidence.tells,
        tuple(sorted(m for m in evidence.few if m in allowed or m.explainer == results.random)),
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
    decided: Decided,
    weights: Weights,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None,
) -> list[Change]:
    """Who would be in the group without each constraint, and by each operator alone, if that differs."""
    found, decision = [], decided.decision
    for constraint in (each.name for each in fields(Constraints)):
        without = {
            method: [one for one in violated if one.constraint != constraint]
            for method, violated in decided.broken.items()
        }
        if without != {method: list(violated) for method, violated in decided.broken.items()}:
            other = _decided(results, decided.evidence, without, weights, bootstrap, shared)
            group = other.recommended
            if group and set(group) != set(decided.recommended):
                found.append(Change(constraint, "", group))
    if not decision.too_few and len({view.group for view in decision.views}) > 1:
        found += [Change("", view.operator, view.group) for view in decision.views]
    return found
