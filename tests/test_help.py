"""Help is short: a line for each command, overrides explained once."""

from __future__ import annotations

import pytest

from assay.harness.cli import COMMANDS, main

COMMAND = {command.name: command for command in COMMANDS}


def _help(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_each_command_has_one_line_of_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = _help(capsys).splitlines()
    for name, command in COMMAND.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith(command.help()[0]) and len(line) <= 80, line
        assert line.index(command.help()[0]) == 19


@pytest.mark.parametrize("name", COMMAND)
def test_overrides_are_explained_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(capsys, name)
    assert ("Overrides are Hydra's" in text) == (name == "run")
    assert ("explained by: assay run --help" in text) == (bool(COMMAND[name].overrides) and name != "run")
    assert max(map(len, text.splitlines())) <= 110
    assert name == "run" or len(text.splitlines()) <= 45
