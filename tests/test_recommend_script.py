"""Recommendations with known truths: the simulation's bars, by the binomial bounds of fewer draws."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
import recommend_simulation  # pyright: ignore[reportMissingImports]
from recommend_simulation import (  # pyright: ignore[reportMissingImports]
    EVEN,
    ONE,
    OPERATORS,
    SKEWED,
    WEIGHTED,
    Finished,
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


def missed(setting: Setting, found: Sequence[Outcome], *, sure: bool) -> list[str]:
    """The bars that these draws miss."""
    shares = np.mean(np.array(found, dtype=float), axis=0).tolist()
    return misses(setting, shares, len(found), sure=sure)


@pytest.mark.parametrize("setting", SMALL, ids=str)
def test_the_best_is_named_as_often_as_said(setting: Setting) -> None:
    found = [simulate(setting, draw, 7) for draw in range(40)]
    assert missed(setting, found, sure=True) == []


def test_the_bars_can_be_missed() -> None:
    named, kept, wrong = (
        Outcome(True, True, True, False, False),
        Outcome(True, False, False, False, False),
        Outcome(False, True, False, False, False),
    )
    equal, ahead, hopeless = (Setting(ONE, EVEN, 2, gap) for gap in (0.0, 5.0, None))
    assert missed(equal, [named] * 13 + [kept] * 187, sure=False) == ["not named alone"]
    assert missed(equal, [named] * 12 + [kept] * 188, sure=False) == []
    assert missed(ahead, [named] * 179 + [kept] * 21, sure=False) == ["named alone"]
    assert missed(ahead, [named] * 180 + [wrong] * 11 + [kept] * 9, sure=False) == ["best in group"]
    assert missed(hopeless, [named] * 200, sure=True) == ["refused"]
    assert missed(ahead, [named._replace(forbidden=True)] + [named] * 199, sure=True) == ["forbidden"]
    # With sure, what chance gives at the bar is no miss, and what it cannot is.
    assert missed(equal, [named] * 4 + [kept] * 36, sure=True) == []
    assert missed(equal, [named] * 20 + [kept] * 20, sure=True) == ["not named alone"]


def test_every_kind_is_simulated_at_both_ends() -> None:
    assert {(one.kind, one.gap) for one in settings()} >= {
        (kind, gap) for kind in (ONE, WEIGHTED, OPERATORS) for gap in (0.0, 5.0, None)
    }


def test_finished_settings_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, setting, other = tmp_path / "finished.jsonl", SMALL[0], SMALL[-1]
    shares = [Finished(path, 3, 7).shares(one) for one in (setting, other)]
    assert shares == [Finished(None, 3, 7).shares(one) for one in (setting, other)]
    # A run that is killed leaves half a line.
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:-9], encoding="utf-8")
    ran: list[Setting] = []
    monkeypatch.setattr(recommend_simulation, "simulate", lambda *of: (ran.append(of[0]), simulate(*of))[1])
    again = Finished(path, 3, 7)
    assert [again.shares(one) for one in (setting, other)] == shares
    assert ran == [other] * 3 and path.read_text(encoding="utf-8") == text
    # Other draws, seeds and code are other results.
    Finished(path, 2, 7).shares(setting)
    Finished(path, 3, 8).shares(setting)
    monkeypatch.setattr(recommend_simulation, "code", lambda *_: "other")
    Finished(path, 3, 7).shares(setting)
    assert len(ran) == 3 + 2 + 3 + 3
