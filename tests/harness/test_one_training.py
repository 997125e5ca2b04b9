"""Of two jobs that need the same training one trains; the other waits for it and reads what it left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import assay.explainers.marginal.mlm
import assay.harness.trials.trained_gates
import assay.harness.trials.trial
import assay.models.training
from assay.explainers.masks.diffmask import DiffMask, TrainedDiffMask
from assay.explainers.masks.gates import StoredGates
from assay.harness.storage import locks
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.masked_lms import to_train, trained_mlm
from assay.harness.trials.plan import Trial
from assay.harness.trials.trained_gates import with_gates
from assay.harness.trials.trial import load_model, trained_model
from assay.models.saving import weights_hash

SMALL = [
    *("name=once", "task=planted_counting", "task.train=80", "task.dev=20", "task.test=4"),
    *("task.length=[6,6]", "model=vmask_cnn", "model.dimensions=8", "model.channels=4"),
    *("model.training.epochs=1", "model.base_training.epochs=1", "metric=[sparsity]"),
    *("explainer=[diffmask,input_marginalization]", "baseline=[mlm]"),
    *("explainer.diffmask.steps=3", "explainer.diffmask.batch_size=8"),
    *("baseline.mlm.trained.dimensions=8", "baseline.mlm.trained.units=6", "baseline.mlm.trained.layers=1"),
    "baseline.mlm.trained.training.epochs=1",
]


def _model(trial: Trial, store: Store) -> str:
    return trained_model(trial, store)[1]


def _masked_lm(trial: Trial, store: Store) -> str:
    (baseline,) = to_train(trial.choice)
    engine = load_model(trial, store).engine
    return weights_hash(cast(Any, trained_mlm(baseline, engine, trial.task.train, trial.task.dev, store)[0]))


def _gates(trial: Trial, store: Store) -> str:
    (explainer,) = [m.explainer for m in trial.choice.methods if isinstance(m.explainer, DiffMask)]
    loaded = load_model(trial, store)
    found = cast(
        TrainedDiffMask, with_gates(explainer, loaded.engine, loaded.weights, trial, loaded.store or store)
    )
    return weights_hash(cast(Any, StoredGates(None, found.gates)))


def test_a_masked_model_whose_second_stage_was_stopped_is_not_trained_from_its_first_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_experiment([*SMALL, f"store={tmp_path / 'whole'}"])
    expected = trained_model(load_trials(whole)[0], whole.store)[1]
    experiment = open_experiment([*SMALL, f"store={tmp_path / 'stopped'}"])
    (trial,) = load_trials(experiment)
    epoch, stages = assay.models.training._one_epoch, list[str]()

    def stop(*arguments: Any) -> Any:
        stages.append("base" if arguments[6][1] is None else "masked")
        if len(stages) == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(assay.models.training, "_one_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        trained_model(trial, experiment.store)
    # The end of the first stage, and neither a model nor a claim.
    (left,) = (tmp_path / "stopped").glob("models/*")
    assert left.name == f".{trial.model_key}.training.base"
    assert not list((tmp_path / "stopped").glob("claims/*"))
    assert trained_model(trial, experiment.store)[1] == expected
    assert stages == ["base", "masked", "masked"]
    assert not list((tmp_path / "stopped").glob("models/.*"))


@pytest.mark.parametrize(
    ("module", "train", "need"),
    [
        # Both stages of it are one training.
        (assay.harness.trials.trial, "fit", _model),
        (assay.explainers.marginal.mlm, "train_mlm", _masked_lm),
        (assay.harness.trials.trained_gates, "train_gates", _gates),
    ],
    ids=["model", "masked language model", "gates"],
)
def test_the_second_job_waits_for_the_claim_and_trains_nothing(
    module: Any,
    train: str,
    need: Callable[[Trial, Store], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment = open_experiment([*SMALL, f"store={tmp_path}"])
    (trial,) = load_trials(experiment)
    if need is not _model:
        load_model(trial, experiment.store)
    begun, waited, trainings = threading.Event(), threading.Event(), list[str]()
    original, sleep = getattr(module, train), locks.time.sleep

    def slowly(*arguments: Any, **options: Any) -> Any:
        trainings.append(threading.current_thread().name)
        begun.set()
        # Until the other job has found the claim taken.
        assert waited.wait(60)
        return original(*arguments, **options)

    def pause(seconds: float) -> None:
        waited.set()
        sleep(min(seconds, 0.05))

    monkeypatch.setattr(module, train, slowly)
    monkeypatch.setattr(locks.time, "sleep", pause)
    found: dict[str, str] = {}

    def job() -> None:
        found[threading.current_thread().name] = need(trial, experiment.store)

    first, second = (threading.Thread(target=job, name=name) for name in ("first", "second"))
    first.start()
    assert begun.wait(60)
    second.start()
    for thread in (first, second):
        thread.join(120)
    assert trainings == ["first"]
    assert set(found) == {"first", "second"} and len(set(found.values())) == 1
    assert not list(tmp_path.glob("claims/*")) and not list(tmp_path.glob("models/.*"))
