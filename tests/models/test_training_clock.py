"""`minutes` of a training count what its own thread takes."""

from __future__ import annotations

import io
import time
from threading import Event, Thread
from typing import Any

import pytest

from assay.explainers.masks.gate_training import GateSettings, train_gates
from assay.models.engine import Engine
from assay.models.mlm_training import train_mlm
from assay.models.trained_mlm import TrainedMLM
from assay.models.training import Training
from assay.models.training_clock import training_clock
from assay.tasks.example import Task


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


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_to_be_trained_and_how_long_at_most_is_said_on_a_terminal_alone(
    terminal: bool, word_model: Any, toy_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    model = word_model("lstm")
    texts = model.encode([example.texts for example in toy_task.train])
    train_gates(GateSettings(steps=2, batch_size=4, minutes=3), Engine(model), texts)
    spec = TrainedMLM(dimensions=8, units=6, layers=1, training=Training(epochs=1, mask_rate=0.15))
    train_mlm(spec, model, texts, texts)
    lines = [
        f"training gates of diffmask at 2 layers on {len(texts)} texts, at most 2 steps and 3 minutes of the "
        "processor",
        f"training a masked language model on {len(texts)} texts, at most 1 epoch and 20 minutes of the "
        "processor",
    ]
    for line in lines:
        assert (line in screen.getvalue()) == terminal
    assert terminal or not screen.getvalue()
