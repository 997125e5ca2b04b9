"""assay compare, on stores and exported tables: what it reads, what it says, and its exit status."""

from __future__ import annotations

import itertools
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from assay.harness.cli import main
from assay.harness.reporting.versions import named, open_side, texts_of
from assay.results.versions.conditions import condition
from assay.tasks.errors import InputError

Said = pytest.CaptureFixture[str]


def test_an_experiment_and_itself(finished: Path, capsys: Said) -> None:
    """The same models and explanations: nothing moves, all agree."""
    whole = f"{finished}/tiny"
    command = [
        "compare",
        whole,
        whole,
        "--fail-if",
        "faithfulness moved",
        "--fail-if",
        "agreement < 1",
        "--json",
    ]
    assert main(command) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in content["changes"]} == {"no difference found"}
    assert {row["difference"] for row in content["changes"]} == {0.0}
    assert {row["about"] for row in content["changes"]} == {"these models"}
    assert {row["agreement"] for row in content["agreement"]} == {1.0}
    assert any("the same models (seeds 0, 1)" in note for note in content["notes"])
    assert any("paired on 20 texts" in note for note in content["notes"])


def test_two_training_seeds_cannot_be_told_apart(finished: Path, capsys: Said) -> None:
    sides = ["tiny@seed=0", "tiny@seed=1", "--store", str(finished)]
    assert main(["compare", *sides, "--fail-if", "faithfulness worse"]) == 2
    assert "cannot be judged" in capsys.readouterr().out
    assert main(["compare", *sides, "--fail-if", "agreement < -1", "--these-models"]) == 0
    assert main(["compare", *sides, "--fail-if", "agreement < 1"]) == 1


def test_exported_tables(finished: Path, tmp_path: Path, capsys: Said) -> None:
    parquet, csv, moved = tmp_path / "a.parquet", tmp_path / "b.csv", tmp_path / "moved.csv"
    for path in (parquet, csv):
        assert main(["export", "name=tiny", f"store={finished}", "--to", str(path)]) == 0
    capsys.readouterr()
    assert main(["compare", str(parquet), str(csv), "--csv", str(moved)]) == 0
    out = capsys.readouterr().out
    assert "an exported table has ids but no texts" in out and "Agreement of explanations" not in out
    table = pd.read_csv(moved)
    assert set(table["texts"]) == {"unpaired"}
    assert max(map(abs, table["difference"].tolist())) < 1e-12
    # The values are those of the store.
    main(["compare", f"{finished}/tiny", str(csv), "--json"])
    for row in json.loads(capsys.readouterr().out)["changes"]:
        assert row["value_a"] == pytest.approx(row["value_b"], abs=1e-12)
    assert main(["compare", str(parquet), str(csv), "--fail-if", "agreement < 0.8"]) == 2


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (["tinny", "tiny"], "did you mean 'tiny'"),
        (["tiny@cnn", "tiny"], "has no model 'cnn'; available: maxpool"),
        (["tiny@seed=7", "tiny"], "has no seed 7; it has 0, 1"),
        (["tiny@seed=x", "tiny"], "names no version"),
        (["nowhere/tiny", "tiny"], "there is no store 'nowhere'"),
        (["nothing.csv", "tiny"], "cannot be read as a table"),
    ],
)
def test_what_is_not_there(sides: list[str], said: str, finished: Path, capsys: Said) -> None:
    assert main(["compare", *sides, "--store", str(finished)]) == 1
    assert said in capsys.readouterr().err


def test_a_condition_is_read_before_anything_else(capsys: Said) -> None:
    assert main(["compare", "nowhere", "nothing", "--fail-if", "faithfulness worst"]) == 2
    assert "did you mean 'worse'" in capsys.readouterr().err


def test_a_table_of_something_else(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "other.csv"
    path.write_text("task,model\na,b\n", encoding="utf-8")
    assert main(["compare", str(path), str(path)]) == 1
    assert "has no column 'kind'" in capsys.readouterr().err


def test_names_of_versions() -> None:
    swept = named("store/name@transformer[path=models/v1]@seed=0,1")
    assert (swept.source, swept.model) == ("store/name", "transformer[path=models/v1]")
    assert swept.seeds == {"0", "1"} and not swept.is_table
    for text in ("", "@m", "a@b@c", "a@seed=", "a@seed=0@seed=1"):
        with pytest.raises(InputError, match="names no version"):
            named(text)


def test_the_workflow_of_the_page_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(page.partition("```yaml")[2].partition("```")[0])
    steps = [step["run"] for step in workflow["jobs"]["compare"]["steps"] if "run" in step]
    words = shlex.split(steps[-1])
    given = [text for option, text in itertools.pairwise(words) if option == "--fail-if"]
    assert words[:2] == ["assay", "compare"] and [condition(text).verb for text in given] == ["worse", "<"]


def test_texts_with_other_labels_are_not_paired(finished: Path) -> None:
    whole = open_side("tiny", finished)
    (task,) = whole.version.texts
    known = whole.version.texts[task]
    (trial, *_) = whole.trials
    first = trial.task.test[0]
    relabelled = replace(
        trial.task, test=(replace(first, labels=(1 - first.labels[0],)), *trial.task.test[1:])
    )
    other = texts_of([replace(trial, task=relabelled)])[task]
    assert {text for text in known if known[text] != other[text]} == {first.id}
    renamed = replace(trial.task, labels=tuple(reversed(trial.task.labels)))
    assert not set(known.values()) & set(texts_of([replace(trial, task=renamed)])[task].values())
