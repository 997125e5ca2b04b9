"""Experiment trackers: how each is given one finished run. None is a dependency of Assay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree


@dataclass(frozen=True, slots=True)
class Run:
    """id: of its content, never of the moment. title: for people."""

    id: str
    title: str
    parameters: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Tracker:
    """module: what must be installed. write: leave a run of an experiment in a folder; a second time it takes
    the place of the first."""

    module: str
    write: Callable[[Run, str, Path], None]


def _mlflow(run: Run, experiment: str, folder: Path) -> None:
    """Into folder/mlflow.db; to look at: mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db"""
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
    from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    existing = client.get_experiment_by_name(experiment)
    artifacts = (folder / "artifacts").as_uri()
    id = existing.experiment_id if existing else client.create_experiment(experiment, artifacts)
    # Parameters of a run cannot change, and metrics would grow a history.
    for old in client.search_runs([id], filter_string=f"tags.`assay.id` = '{run.id}'"):
        client.delete_run(old.info.run_id)
    new = client.create_run(id, run_name=run.title, tags={"assay.id": run.id}).info
    client.log_batch(
        new.run_id,
        metrics=[Metric(name, value, new.start_time, 0) for name, value in run.metrics.items()],
        params=[Param(name, value) for name, value in run.parameters.items()],
    )
    client.set_terminated(new.run_id)


def _wandb(run: Run, experiment: str, folder: Path) -> None:
    """Into folder/wandb/offline-run-*-ID; to send: wandb sync FOLDER/wandb/offline-run-*"""
    import wandb  # pyright: ignore[reportMissingImports]

    for old in (folder / "wandb").glob(f"offline-run-*-{run.id}"):
        rmtree(old)
    settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
    with wandb.init(
        project=experiment,
        id=run.id,
        name=run.title,
        config=run.parameters,
        dir=folder,
        mode="offline",
        resume="allow",
        settings=settings,
    ) as offline_run:
        offline_run.log(run.metrics)


def _tensorboard(run: Run, experiment: str, folder: Path) -> None:
    """Into a folder for the run, scalars and hyperparameters; to look at: tensorboard --logdir FOLDER"""
    from torch.utils.tensorboard import SummaryWriter

    own = folder / experiment / f"{re.sub(r'[^a-zA-Z0-9_.]+', '-', run.title)}-{run.id}"
    if own.exists():
        rmtree(own)
    with SummaryWriter(str(own)) as writer:
        # "." keeps the metrics, which go with them, in the run's own folder.
        writer.add_hparams(run.parameters, run.metrics, run_name=".")


TRACKERS = {
    "mlflow": Tracker("mlflow", _mlflow),
    "wandb": Tracker("wandb", _wandb),
    "tensorboard": Tracker("tensorboard", _tensorboard),
}
