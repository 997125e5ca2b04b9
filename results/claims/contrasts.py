"""The contrasts that decide claims: of one property, of all that tell, of costs, of parts of the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from assay.results.claims.claim import Compared, Contrast, Family, Untold, Values, needs_words
from assay.results.records import Method
from assay.results.statistics.intervals import ROUNDING, Floats

COST = "compute time"
RIGHT, WRONG = "right", "wrong"
# Fewer properties are not "overall".
FEWEST_PROPERTIES = 2
# The methods that are compared with one another.
Sides = tuple[Sequence[Method], Sequence[Method]]


def part_of(property: str, part: str) -> str:
    """The name of a property on the texts that the model labels right, or wrong."""
    return f"{property}, {part} texts"


def better(property: str, ones: Family, others: Family, compared: Compared) -> list[Contrast]:
    """The mean of some explainers minus that of others in one property, in the units of its metric."""
    one, other = compared.find(property, ones, others)
    sides = one, other
    return [_contrast(compared.titles[property], property, sides, compared)]


def better_overall(ones: Family, others: Family, compared: Compared) -> list[Contrast]:
    """The same on the anchored scale, mean over the properties in which any explainer beats random.

    On that scale random scores 0 and the best of the compared explainers 1, also in every resample. Cost has
    no place on it: nothing is cheaper than random.
    """
    if compared.random is None:
        absent = compared.absent(ones, others)
        raise Untold(f"{needs_words([*absent, 'random'])}, which scores 0 on the common scale")
    sides: dict[str, Sides] = {}
    for property in compared.telling:
        one, other = compared.find(property, ones, others)
        sides[property] = one, other
    if len(sides) < FEWEST_PROPERTIES:
        having = f"only in {', '.join(sides)}" if sides else "in none"
        raise Untold(
            f"explainers are better than random for certain {having}; needs {FEWEST_PROPERTIES} properties"
        )
    name = f"mean of {', '.join(sides)}"
    return [Contrast(name, partial(_overall, sides, compared.random), ROUNDING)]


def above_random(property: str, family: Family, compared: Compared) -> list[Contrast]:
    """Every explainer minus random in one property."""
    (methods,) = compared.find(property, family)
    if compared.random is None or compared.random not in compared.methods[property]:
        raise Untold(f"needs the explainer random by {compared.titles[property]}")
    random = [compared.random]
    return [_contrast(f"{one.title} against random", property, ([one], random), compared) for one in methods]


def ordered(property: str, order: Sequence[Family], compared: Compared) -> list[Contrast]:
    """Families in this order, the best first: the mean of each minus that of the next."""
    families = compared.find(property, *order)
    titles = [f"{one.title} against {other.title}" for one, other in pairwise(order)]
    return [
        _contrast(title, property, sides, compared)
        for title, sides in zip(titles, pairwise(families), strict=True)
    ]


def higher_on_right(property: str, family: Family, compared: Compared) -> list[Contrast]:
    """The mean of explainers on texts that the model labels right minus that on the others."""
    (methods,) = compared.find(property, family)
    for part in (RIGHT, WRONG):
        if not set(methods) <= set(compared.methods.get(part_of(property, part), [])):
            raise Untold(f"too few texts that the model labels {part} have a value")
    parts = part_of(property, RIGHT), part_of(property, WRONG)
    tiny = compared.resolutions.get(property, 0.0)
    return [Contrast(compared.titles[property], partial(_parts_gap, parts, methods), tiny)]


def _contrast(name: str, property: str, sides: Sides, compared: Compared) -> Contrast:
    return Contrast(name, partial(_gap, property, sides), compared.resolutions.get(property, 0.0))


def _mean(values: Values, property: str, methods: Sequence[Method]) -> Floats:
    return np.mean([values(property, method) for method in methods], axis=0)


def _gap(property: str, sides: Sides, values: Values) -> Floats:
    one, other = (_mean(values, property, side) for side in sides)
    return one - other


def _parts_gap(parts: tuple[str, str], methods: Sequence[Method], values: Values) -> Floats:
    right, wrong = (_mean(values, part, methods) for part in parts)
    return right - wrong


def _overall(sides: Mapping[str, Sides], random: Method, values: Values) -> Floats:
    each = []
    for property, (ones, others) in sides.items():
        best = np.max([values(property, method) for method in (*ones, *others)], axis=0)
        width = best - values(property, random)
        gap = _gap(property, (ones, others), values)
        each.append(gap / np.where(width > 0, width, np.nan))
    return np.mean(each, axis=0)
