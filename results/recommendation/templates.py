"""The sentence templates of a recommendation, each beside the test or statistic that permits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Template(NamedTuple):
    """A sentence with blanks. permitted_by: the test or statistic without which it is not said."""

    words: str
    permitted_by: str


# Why nothing is recommended.
REFUSALS: Mapping[str, Template] = {
    "no candidate": Template(
        "Nothing can be recommended: every explainer that fits here is a control.",
        "no candidate was planned, or each was refused",
    ),
    "all violate": Template(
        "Nothing can be recommended: no explainer is shown to keep all constraints and tell tokens apart.",
        "each candidate has a constraint that its measurement does not keep",
    ),
    "no truth": Template(
        "Cannot be told: no metric of faithfulness, human agreement or ground truth that tells good "
        "explanations from bad ones has values of ten texts or more.",
        "no such metric with the verdict *tells* in docs/metric_checks.md has a value on ten texts, or "
        "groups of texts",
    ),
    "no random": Template(
        "Cannot be told: no random scores of ten texts or more were measured to compare with (add random to "
        "explainer).",
        "the random control has no value on those metrics on ten texts, or groups of texts",
    ),
    "nothing beats random": Template(
        "Cannot be told: nothing here is shown to beat random on {properties}.",
        "on each of those metrics no lower bound of a difference to random is above 0 (max-T, 95 % for all "
        "metrics that judge truth together)",
    ),
    "nothing counts": Template(
        "Cannot be told: of what has a weight, nothing measured here tells explainers from random scores.",
        "the same bounds on every weighted property",
    ),
    "too few texts": Template(
        "Cannot be told: {few}.",
        "on each metric with a weight the smallest p that swapping n texts can give, pairs of explainers "
        "times 2^(1 - n), is above alpha / views; a cost has no test",
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
    "use shown": Template(
        "Use {methods}: not told apart from the best by {score}, and shown to beat random.",
        "the same p, and a lower max-T bound above 0, of each of them; some of the same p have no such bound",
    ),
    "best, not shown": Template(
        "{methods} cannot be told apart from the best either, but {is_} not shown to beat random on "
        "{properties}.",
        "the same p, and no lower max-T bound above 0",
    ),
    "use judged": Template(
        "Of those that two operators judge, or that need no baseline, use {methods}: not told apart from the "
        "best of them by {score}.",
        "the same p, of each of them; no baseline, or two views that have it in their groups, one of them "
        "not of its own operator; a lower max-T bound above 0",
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
    "few texts": Template(
        "{methods} {has} values of fewer than ten texts, or groups of texts, on {properties}.",
        "the count of texts, or groups of texts that hang together, with a value of a metric of it",
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
