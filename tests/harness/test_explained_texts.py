"""Which texts are explained with a finished model, what is said of limits, cuts and texts without labels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from assay.harness.cli import main
from assay.harness.config.compose import configuration
from assay.harness.config.finished import is_finished, reads_training_texts
from assay.harness.storage.store import Store
from assay.harness.trials.census import outlooks
from assay.harness.trials.loading import limits_of, load_trial
from assay.harness.trials.plan import Trial
from assay.tasks.errors import InputError

WORDS = ("wonderful", "awful", "boring")
QUICK = ("report.bootstrap=20", "explainer=[random,occlusion]", "name=mine", "targets=predicted")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with 300 texts, the same without labels, and the same with some labels missing."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "text": f"the film seems {WORDS[n % 3]} with a story about the actor {n}",
            "label": ("pos", "neg", "neg")[n % 3],
            "why": json.dumps([[15, 15 + len(WORDS[n % 3])]]),
        }
        for n in range(300)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv("all.csv", index=False)
    frame.drop(columns=["label", "why"]).to_csv("unlabelled.csv", index=False)
    frame.assign(label=[None if n in (4, 9) else label for n, label in enumerate(frame["label"])]).to_csv(
        "some.csv", index=False
    )
    return tmp_path


@pytest.fixture
def finished(tiny_classifier_folder: Path) -> tuple[str, ...]:
    """A checkpoint that is explained as it is."""
    return "model=transformer", f"model.path={tiny_classifier_folder}", "model.training.epochs=0"


def _trial(*overrides: str) -> Trial:
    return load_trial(configuration(["task=local", *overrides]))


def _sizes(trial: Trial) -> tuple[int, int, int]:
    return len(trial.task.train), len(trial.task.dev), len(trial.task.test)


def test_all_texts_of_one_file_are_explained_with_a_finished_model(
    folder: Path, finished: tuple[str, ...]
) -> None:
    assert _sizes(_trial("task.path=all.csv", *finished)) == (0, 0, 300)
    twin = _trial("task.path=all.csv", *finished, "model.init_only=true")
    assert _sizes(twin) == (0, 0, 300)
    # Trained, or where shares or a limit are asked for, as it was.
    assert _sizes(_trial("task.path=all.csv", *finished[:2])) == (240, 30, 30)
    assert _sizes(_trial("task.path=all.csv", *finished, "task.fractions=[0.5,0.1,0.4]")) == (150, 30, 120)
    limited = _trial("task.path=all.csv", *finished, "limits.default.test=7")
    assert _sizes(limited) == (0, 0, 7) and limited.available == 300
    assert limits_of(_trial("task.path=all.csv", "model=cnn").config)["test"] == 200
    assert (
        limits_of(_trial("task.path=all.csv", "model=cnn", "limits.default.test=null").config)["test"] is None
    )


def test_a_test_file_is_enough_for_a_finished_model(folder: Path, finished: tuple[str, ...]) -> None:
    assert _sizes(_trial("task.test=all.csv", *finished)) == (0, 0, 300)
    assert _sizes(_trial("task.test=all.csv", *finished[:2], "model.init_only=true")) == (0, 0, 200)
    for trained in (finished[:2], ("model=cnn",), ("model=cnn", "model.init_only=true")):
        with pytest.raises(InputError, match=r"has no training texts, but model .*task\.train"):
            _trial("task.test=all.csv", *trained)
    with pytest.raises(InputError, match=r"set task\.train and task\.test .*, or task\.test alone"):
        _trial("task.path=.", *finished)


def test_a_large_file_is_previewed_as_it_is_explained(
    folder: Path, finished: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.tasks.local.LARGE_BYTES", 0)
    for where in ("task.path=all.csv", "task.test=all.csv"):
        (seen,), unread = outlooks([configuration(["task=local", where, *finished])], Store(folder / "store"))
        assert not unread and seen.sizes == (0, 0, 300)
    known, unread = outlooks(
        [configuration(["task=local", "task.test=all.csv", "model=cnn"])], Store(folder / "store")
    )
    assert not known and "has no training texts, but model 'cnn'" in unread[0]


MODULE = """
from assay.models.adapters import BlackBox
from assay.models.linear import Linear


def black_box(name):
    return BlackBox(lambda texts: [[0.5, 0.5]] * len(texts), labels=("neg", "pos"), fingerprint="1")


def trained(name, training):
    return Linear(name=name)
