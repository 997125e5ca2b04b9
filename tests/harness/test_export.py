"""What is exported is what is stored, whole, typed, and scored the same when it comes back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from assay.harness.cli import main
from assay.harness.exchange import export_explanations, export_scores
from assay.harness.exchange.atomic import whole_file, whole_folder
from assay.harness.exchange.export_explanations import SCHEMA
from assay.harness.exchange.export_scores import harmless
from assay.tasks.errors import InputError

SMALL = [
    "name=small",
    "task=planted_counting",
    "task.train=200",
    "task.dev=40",
    "task.test=24",
    "model=maxpool",
    "model.training.epochs=2",
    "seed=0,1",
    "explainer=[random,occlusion]",
    "baseline@removal=[mask,delete]",
    "metric=[human_agreement,faithfulness,completeness,compute_time,rationale_consistency]",
    "limits.default.test=20",
    "shard=8",
    "report.bootstrap=20",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    assert main(["run", *SMALL, f"store={store}"]) == 0
    return store


@pytest.fixture(scope="module")
def exported(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scores.parquet, scores.csv and dataset/."""
    folder = tmp_path_factory.mktemp("exported")
    command = ["export", *SMALL, f"store={store}", "--to"]
    assert main([*command, str(folder / "scores.csv")]) == 0
    both = [str(folder / "scores.parquet"), "--explanations", str(folder / "dataset")]
    assert main([*command, *both]) == 0
    return folder


@pytest.fixture(scope="module")
def table(exported: Path) -> pd.DataFrame:
    return pd.read_parquet(exported / "scores.parquet")


def test_the_table_holds_every_stored_score(store: Path, table: pd.DataFrame) -> None:
    files = [*store.glob("cells/*/scores/*.parquet"), *store.glob("pairs/*/scores/*.parquet")]
    stored = pd.concat([pd.read_parquet(file) for file in files])
    assert len(table) == len(stored) > 500
    np.testing.assert_array_equal(np.sort(table["value"]), np.sort(stored["value"]))
    names = ["task", "model", "kind", "model_seed", "explainer", "baseline", "explainer_seed"]
    names += ["metric", "removal", "part", "unit", "target"]
    assert not table.duplicated(names).any()
    assert set(table["model_seed"]) == {"0", "1", "0-1"}
    assert set(table["direction"]) == {"higher", "lower"}


def test_a_metric_stands_once_for_each_removal(table: pd.DataFrame) -> None:
    faithful = table[table["metric"] == "faithfulness"]
    assert set(faithful["removal"]) == {"mask", "delete"}
    assert set(faithful["direction"]) == {"lower"}
    assert table.loc[table["metric"] == "human_agreement", "removal"].isna().all()


def test_targets_are_named_and_missing_where_there_is_none(table: pd.DataFrame) -> None:
    of_labels = table[table["target"] >= 0]
    expected = [f"class_{int(target)}" for target in of_labels["target"]]
    assert of_labels["label"].tolist() == expected
    assert len(of_labels) < len(table)
    assert table.loc[table["target"].isna(), "label"].isna().all()


def test_csv_holds_the_same(exported: Path, table: pd.DataFrame) -> None:
    same = pd.read_csv(exported / "scores.csv", converters={"model_seed": str})
    pd.testing.assert_frame_equal(same, table, check_dtype=False)


def test_no_text_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    texts = ["=cmd()", "+1+1", "-x", "@A1", "\tx", "plain", "-5", "+0.5", None, "", "a=b"]
    table = harmless(pa.table({"unit": pa.array(texts, pa.string()), "value": pa.array([-1.5] * 11)}))
    expected = ["'=cmd()", "'+1+1", "'-x", "'@A1", "'\tx", "plain", "-5", "+0.5", None, "", "a=b"]
    assert table["unit"].to_pylist() == expected
    assert table["value"].to_pylist() == [-1.5] * 11


