"""`assay recommend` and `assay.recommend` on a small planted experiment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.harness.cli import main
from assay.harness.command_line import reports
from assay.harness.reporting.completeness import Completeness
from assay.harness.reporting.missing import cells_of_trial
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import read_table
from assay.models.engine import Engine
from assay.results.recommendation.answer import agreement
from assay.results.recommendation.recommendation import Recommendation
from assay.results.records import Group, Method

NAME = "planted_small"


# Of a finished experiment on a linear model with two seeds, measured with two removal operators.
OVERRIDES = (
    *("task=planted", "task.train=300", "task.dev=40", "task.test=60"),
    *("model=linear", "model.training.epochs=8", "seed=0,1", "report.bootstrap=50"),
    *("explainer=[gold,random,input_x_gradient_mean,occlusion,lime]", "explainer.lime.rows=30"),
    *("baseline=[mask]", "baseline@removal=[mask,delete]"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished experiment on a linear model with two seeds, measured with two removal operators."""
    folder = tmp_path_factory.mktemp("recommend") / "store"
    overrides = [
        f"name={NAME}",
        *OVERRIDES,
        f"store={folder}",
        "metric=[human_agreement,faithfulness,compute_time]",
    ]
    assert main(["run", *overrides]) == 0
    return folder


@pytest.fixture(scope="module")
def runs(store: Path) -> assay.Runs:
    return assay.load(store, NAME)


