"""Jobs of one machine take its GPUs in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from assay.harness.cli import main
from assay.harness.trials import launch, workers
from assay.harness.trials.devices import device_of_job, job_device


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cuda", 2, [0, 1, 0, 1, 0]),
        ("cuda", 3, [0, 1, 2, 0, 1]),
        # SLURM and Ray leave a job its own by CUDA_VISIBLE_DEVICES, which is then device 0 of its process.
        ("cuda", 1, [None] * 5),
        ("cuda", 0, [None] * 5),
        ("cuda:1", 4, [None] * 5),
        ("cpu", 4, [None] * 5),
        ("mps", 4, [None] * 5),
    ],
)
def test_devices_go_round(device: str, visible: int, expected: list[int | None]) -> None:
    assert [device_of_job(device, job, visible) for job in range(5)] == expected


def test_a_job_computes_on_its_own_device_and_another_afterwards_on_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current = [0]

    @contextmanager
    def on(number: int) -> Iterator[None]:
        current.append(number)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", on)
    with job_device("cuda", 3):
        assert current[-1] == 1
    assert current == [0]
    with job_device("cpu", 3):
        assert current == [0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_device_that_is_not_there_is_one_sentence(
    workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing = "xpu:7"
    sizes = [f"limits.default.{split}=6" for split in ("train", "dev", "test")]
    command = ["run", "task=planted_presence", "model=linear", "seed=0,1", *sizes, f"engine.device={missing}"]
    assert main([*command, f"workers={workers}", f"store={tmp_path / 'store'}"]) != 0
    said = capfd.readouterr().err
    assert f"engine.device {missing!r} cannot be used here" in said and "use 'cpu'" in said
    assert "Traceback" not in said


def test_jobs_say_their_number_unless_they_run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra's numbers with a launcher, 0 in one process."""
    seen: list[int] = []
    monkeypatch.setattr(launch, "run_job", lambda config: None)

    @contextmanager
    def on(device: str, job: int) -> Iterator[None]:
        assert device == "cpu"
        seen.append(job)
        yield

    monkeypatch.setattr(launch, "job_device", on)
    overrides = [f"store={tmp_path / 'store'}", "model=linear", "seed=0,1,2"]
    launch.launch(overrides)
    assert seen == [0, 0, 0]
    seen.clear()
    monkeypatch.setattr(launch, "BASIC", "no launcher")
    launch.launch(overrides)
    assert seen == [0, 1, 2]


def test_workers_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process takes the device of its number for all of its jobs."""
    started: list[int] = []

    class Worker:
        process, connection = None, None

    def start(number: int) -> Worker:
        started.append(number)
        if number == 2:
            raise KeyboardInterrupt
        return Worker()

    monkeypatch.setattr(workers, "_started", start)
    monkeypatch.setattr(workers, "_stop", lambda processes: None)
    with pytest.raises(KeyboardInterrupt):
        workers.run_side_by_side([("a job", DictConfig({}))] * 5, 3)
    assert started == [0, 1, 2]
