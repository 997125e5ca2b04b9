"""Conditions on what moved, for scripts: a closed grammar, read before anything is computed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.results.versions.drift import DriftRow
from assay.results.versions.records import BETTER, UNTOLD, WORSE, ChangeRow
from assay.tasks.errors import InputError, did_you_mean

AGREEMENT, MOVED = "agreement", "moved"
VERBS = (WORSE, BETTER, MOVED)
GRAMMAR = f'"METRIC {WORSE}", "METRIC {BETTER}", "METRIC {MOVED}" or "{AGREEMENT} < NUMBER"'
_BELOW = re.compile(r"(?P<name>\S+)\s*<\s*(?P<number>\S+)")
_MOVED = re.compile(r"(?P<name>\S+)\s+(?P<verb>\S+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """text: as given. name: a metric, or AGREEMENT. verb: one of VERBS, or "<" with a `number`."""

    text: str
    name: str
    verb: str
    number: float = math.nan


@dataclass(frozen=True, slots=True)
class Judgement:
    """holds: None where nothing tells. words: what was found, in one sentence."""

    condition: Condition
    holds: bool | None
    words: str


def condition(text: str) -> Condition:
    """A condition as it was typed; whether its metric was measured is checked by `check_metrics`.

    Raises:
        InputError: it cannot be read.
    """
    below = _BELOW.fullmatch(text.strip())
    if below is not None:
        number = _number(below["number"])
        if below["name"] != AGREEMENT:
            hint = f"did you mean '{AGREEMENT} < {below['number']}'? " if number is not None else ""
            raise InputError(f"--fail-if {text!r} cannot be read; {hint}expected {GRAMMAR}")
        if number is None or not -1 <= number <= 1:
            raise InputError(f"--fail-if {text!r}: an agreement is a number between -1 and 1")
        return Condition(text, AGREEMENT, "<", number)
    found = _MOVED.fullmatch(text.strip())
    if found is None:
        raise InputError(f"--fail-if {text!r} cannot be read; expected {GRAMMAR}")
    if found["verb"] not in VERBS:
        raise InputError(f"--fail-if {text!r} cannot be read: {did_you_mean(found['verb'], VERBS)}")
    return Condition(text, found["name"], found["verb"])


def check_metrics(conditions: Iterable[Condition], metrics: Iterable[str]) -> None:
    """Raise InputError on a condition whose metric was not measured in both versions."""
    names = list(metrics)
    for one in conditions:
        if one.verb in VERBS and one.name not in names:
            raise InputError(f"--fail-if {one.text!r}: no metric {one.name!r} is in both versions; "
                             f"{did_you_mean(one.name, names)}")  # fmt: skip


def judge(one: Condition, rows: Sequence[ChangeRow], drift: Sequence[DriftRow]) -> Judgement:
    """Whether a condition holds of any candidate; of controls only where there are no candidates.

    A change counts beyond noise alone. Where no candidate could be tested, nothing tells.
    """
    if one.verb == "<":
        about = _candidates(drift)
        known = [row for row in about if math.isfinite(row.agreement)]
        if not known:
            reasons = "; ".join(dict.fromkeys(row.left_out for row in about if row.left_out))
            none = "no explanation of the same text and class can be compared between the versions"
            return Judgement(one, None, f"{none} ({reasons})" if reasons else none)
        lowest = min(known, key=lambda row: row.agreement)
        left = f" ({len(about) - len(known)} cannot be told)" if len(known) < len(about) else ""
        words = f"the lowest agreement is {lowest.agreement:.3f}, of {_title(lowest)}{left}"
        return Judgement(one, lowest.agreement < one.number, words)
    about = _candidates([row for row in rows if row.metric == one.name])
    wanted = (WORSE, BETTER) if one.verb == MOVED else (one.verb,)
    hits = [row for row in about if row.verdict in wanted]
    if hits:
        found = ", ".join(f"{_title(row)} is {row.verdict} by {abs(row.difference):.3g}" for row in hits)
        return Judgement(one, True, found)
    told = [row for row in about if row.verdict != UNTOLD]
    if not told:
        reasons = dict.fromkeys(row.note for row in about)
        return Judgement(one, None, "; ".join(reasons))
    left = f" ({len(about) - len(told)} cannot be told)" if len(told) < len(about) else ""
    return Judgement(one, False, f"of {len(told)} none is beyond noise{left}")


def status(judgements: Iterable[Judgement]) -> int:
    """0 if no condition holds, 1 if any does, 2 if none does and of some nothing tells."""
    found = [judgement.holds for judgement in judgements]
    return 1 if True in found else 2 if None in found else 0


def _candidates(rows: Sequence[ChangeRow | DriftRow]) -> list:
    return [row for row in rows if not row.control] or list(rows)


def _title(row: ChangeRow | DriftRow) -> str:
    return f"{row.explainer} ({row.baseline})" if row.baseline else row.explainer


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
