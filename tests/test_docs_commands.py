"""Commands of the documentation that take long as written are run in the small forms of docs_small.py."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

sys.path.append(str(Path(__file__).parent))
from docs_blocks import Block, block_at, blocks
from docs_data import write_all
from docs_small import FEW, PLANTED, exit_status, small_form

# Warnings of libraries are not errors here, as they are not for a user.
pytestmark = pytest.mark.filterwarnings("default")
RUN = f"assay run experiment=quickstart {PLANTED}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small data sets at the names that the pages use. Not to be changed."""
    folder = tmp_path_factory.mktemp("data")
    write_all(folder)
    return folder


@pytest.fixture
def workplace(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside the checkout, with a copy of them."""
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def after(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], None]:
    """`after(command, folder)`: put into a folder what a command leaves; it is run once for all tests."""
    made: dict[str, Path] = {}

    def put(command: str, folder: Path) -> None:
        if command not in made:
            place = tmp_path_factory.mktemp("after")
            shutil.copytree(data, place, dirs_exist_ok=True)
            with chdir(place):
                assert exit_status(command, place) == 0, command
            made[command] = place
        shutil.copytree(made[command], folder, dirs_exist_ok=True)

    return put


def _cases() -> list[Any]:
    cases = []
    for block in blocks():
        small = small_form(block)
        if small:
            marks = [pytest.mark.slow] if small.slow else []
            cases.append(pytest.param(block, id=block.name.replace("docs/", ""), marks=marks))
    return cases


@pytest.mark.parametrize("block", _cases())
def test_the_commands_run_in_a_small_form(
    block: Block,
    workplace: Path,
    after: Callable[[str, Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = small_form(block)
    assert small is not None
    if small.needs:
        pytest.importorskip(small.needs)
    if small.before:
        after(small.before, workplace)
    for command in small.commands(block):
        status = exit_status(command, workplace)
        captured = capsys.readouterr()
        assert status == 0, f"{command}\n{captured.out}\n{captured.err}"


def test_the_export_page_runs_in_order(workplace: Path, after: Callable[[str, Path], None]) -> None:
    """Export a small experiment, then read what was exported as the page does."""
    after(RUN, workplace)
    for command in block_at("docs/exchange.md: assay export").commands:
        assert exit_status(f"{command} {PLANTED}", workplace) == 0
    assert {"scores.parquet", "scores.csv", "explanations"} <= {path.name for path in workplace.iterdir()}
    namespace: dict[str, Any] = {}
    for beginning in ("docs/exchange.md: import pandas", "docs/exchange.md: from datasets"):
        exec(compile(block_at(beginning).text, beginning, "exec"), namespace)
    assert namespace["passes"]["value"].gt(0).any()
    assert len(pd.read_json("occlusion.jsonl", lines=True)) == 48


def test_the_json_lines_of_the_page_can_be_imported(workplace: Path) -> None:
    Path("scores.jsonl").write_text(block_at("docs/exchange.md: {").text, encoding="utf-8")
    splits = "task.train=train.jsonl task.dev=dev.jsonl task.test=test.jsonl task.id=id"
    task = f"task=local task.path=wonderful {splits} targets=gold"
    assert exit_status(f"assay import scores.jsonl --format jsonl --as mine {task}", workplace) == 0


def test_the_ledger_page_says_what_the_commands_print(
    workplace: Path, after: Callable[[str, Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run, a damaged file, the claim of a dead job, and cleaning up."""
    after(RUN, workplace)
    status, verify, clean, unused = (
        block_at(f"docs/ledger.md: {beginning}")
        for beginning in ("$ assay status", "$ assay verify", "$ assay clean", "assay clean")
    )
    capsys.readouterr()
    assert exit_status(f"{status.commands[0]} {PLANTED}", workplace) == 0
    assert capsys.readouterr().out.startswith("Experiment quickstart: 3 of 3 cells done")

    (part, *_) = sorted(workplace.glob("assay-store/cells/*/explanations/part-00000.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)
    assert exit_status(verify.commands[0], workplace) == 1
    name = part.relative_to(workplace / "assay-store").as_posix()
    assert capsys.readouterr().out == _printed(verify).replace(_name_in(verify, "cells/"), name)

    claim = workplace / "assay-store" / "claims" / "dead.json"
    claim.parent.mkdir(exist_ok=True)
    claim.write_text("{}", encoding="utf-8")
    os.utime(claim, (0, 0))
    assert exit_status(clean.commands[0], workplace) == 0
    assert capsys.readouterr().out == _printed(clean).replace(_name_in(clean, "claims/"), "claims/dead.json")
    claim.unlink()
    other = f"{PLANTED} experiment=quickstart"
    command = unused.commands[0].replace('"experiment=mine seed=0,1"', f'"{other}"')
    assert exit_status(command, workplace) == 0


def _printed(session: Block) -> str:
    """What a block shows below its one command."""
    return session.text.partition("\n")[2]


def _name_in(session: Block, folder: str) -> str:
    return next(word for word in session.text.split() if word.startswith(folder))


def test_the_tree_of_the_architecture_page_has_every_folder_of_a_store(
    workplace: Path, after: Callable[[str, Path], None]
) -> None:
    after(RUN, workplace)
    tree = block_at("docs/architecture.md: assay-store/").text
    named = {word.strip(",").partition("/")[0] for line in tree.splitlines()[1:] for word in line.split()[:2]}
    assert {path.name for path in (workplace / "assay-store").iterdir()} <= named


def test_the_workflow_that_compares_two_versions_runs(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every step with a command of Assay, as it is written but on few texts and seeds, against itself."""
    workflow = yaml.safe_load(block_at("docs/compare.md: name: explanations").text)
    # YAML reads "on" as true.
    assert set(workflow) == {"name", True, "jobs"} and workflow[True] == "pull_request"
    (job,) = workflow["jobs"].values()
    assert job["runs-on"] and all({"uses", "run"} & step.keys() for step in job["steps"])
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[0].startswith("pip install") and len(commands) == 3
    rows = [
        f"{word} film {n},{label}"
        for n in range(75)
        for word, label in (("good", "positive"), ("bad", "negative"))
    ]
    (workplace / "reviews.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    run = commands[1].replace("model=cnn seed=0,1,2,3,4", f"model=linear seed=0,1 {FEW}")
    assert run.startswith("assay run name=after ") and FEW in run
    for command in (run.replace("name=after", "name=before"), run, commands[2]):
        status = exit_status(command, workplace)
        captured = capsys.readouterr()
        assert status == 0, f"{command}\n{captured.out}\n{captured.err}"
    assert "faithfulness worse" in captured.out
    assert exit_status(run.replace("seed=0,1", "seed=2,3"), workplace) == 0
    assert exit_status('assay compare before after --fail-if "agreement < 1"', workplace) == 1
