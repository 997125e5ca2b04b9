"""`minutes` of a training count what its own thread takes."""

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

from assay.models.training_clock import training_clock


def _work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_other_work_of_the_process_does_not_count() -> None:
    clock, stop = training_clock("cpu"), Event()

    def busy() -> None:
        while not stop.is_set():
            _work(0.01)

    other = Thread(target=busy)
    other.start()
    before, whole = clock(), time.process_time()
    _work(0.1)
    taken, of_process = clock() - before, time.process_time() - whole
    stop.set()
    other.join()
    assert taken == pytest.approx(0.1, abs=0.02)
    assert of_process > 1.5 * taken


def test_waiting_counts_where_another_device_computes() -> None:
    before = {device: training_clock(device)() for device in ("cpu", "cuda")}
    time.sleep(0.05)
    assert training_clock("cpu")() - before["cpu"] < 0.02
    assert training_clock("cuda")() - before["cuda"] >= 0.05
