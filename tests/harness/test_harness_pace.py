"""Work is measured on more and more of it, as long as its time allows, and not while it imports."""

from __future__ import annotations

import pytest

from assay.harness.costs import pace
from assay.harness.costs.pace import IMPORTING, grow, line


class _Clock:
    """A clock that only work moves: `each` seconds a text, and `first` more the first time."""

    def __init__(self, each: float, first: float) -> None:
        self.each, self.first, self.now = each, first, 0.0
        self.sizes: list[int] = []

    def perf_counter(self) -> float:
        return self.now

    def run(self, size: int) -> tuple[float, float]:
        spent = size * self.each + (0 if self.sizes else self.first)
        self.now += spent
        self.sizes.append(size)
        return size, spent


def _grown(monkeypatch: pytest.MonkeyPatch, clock: _Clock, seconds: float, start: int = 1) -> pace.Measured:
    monkeypatch.setattr(pace, "time", clock)
    return grow(clock.run, 256, seconds, start)


@pytest.mark.parametrize("first", [0.0, 0.9 * IMPORTING])
def test_what_only_the_first_run_takes_does_not_count(monkeypatch: pytest.MonkeyPatch, first: float) -> None:
    clock = _Clock(each=0.001, first=first)
    measured = _grown(monkeypatch, clock, seconds=0.1, start=32)
    assert measured == [(32, pytest.approx(0.032))]
    assert line(measured).of(300) == pytest.approx(0.3)


def test_work_that_takes_far_more_than_its_time_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(each=2 * IMPORTING, first=0.0)
    assert _grown(monkeypatch, clock, seconds=0.1) == [(1, 2 * IMPORTING)]
    assert clock.sizes == [1]


def test_work_grows_while_it_fits_into_its_time_and_is_never_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock(each=0.01, first=1.0)
    assert [units for units, _ in _grown(monkeypatch, clock, seconds=1.0)] == [1, 4, 16, 64]
    clock = _Clock(each=1e-6, first=1.0)
    assert [units for units, _ in _grown(monkeypatch, clock, seconds=1.0)] == [1, 4, 16, 64, 256]
