"""Recommendations as text and as records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from assay.results.recommendation.recommendation import Ranked, Recommendation
from assay.results.recommendation.sentences import named, sentences
from assay.results.records import Method
from assay.tasks.counted import counted

# What the columns of the ranked list are.
LEGEND = (
    "* recommended; p: of being as good as the best by these weights (1: the best itself, or no sign of a",
    "difference); first: the share of random weightings in which it is first, which is no test; rows: of the",
    "model, per text",
)


def answer(found: Sequence[Recommendation], incomplete: str = "") -> str:
    """All recommendations for a terminal, with a line at the end whether they agree.

    incomplete: what is said before them of an experiment of which something is missing.
    """
    blocks = [*([incomplete] if incomplete else []), *map(_block, found)]
    return "\n\n".join([*blocks, *([agreement(found)] if len(found) > 1 else [])])


def verdict(found: Sequence[Recommendation], incomplete: str = "") -> str:
    """The first sentence of each recommendation, a line each, and whether they agree; "" of none.

    incomplete: what is said before them of an experiment of which something is missing.
    """
    lines = [incomplete] if found and incomplete else []
    lines += [f"{one.group.title}: {sentences(one)[0].text}" for one in found]
    lines += [agreement(found)] if len(found) > 1 else []
    return "".join(f"{line}\n" for line in lines)


def agreement(found: Sequence[Recommendation]) -> str:
    """Whether the recommendations of several groups agree, in one line."""
    of_told = [one.methods for one in found if not one.refused]
    told = [set(methods) for methods in of_told]
    refused = len(found) - len(told)
    cannot = f"{refused} of {len(found)} cannot be told" if refused else ""
    if not told:
        return f"None of {len(found)} can be told."
    groups = counted(len(told), "recommendation")
    every = dict.fromkeys(method for methods in of_told for method in methods)
    common = [method for method in every if all(method in each for each in told)]
    if len(told) == 1:
        said = f"One recommendation: {named(common, 'or')}"
    elif all(each == told[0] for each in told):
        said = f"All {groups} are the same: {named(common, 'or')}"
    elif common:
        said = f"In all {groups}: {named(common)}; they differ in others"
    else:
        said = f"The {groups} have no explainer in common"
    return f"{said}{f'; {cannot}' if cannot else ''}."


def _block(found: Recommendation) -> str:
    lines = [found.group.title, *(f"  {one.text}" for one in sentences(found))]
    if found.ranking:
        lines += ["", *_ranking(found.ranking)]
    for excluded in found.excluded:
        reasons = "; ".join(violation.reason for violation in excluded.violations)
        lines.append(f"  left out: {excluded.method.title}: {reasons}")
    return "\n".join(lines)


def _ranking(ranking: Sequence[Ranked]) -> list[str]:
    width = max(len(one.method.title) for one in ranking)
    lines = [f"  {'':{width}}  score  {'95 % interval':>15}  {'p':>5}  first    rows"]
    for one in ranking:
        mark = "*" if one.recommended else " "
        interval = "" if math.isnan(one.low) else f"{one.low:6.2f} to {one.high:5.2f}"
        shown = f"{mark} {one.method.title:{width}}  {one.score:5.2f}  {interval:15}"
        first, rows = _share(one.first), _number(one.rows, ",.0f")
        lines.append(f"{shown}  {_p(one.p):>5}  {first:>5}  {rows:>6}")
    return [*lines, *(f"  {words}" for words in LEGEND)]


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _p(value: float) -> str:
    # A test that swaps or draws says of no difference that it cannot be.
    return "<.001" if value < 0.0005 else _number(value, ".3f")


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"


def record(found: Recommendation) -> dict[str, Any]:
    """A recommendation as plain values, for JSON; what is no number is None."""
    said = [{"key": one.key, "text": one.text} for one in sentences(found)]
    plain = plain_values(found)
    return {**plain, "sentences": said}


def plain_values(value: Any) -> Any:
    """A value as JSON has it: dataclasses and named tuples by their fields; what is no number is None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Method) or hasattr(value, "_asdict"):
        return {name: plain_values(each) for name, each in value._asdict().items()}
    if is_dataclass(value):
        return {field.name: plain_values(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping) and value and all(isinstance(name, str) for name in value):
        return {name: plain_values(each) for name, each in value.items()}
    if isinstance(value, Mapping):
        # By method: JSON has no keys but texts.
        return [{**plain_values(key), "value": plain_values(each)} for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [plain_values(each) for each in value]
    return value
