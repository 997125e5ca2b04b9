"""What became of SLURM jobs, asked of the queue, which every cluster has, instead of its accounting."""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob  # pyright: ignore[reportMissingImports]

LEFT = "LEFT_THE_QUEUE"


class QueueWatcher(SlurmInfoWatcher):
    """Takes jobs for lost once their whole array has left the queue without a result.

    submitit asks `sacct`, which knows nothing where there is no accounting, so it would wait for a killed job
    for ever. And it gives a sweep up at the first killed job while the others still run; waiting for the
    whole array lets them finish.
    """

    def _make_command(self) -> list[str] | None:
        return ["squeue", "--me", "--noheader", "--format=%F"] if self._registered - self._finished else None

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """`string`: the array, or the job, of every task that is queued, runs or is being ended."""
        queued = set((string if isinstance(string, str) else string.decode()).split())
        waiting = any(job.split("_")[0] in queued for job in self._registered)
        return {job: {"State": "RUNNING" if waiting else LEFT} for job in self._registered}


class AskTheQueue(Callback):
    """Makes submitit use the queue, in the process that launches a sweep."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        SlurmJob.watcher = QueueWatcher(delay_s=30)
