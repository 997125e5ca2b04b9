"""Recommendations with known truths: the simulation's bars, by the binomial bounds of fewer draws."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from recommend_simulation import (  # pyright: ignore[reportMissingImports]
    EVEN,
    ONE,
    OPERATORS,
    SKEWED,
    WEIGHTED,
    Outcome,
    Setting,
    misses,
    settings,
    simulate,
)

SMALL = [
    Setting(ONE, EVEN, 2, 0.0),
    Setting(ONE, SKEWED, 4, 5.0),
    Setting(WEIGHTED, EVEN, 2, 0.0),
    Setting(WEIGHTED, EVEN, 4, 5.0),
    Setting(OPERATORS, EVEN, 2, 0.0),
    Setting(OPERATORS, EVEN, 2, 5.0),
    Setting(WEIGHTED, EVEN, 4, None),
]


@pytest.mark.parametrize("setting", SMALL, ids=str)
def test_the_best_is_named_as_often_as_said(setting: Setting) -> None:
    found = [simulate(setting, draw, 7) for draw in range(40)]
    assert misses(setting, found, sure=True) == []


def test_the_bars_can_be_missed() -> None:
    named, kept, wrong = (
        Outcome(True, True, True, False, False),
        Outcome(True, False, False, False, False),
        Outcome(False, True, False, False, False),
    )
    equal, ahead, hopeless = (Setting(ONE, EVEN, 2, gap) for gap in (0.0, 5.0, None))
    assert misses(equal, [named] * 13 + [kept] * 187, sure=False) == ["not named alone"]
    assert misses(equal, [named] * 12 + [kept] * 188, sure=False) == []
    assert misses(ahead, [named] * 179 + [kept] * 21, sure=False) == ["named alone"]
    assert misses(ahead, [named] * 180 + [wrong] * 11 + [kept] * 9, sure=False) == ["best in group"]
    assert misses(hopeless, [named] * 200, sure=True) == ["refused"]
    assert misses(ahead, [named._replace(forbidden=True)] + [named] * 199, sure=True) == ["forbidden"]
    # With sure, what chance gives at the bar is no miss, and what it cannot is.
    assert misses(equal, [named] * 4 + [kept] * 36, sure=True) == []
    assert misses(equal, [named] * 20 + [kept] * 20, sure=True) == ["not named alone"]


def test_every_kind_is_simulated_at_both_ends() -> None:
    assert {(one.kind, one.gap) for one in settings()} >= {
        (kind, gap) for kind in (ONE, WEIGHTED, OPERATORS) for gap in (0.0, 5.0, None)
    }