def test_one_table_is_in_memory_at_a_time(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every table is written before the next is read."""
    events: list[str] = []
    read = export_scores.read_table

    def reading(path: Path) -> pa.Table:
        events.append("read")
        return read(path)

    class Writer(pq.ParquetWriter):
        def write_table(self, table: pa.Table, row_group_size: int | None = None) -> None:
            events.append("write")
            super().write_table(table, row_group_size)

    monkeypatch.setattr(export_scores, "read_table", reading)
    monkeypatch.setattr(export_scores.pq, "ParquetWriter", Writer)
    assert main(["export", *SMALL, "--to", str(tmp_path / "scores.parquet"), f"store={store}"]) == 0
    assert events == ["read", "write"] * (len(events) // 2)
    assert len(events) > 20


def test_explanations_load_as_a_typed_dataset(
    store: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder = str(exported / "dataset")
    found = datasets.load_dataset(folder, split="test", cache_dir=str(tmp_path / "cache"))
    assert len(found) == 2 * 2 * 20 * 2  # seeds, explainers, texts, classes
    assert found.features.arrow_schema.remove_metadata() == SCHEMA
    row = found.filter(lambda row: row["explainer"] == "occlusion")[0]
    for token, (start, end) in zip(row["tokens"], row["offsets"], strict=True):
        assert row["texts"][0][start:end] == token
    assert len(row["scores"]) == len(row["tokens"])
    assert row["labels"][row["target"]] == row["target_label"]
    assert sum(row["probabilities"]) == pytest.approx(1)
    assert row["forward_rows"] > 0
    stored = pq.ParquetDataset(list(store.glob("cells/*/explanations/*.parquet"))).read()
    assert sorted(map(tuple, found["scores"])) == sorted(map(tuple, stored["scores"].to_pylist()))


def test_the_card_says_what_is_in_the_folder(exported: Path) -> None:
    _, front, text = (exported / "dataset" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    described = yaml.safe_load(front)
    assert described["license"] == "unknown"
    assert described["configs"][0]["data_files"] == [{"split": "test", "path": "data/*.parquet"}]
    for name in SCHEMA.names:
        assert f"| `{name}` |" in text
    assert "| planted_counting | maxpool | trained | 1 | occlusion | mask | 0 | 40 |" in text
    assert "assay run name=small" in text


def test_occlusion_comes_back_with_the_same_scores(store: Path, exported: Path, tmp_path: Path) -> None:
    """Exported, turned to JSON lines, imported model by model, and measured anew."""
    rows_of_all = pq.ParquetDataset(list((exported / "dataset" / "data").iterdir())).read().to_pylist()
    single = [text for text in SMALL if not text.startswith("seed=")]
    for seed in (0, 1):
        rows = [row for row in rows_of_all if (row["explainer"], row["model_seed"]) == ("occlusion", seed)]
        path = tmp_path / f"{seed}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        arguments = [str(path), "--format", "jsonl", "--as", "again", "--to", str(tmp_path / "imported")]
        assert main(["import", *arguments, "--by", "seed", *single, f"seed={seed}"]) == 0
    both = [text for text in SMALL if not text.startswith("explainer=")]
    both += ["explainer=[occlusion,again]", "name=both", f"store={store}"]
    imported = ["--config-dir", str(tmp_path / "imported")]
    assert main(["run", *imported, *both]) == 0
    scores = tmp_path / "both.parquet"
    assert main(["export", *imported, *both, "--to", str(scores)]) == 0
    found = pd.read_parquet(scores)
    assert set(found["metric"]) > {"faithfulness", "human_agreement", "rationale_consistency"}
    keys = ["model_seed", "metric", "removal", "part", "unit", "target"]
    own, again = (
        found.loc[found["explainer"] == name].set_index(keys)["value"].sort_index()
        for name in ("occlusion", "again")
    )
    assert len(own) > 500 and own.index.equals(again.index)
    np.testing.assert_allclose(again.to_numpy(), own.to_numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("option", "name"), [("--to", "scores.csv"), ("--explanations", "dataset")])
def test_an_export_is_replaced_only_when_asked(
    store: Path, exported: Path, capsys: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    again = ["export", *SMALL, option, str(exported / name), f"store={store}"]
    assert main(again) == 1
    assert "exists; give another name, or --overwrite" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 0


def test_a_folder_of_someone_elses_is_never_deleted(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    target = ["--explanations", str(tmp_path / "mine"), "--overwrite"]
    assert main(["export", *SMALL, *target, f"store={store}"]) == 1
    assert "was not written by this command" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(("option", "name"), [("--to", "scores.parquet"), ("--explanations", "dataset")])
def test_an_export_that_fails_leaves_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    def failing(*_: object) -> None:
        raise InputError("broken on purpose")

    monkeypatch.setattr(export_scores, "_tidy", failing)
    monkeypatch.setattr(export_explanations, "_offsets", failing)
    folder = tmp_path / "there"
    assert main(["export", *SMALL, option, str(folder / name), f"store={store}"]) == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --to FILE"),
        (["--to", "scores.xlsx"], "ends in .parquet or .csv"),
        (["--to", "scores.csv", "name=other", "task.test=23"], "nothing of experiment 'other' is scored yet"),
        (["--explanations", "folder", "task.test=23"], "nothing of experiment 'small' is explained yet"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *SMALL, f"store={store}", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_whole_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"), whole_file(tmp_path / "folder", overwrite=True):
        pass
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(InputError, match="cannot be written"),
        whole_file(tmp_path / "file" / "below", overwrite=True) as scratch,
    ):
        scratch.write_text("x")
    with whole_folder(tmp_path / "folder", mark="mark", overwrite=False) as scratch:
        (scratch / "mark").write_text("x")
    assert (tmp_path / "folder" / "mark").read_text() == "x"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_csv_is_read_by_the_plainest_reader(exported: Path) -> None:
    with (exported / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == export_scores.SCHEMA.names
    assert all(row["value"] == "" or np.isfinite(float(row["value"])) for row in rows)
