"""Launchers on one machine leave the bytes of a run in one process; what they lack is said in a sentence."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_runs import ROOT, Assay, tables, wait_until

from assay.harness.storage.locks import started
from assay.harness.trials.launch import check_launcher
from assay.tasks.errors import InputError


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("plugin", "overrides"),
    [
        ("hydra_joblib_launcher", ("hydra/launcher=workstation", "hydra.launcher.n_jobs=2")),
        ("hydra_joblib_launcher", ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")),
        ("hydra_ray_launcher", ("hydra/launcher=ray_local", "hydra.launcher.ray.init.num_cpus=2")),
    ],
    ids=["workstation", "joblib", "ray_local"],
)
def test_processes_on_one_machine_leave_the_same_bytes(
    assay: Assay, expected: dict[str, bytes], tmp_path: Path, plugin: str, overrides: tuple[str, ...]
) -> None:
    pytest.importorskip(f"hydra_plugins.{plugin}")
    assay.run(tmp_path, *overrides)
    assert tables(tmp_path) == expected


def test_a_launcher_that_is_not_installed_is_named() -> None:
    program = """
import sys
for name in ("joblib", "submitit", "ray"):
    sys.modules[f"hydra_plugins.hydra_{name}_launcher"] = None
from assay.harness.config.compose import configuration
from assay.tasks.errors import InputError
for name in ("workstation", "slurm", "ray_local", "ray_cluster"):
    try:
        configuration([f"hydra/launcher={name}"])
    except InputError as error:
        print(name, str(error).partition("run: ")[2], sep=": ")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout.splitlines() == [
        "workstation: pip install hydra-joblib-launcher",
        "slurm: pip install hydra-submitit-launcher",
        "ray_local: pip install hydra-ray-launcher",
        "ray_cluster: pip install hydra-ray-launcher",
    ]


def test_a_store_that_jobs_on_a_ray_cluster_would_not_find_is_refused() -> None:
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    with pytest.raises(InputError, match="'assay-store' is a relative path"):
        check_launcher(["hydra/launcher=ray_cluster"])
    check_launcher(["hydra/launcher=ray_cluster", "store=/shared/assay-store"])
    check_launcher(["hydra/launcher=ray_local"])
    check_launcher([])


def test_a_slurm_job_counts_as_lost_when_its_array_has_left_the_queue() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    from assay.harness.trials.slurm_queue import QueueWatcher

    def ended(queue: str) -> list[bool]:
        watcher = QueueWatcher()
        for job in ("7_0", "7_1"):
            watcher.register_job(job)
        watcher._info_dict.update(watcher.read_info(queue))
        return [watcher.is_done(job, mode="cache") for job in ("7_0", "7_1")]

    assert ended("7\n7\n9\n") == [False, False]
    assert ended("7\n") == [False, False]  # one of them is gone, but the sweep waits for the other
    assert ended("77\n9\n") == [True, True]
    assert ended("") == [True, True]


@pytest.mark.cluster
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_the_workers_of_joblib_end_with_the_run(assay: Assay, tmp_path: Path, how: signal.Signals) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    overrides = ("hydra/launcher=workstation", "hydra.launcher.n_jobs=2")
    run = assay.start("run", tmp_path, *overrides, slow=0.2)
    wait_until(lambda: len(list(tmp_path.glob("claims/*.json"))) >= 2, "two workers at work")
    claims = [json.loads(path.read_text()) for path in tmp_path.glob("claims/*.json")]
    workers = {claim["process"] for claim in claims} - {run.pid}
    assert workers
    run.send_signal(how)
    wait_until(lambda: not any(map(started, workers)), "the workers' end", 20)
    run.communicate(timeout=60)
    assert not list(tmp_path.glob("claims/*.json"))
