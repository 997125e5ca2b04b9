"""A card and a report on several labels per text: limits and baselines by label, and few negatives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.harness.cli import main

LABELS = ("joy <u>", "fear", "neutral")
ODD = '=1+1 <script>alert(1)</script> & "quotes"'
WORDS = ("fine", "awful", "usual")


def write(folder: Path) -> None:
    """GoEmotions' files: of three labels the last has three texts."""
    for split, count in (("train", 60), ("dev", 12), ("test", 24)):
        places = [2 if n < 3 else n % 2 for n in range(count)]
        lines = [
            f"a {WORDS[p]} day {'it was' if p != 1 else f'w{n} x{n} y{n} z{n} u{n}'}\t{p}\t{split}{n}\n"
            for n, p in enumerate(places)
        ]
        lines += [f"{ODD} fine\t0\todd\n"] if split == "test" else []
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(LABELS), encoding="utf-8")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    write(folder)
    overrides = [
        *("name=labels", "task=goemotions", f"task.path={folder}", "model=linear", "seed=0"),
        *("model.training.epochs=20", "model.training.learning_rate=0.05", "targets=all"),
        *("explainer=[random,integrated_gradients]", "explainer.integrated_gradients.steps=4"),
        *("baseline=[pad,mean,negatives,random]", "baseline.random.draws=2", "report.bootstrap=50"),
        *("baseline@removal=[mask,delete]", "metric=[faithfulness,completeness,compute_time]"),
        f"store={folder / 'store'}",
    ]
    assert main(["run", *overrides]) == 0
    return folder / "store"


def test_the_report_has_every_label_under_every_two_baselines(store: Path) -> None:
    text = (store / "experiments" / "labels" / "baseline_sensitivity.md").read_text(encoding="utf-8")
    (table,) = [part for part in text.split("**") if part.lstrip().startswith("| label | texts | pad / mean")]
    rows = [line.split(" | ")[0] for line in table.strip().splitlines()[2:]]
    assert rows == ["| all together", "| joy \\<u\\>", "| fear", "| neutral"]
    assert "## Negatives: warnings" in text and "negatives of 'joy \\<u\\>' is drawn from 32" in text
    assert "How far do explanations hang on the baseline?" in (
        store / "experiments" / "labels" / "report.html"
    ).read_text(encoding="utf-8")


def test_the_card_limits_labels_and_warns_of_negatives(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["card", "labels", f"store={store}", "--json", "--explainer", "integrated_gradients"]
    capsys.readouterr()
    assert main([*given, "--baseline", "negatives"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    limits = {one["label"]: {limit["kind"] for limit in one["limits"]} for one in card["limits"]}
    assert "few texts" in limits["neutral"] and "few texts" not in limits["joy <u>"]
    assert {one["metric"] for one in card["limits"][0]["values"]} >= {"faithfulness", "completeness"}
    assert any("fewer than 50" in warning for warning in card["warnings"])
    assert [one["label"] for one in card["sensitivity"]] == ["", *LABELS]
    assert card["about"]["settings"]["task"]["path"].startswith("<labels")
    capsys.readouterr()
    assert main([*given, "--baseline", "pad"]) == 0
    (other,) = json.loads(capsys.readouterr().out)
    assert not any("negatives of" in warning for warning in other["warnings"])


def test_texts_of_users_are_inert_in_a_bundle(store: Path, tmp_path: Path) -> None:
    assert main(["audit", str(tmp_path / "bundle"), "labels", f"store={store}", "--by", ODD]) == 0
    (decisions,) = (tmp_path / "bundle" / "decisions").iterdir()
    (row,) = [line for line in decisions.read_text("utf-8").splitlines() if line.startswith("odd,")]
    assert row.startswith("odd,\"'=1+1 <script>")
    pages = [path for path in (tmp_path / "bundle").rglob("*") if path.suffix in (".html", ".md")]
    assert len(pages) > 10
    for path in pages:
        text = path.read_text("utf-8")
        assert "<script>alert" not in text and "<u>" not in text, path
