"""Bad input ends with a non-zero exit and one clear sentence, and leaves no half-written result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.harness.cli import main

ROWS = "text,label\n" + "".join(f"word{n} is {'good' if n % 2 else 'bad'},{n % 2}\n" for n in range(40))
QUICK = ["model=maxpool", "model.training.epochs=1", "explainer=[occlusion]", "report.bootstrap=20"]


def _fails(capsys: pytest.CaptureFixture[str], *overrides: str, command: str = "run") -> str:
    """Run a command that must fail; its one sentence."""
    assert main([command, *overrides]) not in (0, None)
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"store={tmp_path / 'store'}"


def _local(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return ["task=local", f"task.path={path}", *QUICK]


def test_empty_file(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = _fails(capsys, *_local(tmp_path / "data.csv", ""), store)
    assert "data.csv" in sentence
    assert "empty" in sentence


def test_missing_column(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = _fails(capsys, *_local(tmp_path / "data.csv", ROWS), "task.text=txet", store)
    assert "txet" in sentence
    assert "did you mean 'text'" in sentence


def test_unknown_explainer(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = _fails(capsys, "explainer=[limee]", store)
    assert "no explainer named 'limee'; did you mean 'lime'?" in sentence


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            "explainer=[oclusion]",
            "there is no explainer named 'oclusion'; did you mean 'occlusion'? (assay choices",
        ),
        ("explainer=[zzz]", "there is no explainer named 'zzz'; assay choices explainer lists all "),
        (
            "baseline=[maks]",
            "there is no baseline named 'maks'; did you mean 'mask'? available: delete, mask",
        ),
    ],
)
def test_a_long_list_of_names_is_asked_for_and_not_poured_out(
    wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "task=planted", "model=linear", wrong]) == 1
    error = capsys.readouterr().err
    assert said in error and len(error) < 250


def test_long_names_of_choices_do_not_run_into_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choices", "metric"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert any("confidence_indication_max_as_coded  " in line for line in lines)
    # All texts begin in one column, behind two blanks.
    width = max(len(line.split()[0]) for line in lines)
    assert {line[2 + width : 4 + width] for line in lines} == {"  "}


def test_label_out_of_range(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps({"text": f"word {n}", "label": n % 3}) for n in range(30)]
    overrides = _local(tmp_path / "data.jsonl", "\n".join(lines))
    sentence = _fails(capsys, *overrides, "task.labels=[no,yes]", store)
    assert "label 2" in sentence or "label '2'" in sentence
    assert "data.jsonl" in sentence


def test_text_over_the_limit(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    long = ROWS + "one two three four five six seven,1\n"
    overrides = _local(tmp_path / "data.csv", long)
    sentence = _fails(capsys, *overrides, "model.max_tokens=5", store)
    assert "7 tokens" in sentence
    assert "at most 5" in sentence
    assert "truncate" in sentence


def test_nan_weights(
    tmp_path: Path, store: str, tiny_bert_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_bert_folder.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    state = load_file(broken / "model.safetensors")
    next(iter(state.values())).fill_(torch.nan)
    save_file(state, broken / "model.safetensors", metadata={"format": "pt"})
    overrides = _local(tmp_path / "data.csv", ROWS)
    sentence = _fails(capsys, *overrides, "model=transformer", f"model.path={broken}", store)
    assert "NaN" in sentence
    assert str(broken) in sentence


def test_wrong_hash(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [*_local(tmp_path / "data.csv", ROWS), store]
    assert main(["run", *overrides]) == 0
    (weights,) = (tmp_path / "store").glob("models/*/weights.safetensors")
    state = load_file(weights)
    next(iter(state.values())).add_(1)
    save_file(state, weights)
    altered = weights.read_bytes()
    capsys.readouterr()
    assert main(["run", *overrides, "explainer=[lime]"]) == 0
    assert "does not have the hash that model.json names; train again" in capsys.readouterr().err
    (aside,) = (tmp_path / "store").glob("models/*.damaged/weights.safetensors")
    assert aside.read_bytes() == altered != weights.read_bytes()


def test_unwritable_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    sentence = _fails(capsys, f"store={tmp_path / 'file' / 'store'}")
    assert "cannot be written" in sentence


def test_rationale_outside_the_text(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps({"text": f"word {n}", "label": n % 2, "why": [[0, 4]]}) for n in range(30)]
    lines.append(json.dumps({"text": "short", "label": 1, "why": [[0, 999]]}))
    overrides = _local(tmp_path / "data.jsonl", "\n".join(lines))
    sentence = _fails(capsys, *overrides, "task.rationale=why", store)
    assert "999" in sentence
    assert "outside" in sentence


def test_baseline_that_fits_no_explainer(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = _fails(capsys, *QUICK, "explainer=[integrated_gradients]", "baseline=[delete]", store)
    assert "baseline 'delete' fits none of the chosen explainers" in sentence


def test_unreadable_encoding(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = _local(tmp_path / "data.csv", ROWS)
    (tmp_path / "data.csv").write_bytes(ROWS.replace("good", "gööd").encode("latin-1"))
    sentence = _fails(capsys, *overrides, store)
    assert "UTF-8" in sentence


def test_config_dir_that_is_none(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = _fails(capsys, "--config-dir", "nowhere", store)
    assert "nowhere" in sentence
