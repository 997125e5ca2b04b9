"""A real SLURM of two nodes on this machine: the same bytes, whether its jobs are left alone or ended."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cluster_runs import ROOT, Assay, finish, parts, tables, wait_until

pytestmark = pytest.mark.cluster

LAUNCHER = (
    "hydra/launcher=slurm",
    "hydra.launcher.mem_gb=1",
    # A node for each job.
    "+hydra.launcher.additional_parameters.exclusive=true",
)
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ACCOUNTING = ("slurmdbd", "mariadbd")


@dataclass(frozen=True, slots=True)
class Slurm:
    """A running SLURM and the command line that finds it."""

    folder: Path
    assay: Assay

    def local(self, *arguments: str) -> None:
        """Run the script that starts, crashes and stops it."""
        script = ROOT / "scripts" / "slurm_local.sh"
        subprocess.run([script, "--folder", self.folder, *arguments], check=True, stdout=subprocess.DEVNULL)

    def ask(self, *command: str) -> str:
        environment = {**os.environ, **self.assay.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def node(self, task: int) -> str | None:
        """The node on which a task of the array runs; None while it runs nowhere."""
        jobs = self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%K %N").splitlines()
        return dict(line.split() for line in jobs).get(str(task))

    def array(self) -> str:
        """The number of the array that is in the queue."""
        (number,) = set(self.ask("squeue", "--noheader", "--format=%F").split())
        return number

    def used_nodes(self, array: str) -> set[str]:
        return set(re.findall(r" NodeList=(\w+)", self.ask("scontrol", "--oneliner", "show", "job", array)))


@pytest.fixture(params=["", "--accounting"], ids=["plain", "accounting"])
def slurm(
    request: pytest.FixtureRequest, assay: Assay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Slurm]:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    wanted = PROGRAMS + (ACCOUNTING if request.param else ())
    if missing := [program for program in wanted if shutil.which(program, path=path) is None]:
        pytest.skip(
            f"not installed: {', '.join(missing)}; scripts/slurm_local.sh --install start installs them"
        )
    if os.geteuid() != 0:
        pytest.skip("scripts/slurm_local.sh must be run by root")
    folder = tmp_path_factory.mktemp("slurm")
    found = Slurm(folder, replace(assay, environment={"SLURM_CONF": str(folder / "slurm.conf")}))
    try:
        found.local(*request.param.split(), "start")
        yield found
    finally:
        found.local("stop")


plain = pytest.mark.parametrize("slurm", [""], indirect=True, ids=["plain"])


@plain
def test_two_nodes_leave_the_same_bytes(slurm: Slurm, expected: dict[str, bytes], tmp_path: Path) -> None:
    process = slurm.assay.start("run", tmp_path, *LAUNCHER)
    wait_until(lambda: slurm.ask("squeue", "--noheader"), "jobs were submitted")
    array = slurm.array()
    assert finish(process)[0] == 0
    assert slurm.used_nodes(array) == {"n1", "n2"}
    assert tables(tmp_path) == expected


@plain
def test_jobs_start_without_a_number_of_threads(slurm: Slurm, tmp_path: Path) -> None:
    slurm.assay.run(tmp_path, *LAUNCHER, "engine.threads=null")


@plain
def test_a_job_whose_time_is_up_goes_on_where_it_was(
    slurm: Slurm, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """SLURM looks at time limits twice a minute, so these jobs are told 60 to 90 seconds after they start."""
    limit = ("hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=30")
    process = slurm.assay.start("run", tmp_path, *LAUNCHER, *limit, slow=1.5)
    logs = tmp_path / "hydra" / "small" / "slurm"

    def requeued() -> bool:
        return any("Requeued job" in path.read_text(errors="replace") for path in logs.glob("*/*_log.out"))

    wait_until(requeued, "a job was queued again")
    before = parts(tmp_path)
    assert before
    assert finish(process)[0] == 0
    found = parts(tmp_path)
    assert len(found) > len(before)
    assert found.items() >= before.items()  # nothing that was there has been written anew
    assert tables(tmp_path) == expected


@plain
def test_the_job_of_a_node_that_dies_runs_on_another(
    slurm: Slurm, expected: dict[str, bytes], tmp_path: Path
) -> None:
    process = slurm.assay.start("run", tmp_path, *LAUNCHER, slow=0.3)
    wait_until(lambda: slurm.node(1) and len(parts(tmp_path)) > 3, "both jobs were at work")
    array, node = slurm.array(), slurm.node(1)
    assert node is not None
    slurm.local("crash", node)
    assert finish(process)[0] == 0
    assert slurm.used_nodes(array) == {"n1", "n2"} - {node}
    assert tables(tmp_path) == expected


def test_a_cancelled_job_is_missing_and_a_rerun_completes(
    slurm: Slurm, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """Also where SLURM keeps no account of jobs, so that nobody can ask what became of one."""
    process = slurm.assay.start("run", tmp_path, *LAUNCHER, slow=0.3)
    wait_until(lambda: slurm.node(1) and len(parts(tmp_path)) > 3, "both jobs were at work")
    slurm.ask("scancel", f"{slurm.array()}_1")
    status, output = finish(process)
    assert status == 1
    assert "cells are missing" in output and "run again to compute them" in output
    status, output = finish(slurm.assay.start("status", tmp_path))
    assert status == 1
    assert re.search(r"seed 0 +6 +6 ", output)  # the other job was left to finish
    assert re.search(r"seed 1 +6 +[0-5] ", output)
    slurm.assay.run(tmp_path, *LAUNCHER)
    assert tables(tmp_path) == expected
