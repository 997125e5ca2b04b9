"""A Ray cluster of two nodes on this machine: the same bytes, whichever of its processes is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster_runs import Assay, finish, parts, tables, wait_until

pytestmark = pytest.mark.cluster

SLOW = 0.3


@dataclass(frozen=True, slots=True)
class Nodes:
    """A head and a second node, with one processor each, so that each runs one job."""

    cluster: Any
    head: Any
    second: Any
    assay: Assay

    def launcher(self) -> list[str]:
        address = f'hydra.launcher.ray.init.address="{self.cluster.address}"'
        return ["hydra/launcher=ray_cluster", address]

    def jobs(self, node: Any) -> list[int]:
        """Processes of a node that run a job: they are children of its raylet, and Ray names them so."""
        (raylet,) = node.all_processes["raylet"]
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                title = (folder / "cmdline").read_text()
            except OSError:  # it has ended meanwhile
                continue
            if parent == str(raylet.process.pid) and title.startswith("ray::_run_job"):
                found.append(int(folder.name))
        return found

    def wait_for_both(self, store: Path) -> None:
        wait_until(lambda: self.jobs(self.head) and self.jobs(self.second), "both nodes were at work")
        wait_until(lambda: len(parts(store)) > 3, "there were files")


@pytest.fixture
def nodes(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    # Jobs have the environment of their node.
    for name, value in assay.settings(SLOW).items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield Nodes(cluster, cluster.head_node, second, assay)
    finally:
        cluster.shutdown()


def test_two_nodes_leave_the_same_bytes(nodes: Nodes, expected: dict[str, bytes], tmp_path: Path) -> None:
    process = nodes.assay.start("run", tmp_path, *nodes.launcher())
    nodes.wait_for_both(tmp_path)
    assert finish(process)[0] == 0
    assert tables(tmp_path) == expected


def test_a_job_whose_process_is_killed_is_started_again(
    nodes: Nodes, expected: dict[str, bytes], tmp_path: Path
) -> None:
    process = nodes.assay.start("run", tmp_path, *nodes.launcher())
    nodes.wait_for_both(tmp_path)
    before = parts(tmp_path)
    for job in nodes.jobs(nodes.second):
        os.kill(job, signal.SIGKILL)
    assert finish(process)[0] == 0
    assert parts(tmp_path).items() >= before.items()
    assert tables(tmp_path) == expected


def test_the_job_of_a_node_that_dies_runs_on_another(
    nodes: Nodes, expected: dict[str, bytes], tmp_path: Path
) -> None:
    process = nodes.assay.start("run", tmp_path, *nodes.launcher())
    nodes.wait_for_both(tmp_path)
    nodes.cluster.remove_node(nodes.second, allow_graceful=False)
    assert finish(process)[0] == 0
    assert tables(tmp_path) == expected
