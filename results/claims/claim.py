"""A claim about explainers: what it says, what it needs, and the contrasts of scores that decide it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from assay.results.records import Group, Method
from assay.results.statistics.intervals import Floats

CNN, LSTM, TRANSFORMER = "CNN", "LSTM", "transformer"
# How the shipped configuration aggregates gradients over the elements of an embedding.
AGGREGATIONS = ("l1", "l2", "mean")
# By property (or a part of one) and method: (1 + B,) the value and its replicates, more being better.
Values = Callable[[str, Method], Floats]


class Contrast(NamedTuple):
    """name: what it compares. of: (1 + B,) the contrast from the values; above 0 speaks for the claim.

    resolution: the largest size of a contrast that is rounding.
    """

    name: str
    of: Callable[[Values], Floats]
    resolution: float = 0.0


class Family(NamedTuple):
    """Explainers that a claim takes together, by names as in `is_named`.

    needed: all of them must have a value. optional: those that do not apply to every model.
    """

    title: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


def together(*families: Family) -> Family:
    """Several families as one."""
    return Family(
        ", ".join(one.title for one in families),
        tuple(name for one in families for name in one.needed),
        tuple(name for one in families for name in one.optional),
    )


class Untold(Exception):
    """Why a claim cannot be told of a group; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim.

    Attributes:
        id: its name in tables.
        sentence: what it says.
        quoted: where the sentence is from; empty for one that is put to the test and quoted from nowhere.
        scale: what its estimate is.
        contrasts: gives the contrasts of a group that must all be above 0; raises Untold.
        tasks: those that it is about, all of which it needs; empty for any that is measured.
        architectures: those that it is about, all of which it needs; empty for any that is measured.
    """

    id: str
    sentence: str
    scale: str
    contrasts: Callable[[Compared], Sequence[Contrast]]
    quoted: str = ""
    tasks: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What the contrasts of one group are made of.

    Attributes:
        group: the task and model.
        methods: by property (or a part of one) the methods with a value that rests on texts enough.
        titles: by property the title of its metric.
        telling: the properties in which any method of the study is better than random for certain.
        random: the random control, if it was measured.
        missing: by property and explainer why there is no value, where that is known.
        resolutions: by property the largest difference that is rounding.
        sharing: the properties, with methods whose baseline is what their metric takes tokens away with.
    """

    group: Group
    methods: dict[str, list[Method]]
    titles: dict[str, str]
    telling: tuple[str, ...] = ()
    random: Method | None = None
    missing: dict[tuple[str, str], str] = field(default_factory=dict)
    resolutions: dict[str, float] = field(default_factory=dict)
    sharing: frozenset[tuple[str, Method]] = frozenset()

    def find(self, property: str, *families: Family) -> list[list[Method]]:
        """Of each family the methods with a value in a property. Raises Untold with all that it lacks."""
        if property not in self.titles:
            raise Untold(f"needs a metric of {property}")
        having = self.methods.get(property, [])
        lacking = [name for name in _needed(families) if not _named(having, name)]
        whys = [self.missing[property, name] for name in lacking if (property, name) in self.missing]
        unknown = [name for name in lacking if (property, name) not in self.missing]
        needs = [f"{needs_words(unknown)} by {self.titles[property]}"] if unknown else []
        if lacking:
            raise Untold("; ".join([*needs, *dict.fromkeys(whys)]))
        return [
            [method for name in (*family.needed, *family.optional) for method in _named(having, name)]
            for family in families
        ]

    def absent(self, *families: Family) -> list[str]:
        """The needed explainers of families that have no value in any property."""
        every = [method for methods in self.methods.values() for method in methods]
        return [name for name in _needed(families) if not _named(every, name)]


def needs_words(names: Sequence[str]) -> str:
    """What a claim needs, by names that can be typed; names as in `is_named`.

    Example:
        >>> needs_words(["saliency_", "lime"])
        'needs the explainers saliency_l1 (or saliency_l2, saliency_mean) and lime'
    """
    typed = []
    for name in dict.fromkeys(names):
        first, *others = [f"{name}{end}" for end in AGGREGATIONS] if name.endswith("_") else [name]
        typed.append(f"{first} (or {', '.join(others)})" if others else first)
    row = " and ".join(filter(None, (", ".join(typed[:-1]), typed[-1])))
    return f"needs the explainer{'s' if len(typed) > 1 else ''} {row}"


def _needed(families: Sequence[Family]) -> list[str]:
    return list(dict.fromkeys(name for family in families for name in family.needed))


def _named(methods: Sequence[Method], name: str) -> list[Method]:
    return [method for method in methods if is_named(method, name)]


def is_named(method: Method, name: str) -> bool:
    """Whether a method is of an explainer of the shipped configuration, with any settings and baseline.

    name: of the explainer; one that ends in "_" stands for all its aggregations.

    Example:
        >>> is_named(Method("saliency_l2"), "saliency_"), is_named(Method("lime[rows=50]", "mask"), "lime")
        (True, True)
    """
    base = method.explainer.partition("[")[0]
    return base.startswith(name) if name.endswith("_") else base == name


def architecture(model: str) -> str:
    """The architecture of a model of the shipped configuration; empty for any other.

    Example:
        >>> architecture("minilm[path=v2]"), architecture("linear")
        ('transformer', '')
    """
    base = model.partition("[")[0]
    known = {"cnn": CNN, "lstm": LSTM, "transformer": TRANSFORMER}
    return TRANSFORMER if base.endswith("minilm") else known.get(base, "")
