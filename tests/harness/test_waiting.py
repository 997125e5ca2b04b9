"""The line of a command that makes tables and figures."""

from __future__ import annotations

import io
import sys
import time

import pytest

from assay.harness.command_line.waiting import waiting
from assay.results.parallel import serial_map


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in place of standard error, which pytest would take back between a fixture and its test."""
    monkeypatch.setattr("assay.harness.command_line.waiting.SECONDS_WITHOUT_LINE", 0.02)
    monkeypatch.setattr("assay.harness.command_line.waiting.EVERY_SECONDS", 0.02)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_the_line_counts_parts_shows_the_time_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with waiting("report") as line:
        time.sleep(0.1)
        answers = line.counted(serial_map)([lambda: 1, lambda: 2])
        assert next(answers) == 1
        time.sleep(0.1)
        assert list(answers) == [2]
        time.sleep(0.1)
    shown = terminal.getvalue()
    assert "report [00:00]" in shown
    assert shown.index("report: 1 of 2 parts") < shown.index("report: 2 of 2 parts")
    assert not shown.split("\r")[-1].strip()


def test_what_is_done_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr("assay.harness.command_line.waiting.SECONDS_WITHOUT_LINE", 5.0)
    with waiting("report"):
        pass
    assert not terminal.getvalue().strip()


def test_logs_get_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.harness.command_line.waiting.SECONDS_WITHOUT_LINE", 0.01)
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with waiting("report") as line:
        time.sleep(0.05)
        assert list(line.counted(serial_map)([lambda: 3])) == [3]
    assert not log.getvalue()


def test_an_error_passes_and_the_line_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with pytest.raises(KeyError), waiting("report"):
        time.sleep(0.1)
        raise KeyError("x")
    assert "report" in terminal.getvalue() and not terminal.getvalue().split("\r")[-1].strip()
