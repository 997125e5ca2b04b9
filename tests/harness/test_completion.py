"""Completion by the shell: what argcomplete is asked and answers, and where its script is written."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.command_line.completion import GROUPS, KEYS, overrides

NOTHING = argparse.Namespace()


def _asked(line: str, tmp_path: Path) -> list[str]:
    """What the command answers a shell that has this line before its cursor."""
    answer = tmp_path / "answer"
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n\"'><;|&(:",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    program = "import sys; sys.argv[0] = 'assay'; from assay.harness.cli import main; main()"
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)
    return answer.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("assay rec", "recommend"),
        ("assay plan --cal", "--calibrate"),
        ("assay run experiment=quick", "experiment=quickstart"),
        ("assay run task=planted model=lin", "model=linear"),
        ("assay run explainer=[saliency_l2,occlusion_", "explainer=[saliency_l2,occlusion_window"),
    ],
)
def test_a_shell_is_answered(line: str, among: str, tmp_path: Path) -> None:
    answers = [text.strip().replace("\\", "") for text in _asked(line, tmp_path)]
    assert among in answers


def test_keys_and_names_of_groups() -> None:
    assert overrides("", NOTHING) == [f"{key}=" for key in (*GROUPS, *KEYS)]
    assert overrides("ta", NOTHING) == ["task=", "targets="]
    assert overrides("task=planted_n", NOTHING) == ["task=planted_negation"]
    assert overrides("baseline@removal=[mask,de", NOTHING) == ["baseline@removal=[mask,delete"]
    assert overrides("store=", NOTHING) == overrides("no_such=", NOTHING) == []


def test_what_a_list_has_is_not_offered_again() -> None:
    assert "baseline=[mask,mask" not in overrides("baseline=[mask,", NOTHING)
    assert "baseline=[mask,pad" in overrides("baseline=[mask,", NOTHING)


def test_names_of_the_users_own_folder(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "claims.yaml").write_text("", encoding="utf-8")
    assert overrides("task=cl", argparse.Namespace(config_dir=tmp_path)) == ["task=claims"]


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "data/bash-completion/completions/assay"),
        ("zsh", ".zfunc/_assay"),
        ("fish", "config/fish/completions/assay.fish"),
    ],
)
def test_the_script_is_written_where_the_shell_looks_for_it(
    shell: str,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _home(tmp_path, monkeypatch)
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    assert main(["--install-completion"]) == 0
    assert str(tmp_path / place) in capsys.readouterr().out
    first = (tmp_path / place).read_text(encoding="utf-8")
    assert "assay" in first
    assert main(["--install-completion", shell]) == 0
    assert (tmp_path / place).read_text(encoding="utf-8") == first
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n", str(tmp_path / place)], check=True)


def test_another_shell_and_a_file_of_somebody_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _home(tmp_path, monkeypatch)
    assert main(["--install-completion", "bsh"]) == 1
    assert "there is no completion for the shell 'bsh'; did you mean 'bash'?" in capsys.readouterr().err
    theirs = tmp_path / "data" / "bash-completion" / "completions" / "assay"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("complete -W 'mine' assay\n", encoding="utf-8")
    assert main(["--install-completion", "bash"]) == 1
    assert "is not Assay's; move it away" in capsys.readouterr().err
    assert theirs.read_text(encoding="utf-8") == "complete -W 'mine' assay\n"


def _home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in (
        ("HOME", folder),
        ("XDG_DATA_HOME", folder / "data"),
        ("XDG_CONFIG_HOME", folder / "config"),
    ):
        monkeypatch.setenv(name, str(place))
    monkeypatch.delenv("BASH_COMPLETION_USER_DIR", raising=False)
