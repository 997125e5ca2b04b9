"""A recommendation in numbers: the group, the ranked list, what each metric says, what would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.results.recommendation.constraints import Violation
from assay.results.records import Group, Method


@dataclass(frozen=True, slots=True)
class Ranked:
    """A method that keeps all constraints, in a ranked list.

    Attributes:
        method: the explainer with its baseline.
        score: the weighted mean of anchored values: 0 is random, 1 the best explainer, or gold marks where
            they are better.
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
        sharing: those whose baseline is the metric's operator.
        has_level: whether random scores are measured and are a level.
        note: why nobody is called best, "" where somebody is.
        tells: whether its check says that it tells good explanations from bad ones.
        few: those, and random scores, that have values of fewer than ten texts, or groups of texts.
    """

    property: str
    metric: str
    operator: str
    weight: float
    best: tuple[Method, ...]
    p: Mapping[Method, float]
    better: tuple[Method, ...]
    sharing: tuple[Method, ...]
    has_level: bool
    note: str
    tells: bool = True
    few: tuple[Method, ...] = ()


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
        refused: why nothing is recommended, as a key of `TEMPLATES` (assay.results.recommendation.templates);
            "" where something is.
        methods: those that cannot be told apart from the best and are shown to beat random, the highest score
            first. Where it is refused, those that cannot be told apart from the best, or none.
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
        unshown: those that cannot be told apart from the best either, but are not shown to beat random; none
            where it is refused.
        too_few: why no two explainers can be told apart, where texts are too few for that.
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
    unshown: tuple[Method, ...] = ()
    too_few: str = ""