def answer(store: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    """The exit status and the object of --json."""
    capsys.readouterr()
    status = main(["recommend", NAME, f"store={store}", "--json", *options])
    out = capsys.readouterr().out
    return status, json.loads(out) if out else None


def names(group: dict[str, Any]) -> set[str]:
    return {one["explainer"] for one in group["methods"]}


def test_it_answers_each_group_without_asking_a_model(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(Engine, "__init__", asked)
    status, said = answer(store, capsys)
    assert (status, said["told"], len(said["groups"])) == (0, True, 1)
    for group in said["groups"]:
        assert names(group) <= {"input_x_gradient_mean", "occlusion", "lime"} and group["texts"] == 60
    capsys.readouterr()
    assert main(["recommend", NAME, f"store={store}"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("planted / linear\n  Use ") and "95 % interval" in text


def test_who_gives_all_tokens_one_score_is_not_recommended(store: Path) -> None:
    """saliency_l2 of a linear model: one weight's length per word, whatever the word."""
    chosen = ["explainer=[gold,random,saliency_l2,lime]", "metric=[human_agreement,faithfulness]"]
    assert main(["run", *OVERRIDES, *chosen, "name=constant", f"store={store}"]) == 0
    (one,) = assay.recommend(assay.load(store, "constant")).of
    left_out = {each.method.explainer: each.violations[0].reason for each in one.excluded}
    assert left_out == {"saliency_l2": "gives all tokens one score in all 60 texts"}
    assert "saliency_l2" not in {method.explainer for method in one.methods}


def test_what_recommendations_have_in_common_is_named_once_and_of_those_that_are_told() -> None:
    group = Group("one", "linear", "trained")
    told = Recommendation(group, "", (Method("lime", "mask"),))
    refused = Recommendation(group, "one operator", (Method("lime", "mask"), Method("occlusion", "mask")))
    said = "One recommendation: lime with baseline mask; 1 of 2 cannot be told."
    assert agreement([told, refused]) == agreement([refused, told]) == said


def test_models_are_counted_not_pairs_of_them(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rationale consistency has one value per pair of models."""
    paired = ["metric=[human_agreement,faithfulness,rationale_consistency]", f"store={store}"]
    assert main(["run", *OVERRIDES, *paired, "name=paired"]) == 0
    (one,) = assay.recommend(assay.load(store, "paired")).of
    assert one.models == 2


def test_a_report_ends_with_the_verdict_and_long_tables_stay_in_their_file(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["report", NAME, f"store={store}"]) == 0
    short = capsys.readouterr().out
    monkeypatch.setattr(reports, "MOST_LINES", 5)
    assert main(["report", NAME, f"store={store}"]) == 0
    long = capsys.readouterr().out
    verdict = (store / "experiments" / NAME / "verdict.txt").read_text(encoding="utf-8")
    said = str(assay.recommend(assay.load(store, NAME)))
    for line in verdict.splitlines():
        assert line.partition(": ")[2] in said
    last = f"{verdict}Why, and how sure that is: assay recommend {NAME}\n\n"
    assert last in short and last in long
    assert "texts × models" in short and "texts × models" not in long
    assert "Tables: " in long and "Tables: " not in short


def test_an_unfinished_run_says_so_first_and_has_no_answer_unless_one_is_asked_for(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without what one explainer said of one of the models."""
    stopped = tmp_path / "store"
    shutil.copytree(store, stopped)
    loaded = assay.load(stopped, NAME)
    (lime, *_) = [
        cell
        for cell in cells_of_trial(loaded.trials[0], loaded.experiment.store)
        if cell.method.explainer_name == "lime"
    ]
    shutil.rmtree(loaded.experiment.store.cell(lime.key))
    # Of two seeds of five explainers.
    said = f"The experiment {NAME!r} is not complete: 1 of 10 parts is missing; this is about what is there"
    status, found = answer(stopped, capsys)
    assert (status, found["told"]) == (1, False) and found["incomplete"].startswith(said)
    status, found = answer(stopped, capsys, "--partial")
    assert (status, found["told"]) == (0, True) and found["incomplete"].startswith(said)
    assert main(["recommend", NAME, f"store={stopped}"]) == 1
    assert capsys.readouterr().out.startswith(said)
    runs = assay.load(stopped, NAME)
    without, partial = assay.recommend(runs), assay.recommend(runs, partial=True)
    assert not without.told and partial.told and without.of == partial.of
    assert str(without).startswith(said) and without.incomplete == partial.incomplete
    # What has a verdict of everything is written again.
    assert main(["report", NAME, f"store={stopped}"]) == 1
    assert f"\n{said}" in capsys.readouterr().out
    folder = stopped / "experiments" / NAME
    assert (folder / "verdict.txt").read_text(encoding="utf-8").startswith(said)
    first = (folder / "report.html").read_text(encoding="utf-8").partition('<div class="alert"')[2]
    assert "is not complete: 1 of" in first.partition("</div>")[0]
    # Of all that is there nothing is said.
    assert answer(store, capsys)[1]["incomplete"] == ""


@pytest.mark.parametrize(
    "missing, failed, words",
    [
        (0, 0, ""),
        (1, 0, "1 of 109 parts is missing"),
        (83, 0, "83 of 109 parts are missing"),
        (0, 2, "2 of 109 parts failed"),
        (83, 2, "83 of 109 parts are missing and 2 failed"),
    ],
)
def test_what_is_missing_and_what_failed_are_counted(missing: int, failed: int, words: str) -> None:
    found = Completeness("quick", 109, missing, failed, scored=True)
    assert found.left == words
    said = f"The experiment 'quick' is not complete: {words}; this is about what is there"
    assert found.sentence == (f"{said} (see assay status quick)." if words else "")


def test_constraints_leave_out_what_violates_them(runs: assay.Runs) -> None:
    every = {"input_x_gradient_mean", "occlusion", "lime"}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"gradients": False}, {"occlusion", "lime"}),
        ({"deterministic": True, "rows": 500}, {"input_x_gradient_mean", "occlusion"}),
        ({"rows": 5}, {"input_x_gradient_mean"}),
    ]
    for limits, kept in cases:
        (one,) = assay.recommend(runs, **limits).of
        assert {each.method.explainer for each in one.ranking} <= kept
        assert {each.method.explainer for each in one.excluded} == every - kept
    for found in (assay.recommend(runs, additive=True), assay.recommend(runs, multi_label=True)):
        assert not found.told and found.of[0].refused == "all violate"


def test_latency_is_the_upper_limit_of_the_stored_times(store: Path, runs: assay.Runs) -> None:
    seconds = []
    for folder in store.glob("cells/*"):
        files = StoredCell(folder).seconds_parts()
        parts = [read_table(path, ["seconds"])["seconds"].to_numpy() for path in files]
        # Of 60 texts the limit is the slowest.
        seconds.append(float(np.concatenate(parts).max()))
    (one,) = assay.recommend(runs, latency=max(seconds) * 1.0001).of
    assert not one.excluded and "texts share batches" in one.latency
    (one,) = assay.recommend(runs, latency=1e-9).of
    assert one.refused == "all violate"


def test_measured_now(runs: assay.Runs) -> None:
    found = assay.recommend(runs, latency=60, memory=100_000, measure=True)
    assert found.told and not found.of[0].excluded
    assert "alone on this machine just now" in found.of[0].latency


@pytest.mark.parametrize(
    "options, words",
    [
        (["--weight", "faithfullness=1"], "did you mean 'faithfulness'"),
        (["--weight", "faithfulness"], "expected PROPERTY=NUMBER"),
        (["--weight", "faithfulness=0"], "all weights are 0"),
        (["--rows", "0"], "expected a number above 0"),
        (["--memory", "5"], "add --measure"),
        (["name=other"], "no scores yet"),
    ],
)
def test_bad_usage(store: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    if options == ["name=other"]:
        options = ["limits.default.test=7"]
    assert main(["recommend", NAME, f"store={store}", *options]) == 2
    assert words in capsys.readouterr().err


def test_an_unknown_experiment_is_bad_usage(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", "planted_smal", f"store={store}"]) == 2
    assert f"did you mean '{NAME}'" in capsys.readouterr().err


def test_python_says_what_the_command_says(
    store: Path, runs: assay.Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = answer(store, capsys, "--weight", "human_agreement=1", "--rows", "500")
    found = assay.recommend(runs, {"human agreement": 1.0}, rows=500)
    assert json.loads(json.dumps(found.records())) == said["groups"] and found.told == said["told"]


def test_scores_at_hand() -> None:
    task = assay.task("planted", train=200, dev=20, test=60)
    model = assay.fit("linear", task)
    found = assay.explain(model, task.test, ["occlusion", "input_x_gradient_mean", "random"], baseline="mask")
    scores = assay.score(found, ["faithfulness", "human_agreement"], removal=["mask", "delete"])
    advice = assay.recommend(scores, {"human agreement": 1.0}, gradients=False, latency=1000.0)
    (one,) = advice.of
    assert [method.explainer for method in one.methods] == ["occlusion"]
    assert [each.method.explainer for each in one.excluded] == ["input_x_gradient_mean"]
    assert str(advice).startswith("planted / linear\n  Use occlusion with baseline mask")
    # By the metric that shares its operator alone, it cannot be told.
    alone = assay.score(found, "faithfulness", removal="mask")
    assert assay.recommend(alone, gradients=False).of[0].refused == "one operator"
    with pytest.raises(assay.InputError, match="has no scores"):
        assay.recommend("scores")
    with pytest.raises(assay.InputError, match=r"assay\.load"):
        assay.recommend(scores, measure=True)
