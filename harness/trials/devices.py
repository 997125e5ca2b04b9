"""Which of a machine's GPUs a job computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


def device_of_job(device: str, job: int, visible: int) -> int | None:
    """The GPU of a job, in turn among those that its process may use.

    SLURM and Ray say which by CUDA_VISIBLE_DEVICES, of which torch counts what is there.

    Args:
        device: The setting `engine.device`.
        job: The number of the job, from 0.
        visible: How many GPUs the process may use.

    Returns:
        Its number among these; None where the setting is no GPU or names one, and where there is no choice.

    Example:
        >>> [device_of_job("cuda", job, visible=2) for job in range(3)]
        [0, 1, 0]
    """
    return job % visible if device == "cuda" and visible > 1 else None


@contextmanager
def job_device(device: str, job: int) -> Iterator[None]:
    """A scope in which the device `cuda` is that of a job; settings and records keep its plain name.

    Args:
        device: The setting `engine.device`.
        job: The number of the job, from 0.
    """
    number = device_of_job(device, job, torch.cuda.device_count())
    with nullcontext() if number is None else torch.cuda.device(number):
        yield
