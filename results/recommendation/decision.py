"""Who cannot be told apart from the best: by one property its own test, by several their weighted score.

What is controlled. In a view (below) every explainer is compared with the best one by a paired test. Holm's
procedure covers all pairs that could have become a best and a worst (`holm_from_best`), so that any of the
explainers that are as good as the best is left out in at most `alpha` of samples. By one property the test is
that of the comparison: a permutation of texts, exact for exchangeable explainers; for pairs of texts a
t-test. By several properties it is the bootstrap of the difference of weighted anchored scores, over texts
that are resampled jointly, widened for few texts; it holds as texts become many. Simulated in
scripts/recommend_simulation.py.

A view is a removal operator: metrics that take tokens away are taken with that one, others as they are. Each
of V views errs in at most alpha / V. An explainer is recommended that is in the groups of two views (of the
only one, where there is one), so all views together err in at most `alpha`.

A metric favours explainers whose baseline is its own operator. These lead no view of that operator, so they
push nobody out of its group, and a baseline is recommended only if two operators have it in their groups, of
which one is not its own.

Nothing is controlled about other texts than those like these, other models, or the choice of weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from assay.metrics.ties import RESOLUTION
from assay.results.property_metrics import shares_operator
from assay.results.recommendation.evidence import COST, Evidence, Weights
from assay.results.records import Method, Results
from assay.results.statistics.best_group import draws, too_few_to_compare
from assay.results.statistics.estimates import Bootstrap, Estimate, p_from_best, p_of_difference
from assay.results.statistics.intervals import Floats, critical
from assay.results.statistics.overall import anchored
from assay.results.statistics.ranking import sign
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.verdicts import paired_test


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The scores of E methods with one removal operator, and their tests.

    Attributes:
        operator: its name, "" if nothing that counts takes tokens away.
        evidence: what counts in it, one for each of P properties.
        methods: the E methods with a value of every one.
        anchored: (E, P, 1 + B) the anchored values, then those of the resamples; of cost the logarithm, the
            most expensive method at 0 and the cheapest at 1.
        weights: (P,) with sum 1.
        p: by method, of being as good as the best that may lead; adjusted.
        sharing: the methods whose baseline is the operator of something that counts.
        group: those of which p is above the view's share of alpha.
    """

    operator: str
    evidence: tuple[Evidence, ...]
    methods: tuple[Method, ...]
    anchored: Floats
    weights: Floats
    p: Mapping[Method, float]
    sharing: frozenset[Method]
    group: tuple[Method, ...]

    @property
    def weight_of(self) -> dict[str, float]:
        """The weight of each property that counts."""
        return {each.property: float(of) for each, of in zip(self.evidence, self.weights, strict=True)}

    @property
    def scores(self) -> Floats:
        """(E, 1 + B) the weighted mean of the anchored values."""
        return np.einsum("epb,p->eb", self.anchored, self.weights)

    def score(self, method: Method) -> Floats:
        """(1 + B,) of one method."""
        return self.scores[self.methods.index(method)]

    def too_few(self, alpha: float) -> str:
        """Why nothing that counts could tell two of the methods apart, as the note of a comparison; "" where
        something could. A cost could: it is a count, which needs no test."""
        notes = [
            ""
            if each.property == COST
            else too_few_to_compare([each.estimates[one] for one in self.methods], each.metric, alpha)
            for each in self.evidence
        ]
        return notes[0] if all(notes) and notes else ""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What all views say.

    Attributes:
        views: one per removal operator in which anything counts.
        alpha: of each view.
        group: the methods that views enough have in their groups, the best score first.
        untested: those of the group whose baseline too few operators judge.
        left_out: the methods without a value of something that counts, with its property.
    """

    views: tuple[View, ...]
    alpha: float
    group: tuple[Method, ...]
    untested: tuple[Method, ...]
    left_out: Mapping[Method, str]

    def score(self, method: Method) -> Floats:
        """(1 + B,) the mean over the views that have the method."""
        return np.mean([view.score(method) for view in self.views if method in view.methods], axis=0)

    @property
    def too_few(self) -> str:
        """Why no view could tell two explainers apart at its share of alpha; "" where one could."""
        notes = [view.too_few(self.alpha) for view in self.views if view.evidence]
        return notes[0] if all(notes) and notes else ""


def decide(
    evidence: Sequence[Evidence],
    methods: Sequence[Method],
    weights: Weights,
    results: Results,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None = None,
) -> Decision:
    """The group of the best among methods.

    Args:
        evidence: of all metrics of the group, with those of the methods that beat random (`Evidence.of`).
        methods: the candidates that keep all constraints.
        weights: by property; what is not in it does not count.
        results: for baselines and operators that are alike.
        bootstrap: alpha and level.
        shared: what was tested already of the group.
    """
    counting = [each for each in evidence if weights.get(each.property) and each.counts()]
    operators = list(dict.fromkeys(each.operator for each in counting if each.operator)) or [""]
    by_operator = {
        operator: [each for each in counting if each.operator in ("", operator)] for operator in operators
    }
    alpha = bootstrap.alpha / len(by_operator)
    left_out: dict[Method, str] = {}
    views = []
    for method in methods:
        lacking = [each.property for each in counting if method not in each.estimates]
        if lacking:
            left_out[method] = lacking[0]
    present = [method for method in methods if method not in left_out]
    for operator, counted in by_operator.items():
        if counted and present:
            of_view = replace(bootstrap, alpha=alpha)
            views.append(_view(operator, counted, present, weights, results, of_view, shared))
    needed = min(2, len(views))
    votes = {method: [view for view in views if method in view.group] for method in present}
    group = [method for method in present if views and len(votes[method]) >= needed]
    decision = Decision(tuple(views), alpha, (), (), left_out)
    ordered = sorted(group, key=lambda method: -decision.score(method)[0])
    untested = [method for method in ordered if method.baseline and not _is_judged(method, votes[method])]
    return replace(decision, group=tuple(ordered), untested=tuple(untested))


def _is_judged(method: Method, votes: Sequence[View]) -> bool:
    """Whether two operators, one of them not the method's own, have it in their groups; or none enters."""
    if any(not view.operator for view in votes):
        return True
    return len(votes) > 1 and any(method not in view.sharing for view in votes)