"""


def test_which_models_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "finishedmodels.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASSAY_TRUST", "finishedmodels")
    transformer = {"_target_": "assay.models.transformer.Transformer", "training": {"epochs": 0}}
    cnn = {"_target_": "assay.models.cnn.Cnn", "training": {"epochs": 0}}
    twin = {**transformer, "training": {"epochs": 3}, "init_only": True}
    black_box = {"_target_": "finishedmodels.black_box", "name": "mine"}
    own = {"_target_": "finishedmodels.trained", "name": "mine", "training": {"epochs": 3}}
    assert [is_finished(model) for model in (transformer, cnn, twin, black_box, own)] == [1, 0, 0, 1, 0]
    needs = [reads_training_texts(model) for model in (transformer, cnn, twin, black_box, own)]
    assert needs == [0, 1, 0, 0, 1]


def test_a_limit_in_force_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["task=planted", "task.test=230", "task.train=60", "task.dev=20", "model=linear", *QUICK]
    settings += ["model.training.epochs=1", f"store={folder / 'store'}"]
    said = "planted / linear: 200 of 230 texts are explained; limits.default.test=null explains all"
    assert main(["plan", *settings]) == 0
    assert f"Limits:\n  {said}" in capsys.readouterr().out
    assert main(["run", *settings, "metric=[compute_time]"]) == 0
    assert said in capsys.readouterr().out
    page = (folder / "store/experiments/mine/report.html").read_text()
    assert f"<p>{said}.</p>" in page
    sizes = re.findall(r'<td class="number">(\d+)</td>', page[page.index("Tasks: numbers of texts") :])
    assert sizes[:4] == ["60", "20", "230", "200"]
    assert main(["plan", *settings, "limits.default.test=null"]) == 0
    assert "texts are explained" not in capsys.readouterr().out


def test_texts_without_labels_are_explained_and_scored_on_what_needs_none(
    folder: Path, finished: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        "task=local",
        "task.path=unlabelled.csv",
        "task.label=null",
        "task.labels=[neg,pos]",
        *finished,
    ]
    settings += [*QUICK, "limits.default.test=12", "baseline=[mask,mean]", "baseline@removal=[mean,mask]"]
    settings.append("targets=all")
    metrics = ["metric=[human_agreement,faithfulness,comprehensiveness,compute_time]"]
    assert main(["run", *settings, *metrics, f"store={folder / 'store'}"]) == 0
    out = capsys.readouterr().out
    assert "local / transformer: the texts have no labels, so nothing is said of how good the model is" in out
    assert "occlusion (mean): baseline 'mean' is made from training texts, and the task has none" in out
    assert "'mean' is made from training texts, and the task has none; choose another baseline@removal" in out
    (record,) = (folder / "store").glob("trials/*/trial.json")
    stored = json.loads(record.read_text())
    assert [stored[name] for name in ("accuracy", "macro_f1", "micro_f1")] == [None, None, None]
    assert stored["label_accuracy"] == stored["f1"] == {}
    table = pd.read_csv(folder / "store/experiments/mine/comparison.csv")
    scored = table[table["value"].notna() & (table["explainer"] == "occlusion")]
    assert {"compute_time", "comprehensiveness[mask]"} <= set(scored["metric"])
    assert {"faithfulness", "human_agreement"}.isdisjoint(scored["metric"])
    slices = folder / "store/experiments/mine/slices.csv"
    assert not slices.exists() or "model wrong" not in slices.read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["task.path=unlabelled.csv"], "has no column 'label'; .*; for texts without labels set label=null"),
        (
            ["task.path=unlabelled.csv", "task.label=null"],
            r"labels is None; expected .* labels=\[no,",
        ),
        (
            ["task.path=some.csv"],
            r"some\.csv, line 6: column 'label' holds no label, as in 2 of 300 rows;",
        ),
        (
            ["task.path=all.csv", "task.label=null", "task.labels=[neg,pos]", "task.rationale=why"],
            "line 2: column 'why' does not say of which label, and the text has none",
        ),
        (
            ["task.path=all.csv", "task.label=null", "task.labels=[neg,pos]", "targets=gold"],
            "targets=gold explains the labels of texts, but those of task 'local' have none",
        ),
        (
            ["task.path=all.csv", "task.label=null", "task.labels=[neg,pos]", "task.fractions=[0.8,0.1,0.1]"],
            r"texts without labels \(label=null\) cannot train a model; name the column",
        ),
    ],
)
def test_texts_without_labels_that_are_refused(
    folder: Path, finished: tuple[str, ...], settings: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _trial(*finished, *settings)


def test_what_is_cut_is_counted_and_said(
    folder: Path, finished: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["task=local", "task.path=all.csv", "task.rationale=why", *finished, "metric=[compute_time]"]
    settings += [*QUICK, "limits.default.test=12", f"store={folder / 'store'}", "model.over_limit=truncate"]
    assert main(["run", *settings, "model.max_tokens=7"]) == 0
    out = capsys.readouterr().out
    (record,) = (folder / "store").glob("trials/*/trial.json")
    cut = json.loads(record.read_text())["cut"]
    # [CLS] the film seems, two pieces, [SEP]: "wonderful" and "boring" are longer than the two pieces or not.
    assert cut["texts"] == cut["marked"] == 12 and cut["wholly"] == 0
    assert f"12 of 12 texts are longer than the model reads and were cut, by {cut['tokens']} of " in out
    assert f" of {cut['of_tokens']:,} tokens" in out and cut["of_tokens"] > cut["tokens"] > 0
    assert main(["run", *settings, "model.max_tokens=5"]) == 0
    out = capsys.readouterr().out
    assert "of 12 texts with rationales, 12 keep no marked word and 0 lose a part" in out
    left = ["model.max_tokens=7", "model.truncate_side=left"]
    assert main(["run", *settings, *left]) == 0
    assert "12 keep no marked word" in capsys.readouterr().out
    assert len(list((folder / "store").glob("trials/*/trial.json"))) == 3
