"""What the command says: options of a choice, the nearest option, and an equal warning once."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from assay.harness.cli import main
from assay.harness.command_line.terminal import OnceHandler
from assay.harness.config.described import description
from assay.harness.config.offered import offered


def test_the_options_of_a_choice_with_defaults_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choices", "lime", "mask"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    lines = {line.split()[0]: line.split(maxsplit=2)[1:] for line in first.splitlines()[1:]}
    assert first.startswith("lime (explainer): A local ridge regression")
    assert lines["explainer.lime.rows"] == ["1000", "coalitions asked per text"]
    assert lines["explainer.lime.kernel_width"][1].startswith("of the exponential kernel")
    assert lines["explainer.lime.until"][1].startswith("A goal instead of a budget")
    assert second == "mask (baseline): Absent tokens become the mask token.\n  no options\n"


def test_a_group_lists_what_it_offers_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choices", "baseline", "mask"]) == 0
    listed, options = capsys.readouterr().out.split("\n\n")
    first, *lines = listed.splitlines()
    assert first == "baseline" and [line.split()[0] for line in lines] == offered("baseline")
    assert all(len(line.split()) > 3 for line in lines)
    assert options.startswith("mask (baseline): ")
    assert main(["choices", "basline"]) == 1
    assert "did you mean 'baseline'?" in capsys.readouterr().err


@pytest.mark.parametrize("group", ["task", "model", "explainer", "baseline", "metric", "experiment"])
def test_every_option_of_every_choice_is_there(group: str) -> None:
    for name in offered(group):
        shown = description(group, name)
        content = yaml.safe_load(files("assay.conf").joinpath(group, f"{name}.yaml").read_text("utf-8"))
        settings = content.get(name, content)
        assert all(f"{option}" in shown for option in settings if option not in ("_target_", "defaults")), (
            name
        )


def test_a_choice_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choices", "limee"]) == 1
    assert "there is no choice named 'limee'; did you mean 'lime'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("explainer.lime.row=3", "rows"),
        ("+explainer.lime.row=3", "rows"),
        ("limits.default.tst=3", "test"),
        ("model.training.epoch=3", "epochs"),
        ("engin=3", "engine"),
    ],
)
def test_an_unknown_option_gets_the_nearest(
    override: str, nearest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "explainer=[lime]", override, f"store={tmp_path}"]) == 1
    assert f"did you mean {nearest!r}?" in capsys.readouterr().err


def test_an_equal_warning_is_said_once_with_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("once")
    log.addHandler(handler := OnceHandler())
    for _ in range(3):
        log.warning("few %s", "texts")
    log.warning("other")
    handler.close()
    assert capsys.readouterr().err == "few texts\nother\nfew texts (this 3 times)\n"


def test_a_run_says_it_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    few = ["task=planted", "task.train=60", "task.dev=20", "task.test=12", "limits.default.test=12"]
    command = [
        "run",
        *few,
        "model=linear",
        "model.training.epochs=1",
        "explainer=[random,inverted,saliency_l2]",
    ]
    assert main([*command, "metric=[confidence_indication]", f"store={tmp_path}", "report.bootstrap=20"]) == 0
    said = [line for line in capfd.readouterr().err.splitlines() if "too few to fit" in line]
    assert len(said) == 2 and said[1] == f"{said[0]} (this 3 times)"


def test_a_command_does_not_repeat_what_was_said_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    root.addHandler(handler := OnceHandler())
    try:
        for _ in range(3):
            logging.getLogger("earlier").warning("of another command")
        capsys.readouterr()
        assert main(["--version"]) == 0
    finally:
        root.removeHandler(handler)
    assert capsys.readouterr().err == ""
