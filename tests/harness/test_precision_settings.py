"""engine.precision in a run: keys of float32 stay, other cells are made anew, and records say which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.config.engines import read_precision
from assay.harness.interface.comparing import compare
from assay.models.precision import FLOAT32, Precision
from assay.tasks.errors import InputError

RUN = [
    *("task=planted_counting", "task.train=40", "task.dev=20", "task.test=4", "task.length=[4,6]"),
    *("model=transformer", "model.training.epochs=1", "limits.default.test=4"),
    *("explainer=[saliency_l2,occlusion,kernel_shap,shapley_gp,random]", "baseline=[mask]"),
    *("explainer.kernel_shap.rows=20", "explainer.shapley_gp.rows=20"),
    *("metric=[faithfulness,compute_time]", "report.bootstrap=20"),
]


def records(store: Path) -> dict[tuple[str, str], dict[str, object]]:
    """cell.json by explainer and precision."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in store.glob("**/cell.json")]
    return {(one["explainer"], one["precision"]): one for one in read}


@pytest.fixture
def run(tiny_bert_folder: Path, tmp_path: Path):
    def run(*overrides: str) -> dict[tuple[str, str], dict[str, object]]:
        settings = [*RUN, f"model.path={tiny_bert_folder}", f"store={tmp_path}", *overrides]
        assert main(["run", *settings]) == 0
        return records(tmp_path)

    return run


def test_cells_are_made_anew_only_where_precision_matters(run) -> None:
    exact = run("name=exact")
    assert {precision for _, precision in exact} == {"float32"}
    both = run("name=reduced", "engine.precision=bfloat16")
    assert set(both) - set(exact) == {("occlusion", "bfloat16"), ("kernel_shap", "bfloat16")}
    mixed = run("name=mixed", "engine.precision=mixed", "engine.asked_twice=0.25")
    assert set(mixed) - set(both) == {("occlusion", "mixed"), ("kernel_shap", "mixed")}
    assert mixed["occlusion", "mixed"]["asked_twice"] == 0.25


def test_a_table_that_mixes_precisions_says_so(run, tmp_path: Path) -> None:
    for name, told in (("exact", 0), ("reduced", 1)):
        run(f"name={name}", *(["engine.precision=bfloat16"] if told else []))
        table = (tmp_path / "experiments" / name / "comparison.md").read_text(encoding="utf-8")
        assert table.count("asked in bfloat16: occlusion, kernel_shap; this table mixes precisions: ") == told
    # Differences between the two may be those of rounding.
    differing = compare("exact", "reduced", store=str(tmp_path))
    asked = [note for note in differing.notes if "asked in" in note]
    assert len(asked) == 2
    assert asked[0] == "exact: asked in float32" and asked[1].startswith(
        "reduced: asked in bfloat16: occlusion"
    )
    same = compare("exact", "exact", store=str(tmp_path))
    assert not [note for note in same.notes if "asked in" in note]


def test_a_word_model_is_refused_before_anything_is_explained(tmp_path: Path) -> None:
    settings = [one for one in RUN if not one.startswith("model")]
    told = ["model=maxpool", "model.training.epochs=1", "engine.precision=bfloat16", f"store={tmp_path}"]
    assert main(["run", *settings, *told]) != 0
    assert not records(tmp_path)
    entries = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("**/*.json"))
    assert "WordModel cannot be asked in bfloat16" in entries


def test_records_of_earlier_versions_were_made_in_float32() -> None:
    assert read_precision({"device": "cpu", "budget": None}) == FLOAT32
    assert read_precision({"precision": "mixed", "asked_twice": 0.3}) == Precision("mixed", 0.3)
    with pytest.raises(InputError, match="asked_twice is 0"):
        read_precision({"precision": "mixed", "asked_twice": 0})
