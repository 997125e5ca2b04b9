"""Labels that were voted for, from a file to what is said of the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from assay.harness.cli import main
from assay.models.report import vote_distance


def test_the_distance_is_the_mean_total_variation_over_texts_with_votes() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    shares = [(1.0, 0.0, 0.0), (0.2, 0.2, 0.6), ()]
    found = vote_distance(probabilities, shares)
    assert found is not None and found.texts == 2
    assert found.model == pytest.approx((0.5 + 0.1) / 2)
    # The mean share is .6, .1, .3.
    assert found.constant == pytest.approx((0.4 + 0.4) / 2)
    assert vote_distance(probabilities, [(), (), ()]) is None


def test_the_run_and_the_report_say_how_far_the_model_is_from_the_votes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, rows = np.random.default_rng(0), []
    for at in range(200):
        words = [*rng.choice(["the", "film", "was", "seen"], size=4), ("awful", "great")[at % 2]]
        votes = {"neg": 1 + 3 * (1 - at % 2), "pos": 1 + 3 * (at % 2)}
        rows.append({"text": " ".join(words), "label": votes})
    (tmp_path / "votes.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run = [
        *("run", "name=votes", "task=local", f"task.path={tmp_path / 'votes.jsonl'}", "model=maxpool"),
        *("model.training.epochs=3", "explainer=[random,occlusion]", "metric=[sparsity]"),
        *("report.bootstrap=20", f"store={tmp_path / 'store'}"),
    ]
    assert main(run) == 0
    said = capsys.readouterr().out
    assert "labels were voted for, and that with most votes is the gold label" in said
    (record,) = (tmp_path / "store").glob("trials/*/trial.json")
    votes = json.loads(record.read_text(encoding="utf-8"))["votes"]
    assert votes["texts"] == 20 and 0 < votes["model"] < 1
    # Of shares .2 and .8, as many of each, the mean is .5.
    assert votes["constant"] == pytest.approx(0.3, abs=0.05)
    assert f"are {votes['model']:.3f} from the shares of votes" in said
    page = (tmp_path / "store" / "experiments" / "votes" / "report.html").read_text(encoding="utf-8")
    assert "distance from votes" in page