def _view(
    operator: str,
    evidence: Sequence[Evidence],
    methods: Sequence[Method],
    weights: Weights,
    results: Results,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None,
) -> View:
    told = [(each, values) for each in evidence if (values := _anchored(each, methods)) is not None]
    counted = tuple(each for each, _ in told)
    values = np.stack([values for _, values in told], axis=1) if told else np.empty((len(methods), 0, 1))
    of_each = np.array([weights[each.property] for each in counted])
    view = View(
        *(operator, counted, tuple(methods), values, of_each / (of_each.sum() if told else 1.0)),
        p={},
        sharing=frozenset(
            method
            for method in methods
            if any(
                shares_operator(method.baseline, each.metric, results.removal, results.alike)
                for each in counted
            )
        ),
        group=(),
    )
    p = _tests(view, bootstrap, shared)
    # One method alone has no test, and nobody to be worse than.
    group = tuple(method for method in methods if not p[method] <= bootstrap.alpha)
    return replace(view, p=p, group=group)


def _tests(view: View, bootstrap: Bootstrap, shared: SharedEstimates | None) -> dict[Method, float]:
    """Adjusted p of being as good as the best that may lead."""
    may_lead = [method not in view.sharing for method in view.methods]
    if [each.property for each in view.evidence] not in ([], [COST]) and len(view.evidence) == 1:
        (only,) = view.evidence
        estimates = [only.estimates[method] for method in view.methods]
        test = paired_test(estimates, only.metric, bootstrap, shared)
        higher = only.metric.direction == "higher"
    else:
        n = min((one.estimates[m].n for one in view.evidence for m in view.methods), default=0)
        estimates, test, higher = _as_estimates(view.scores, n), _score_test, True
    p = p_from_best(estimates, higher=higher, test=test, may_lead=may_lead)
    return dict(zip(view.methods, p, strict=True))


def _as_estimates(scores: Floats, n: int) -> list[Estimate]:
    """Scores (E, 1 + B) as estimates; resamples are widened for few texts as intervals are (`critical`)."""
    wider = critical(0.95, n) / float(ndtri(0.975))
    return [Estimate({"": float(one[0])}, {"": one[0] + wider * (one[1:] - one[0])}, n=n) for one in scores]


def _score_test(one: Estimate, other: Estimate) -> float:
    if abs(one.value - other.value) <= RESOLUTION * max(1.0, abs(one.value), abs(other.value)):
        return 1.0
    return p_of_difference(one, other)


def _anchored(evidence: Evidence, methods: Sequence[Method]) -> Floats | None:
    """(E, 1 + B) on the line on which random scores 0 and the best 1; None where nothing differs."""
    direction = sign(evidence.metric)
    values = direction * np.stack([draws(evidence.estimates[method]) for method in methods])
    if evidence.property == COST:
        # Less than one row costs as little as one: the logarithm of none is no number.
        logs = -np.log10(np.maximum(-values, 1.0))
        low, width = logs[:, 0].min(), np.ptp(logs[:, 0])
        return (logs - low) / width if width > RESOLUTION else None
    assert evidence.random is not None
    zero = direction * draws(evidence.random)
    # The best of this sample need not be the best of others; a resample has a best of its own. Gold marks are
    # no such ceiling of properties but agreement, where explainers may be far better.
    one = np.fmax.reduce([direction * draws(rival) for rival in evidence.rivals])
    return anchored(values, zero, one)
