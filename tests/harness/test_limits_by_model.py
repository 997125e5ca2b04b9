"""Limits of one model: set on the command line, checked, and filled up with those of all models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from assay.harness.cli import main
from assay.harness.config.compose import configuration, configurations, sweep
from assay.harness.config.ranges import check_ranges
from assay.harness.config.schema import CONTROLS
from assay.harness.trials.loading import limits_of
from assay.tasks.errors import InputError

DEFAULT = "limits.default={train:40,dev:20,test:6}"


@pytest.mark.parametrize("added", ["", "+", "++"])
def test_a_model_has_its_own_limit_and_else_that_of_all(added: str) -> None:
    config = configuration(["model=cnn", DEFAULT, f"{added}limits.cnn.test=10"])
    check_ranges(config, CONTROLS)
    assert limits_of(config) == {"train": 40, "dev": 20, "test": 10}
    other = configuration(["model=lstm", DEFAULT, f"{added}limits.cnn.test=10"])
    assert limits_of(other) == {"train": 40, "dev": 20, "test": 6}
    everything = configuration(["model=cnn", DEFAULT, f"{added}limits.cnn={{test:null,train:7}}"])
    assert limits_of(everything) == {"train": 7, "dev": 20, "test": None}


def test_what_an_experiment_says_of_a_model_is_changed_split_by_split() -> None:
    study = "experiment=diagnostic_study"
    config = configuration([study, "model=minilm", "limits.minilm.test=7"])
    assert limits_of(config) == {"train": 4000, "dev": 500, "test": 7}


def test_limits_of_a_model_can_be_swept() -> None:
    crossed = sweep(["model=cnn,linear", DEFAULT, "limits.cnn.test=3,5"])
    found = [(str(one.model.name), limits_of(one)["test"]) for one in configurations(crossed)]
    assert sorted(found) == [("cnn", 3), ("cnn", 5), ("linear", 6), ("linear", 6)]
    assert all("limits.cnn.test" in one.axes for one in configurations(crossed))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("limits.cnn.test=0", "limits.cnn.test is 0; expected a whole number, at least 1"),
        ("limits.cnn.test=few", "limits.cnn.test is few; expected"),
        ("limits.cnn.train=auto", "limits.cnn.train is auto; expected"),
        ("limits.cnn.tset=5", r"there is no setting 'limits.cnn.tset'; did you mean 'test'"),
        ("+limits.default.tset=5", r"there is no setting 'limits.default.tset'"),
        ("limits.cnn=5", "limits.cnn is 5; expected numbers, as in limits.cnn.test=50"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_ranges(configuration(["model=cnn", override]), [])


def test_a_run_explains_as_many_texts_as_its_model_may(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["task=planted", "model=linear", "model.training.epochs=1", "explainer=[saliency_l1]"]
    limits = [DEFAULT, "limits.linear.test=4"]
    store = tmp_path / "store"
    assert main(["run", *chosen, "metric=[entropy]", *limits, f"store={store}"]) == 0
    assert pd.read_csv(store / "experiments/trial/comparison.csv")["n_texts"].tolist() == [4]
    assert "limits.linear.test=null explains all" in capsys.readouterr().out
    assert main(["run", *chosen, "metric=[entropy]", "limits.lniear.test=4", f"store={store}"]) == 1
    assert "limits names the model 'lniear'; did you mean 'linear'" in capsys.readouterr().err
