"""How far a training has come: what is read goes on as before, and what does not fit changes nothing."""

from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

import assay.models.mlm_progress
from assay.models.mlm_progress import Progress, load_progress, save_progress

Training = tuple[nn.Module, torch.optim.Optimizer, np.random.Generator]
EPOCHS = ((0.5, 2.0), (0.4, 1.5))
Change = Callable[[dict[str, Tensor], dict[str, Any]], object]


def _training(seed: int, width: int = 3, steps: int = 0) -> Training:
    torch.manual_seed(seed)
    network = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    for _ in range(steps):
        network(torch.ones(1, width)).sum().backward()
        optimizer.step()
    return network, optimizer, np.random.default_rng(seed)


def _state(training: Training) -> list[Any]:
    """All that the next epoch depends on."""
    network, optimizer, rng = training
    tensors = [*network.state_dict().values(), torch.default_generator.get_state()]
    tensors += [state[name] for state in optimizer.state.values() for name in sorted(state)]
    return [*(tensor.tolist() for tensor in tensors), rng.bit_generator.state]


@pytest.fixture
def training() -> Training:
    return _training(0, steps=3)


@pytest.fixture
def path(training: Training, tmp_path: Path) -> Path:
    best = {name: value + 1 for name, value in training[0].state_dict().items()}
    save_progress(tmp_path / "progress", Progress(EPOCHS, 1, best, 12.0), *training)
    return tmp_path / "progress"


def test_everything_comes_back(path: Path, training: Training) -> None:
    before = _state(training)
    other = _training(1)
    found = load_progress(path, *other)
    assert found is not None
    assert (found.epochs, found.best_epoch, found.spent) == (EPOCHS, 1, 12.0)
    torch.testing.assert_close(found.best["bias"], training[0].state_dict()["bias"] + 1)
    assert _state(other) == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def _drawn(device: str) -> Tensor:
    """What dropout on the device draws next."""
    return nn.functional.dropout(torch.ones(64, device=device), training=True).cpu()


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
        ),
    ],
)
def test_draws_on_the_networks_device_go_on(device: str, training: Training, tmp_path: Path) -> None:
    training[0].to(device)
    torch.manual_seed(3)
    _drawn(device)
    save_progress(tmp_path / "progress", Progress(EPOCHS, 0, {}, 1.0), *training)
    expected = _drawn(device)
    torch.manual_seed(4)
    assert not _drawn(device).equal(expected)
    assert load_progress(tmp_path / "progress", *training) is not None
    assert _drawn(device).equal(expected)


@pytest.mark.parametrize("unfit", [False, True])
def test_the_generator_of_an_accelerator_comes_back_or_stays_as_that_of_the_processor(
    unfit: bool, training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no accelerator, a second generator stands for its own."""
    other = torch.Generator()
    both = {"generator": torch.default_generator, "generator.cuda": other}
    monkeypatch.setattr(assay.models.mlm_progress, "_generators", lambda _: both)
    path = tmp_path / "progress"
    other.manual_seed(8)
    save_progress(path, Progress(EPOCHS, 0, {}, 1.0), *training)
    if unfit:
        path.write_bytes(_changed(lambda parts, _: parts.pop("generator.cuda"))(path.read_bytes()))
    other.manual_seed(9)
    assert (load_progress(path, *training) is None) == unfit
    assert other.initial_seed() == (9 if unfit else 8)


def test_without_draws_torchs_generator_is_left_alone(training: Training, tmp_path: Path) -> None:
    save_progress(tmp_path / "progress", Progress(EPOCHS, 0, {}, 1.0), *training[:2])
    network, optimizer, _ = _training(1)
    torch.manual_seed(5)
    before = torch.default_generator.get_state()
    assert load_progress(tmp_path / "progress", network, optimizer) is not None
    assert torch.equal(torch.default_generator.get_state(), before)
    assert torch.equal(network.state_dict()["bias"], training[0].state_dict()["bias"])


def _changed(change: Change) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        tensors, about = load(content), json.loads(header["__metadata__"]["about"])
        change(tensors, about)
        return save(tensors, metadata={"about": json.dumps(about)})

    return apply


UNFIT: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "pickle": lambda _: pickle.dumps({"about": 1}),
    "no metadata": lambda content: save(load(content)),
    "other metadata": lambda content: save(load(content), metadata={"format": "pt"}),
    "no json": lambda content: save(load(content), metadata={"about": "{"}),
    "a list": lambda content: save(load(content), metadata={"about": "[]"}),
    "no epochs": _changed(lambda _, about: about.pop("epochs")),
    "epochs of words": _changed(lambda _, about: about.update(epochs=[["a"]])),
    "no time": _changed(lambda _, about: about.update(spent=float("nan"))),
    "other draws": _changed(lambda _, about: about.update(rng={"bit_generator": "MT19937"})),
    "a short generator": _changed(lambda parts, _: parts.update(generator=parts["generator"][:9])),
    "other network": _changed(lambda parts, _: parts.update({"network.weight": torch.zeros(2, 4)})),
    "half a network": _changed(lambda parts, _: parts.pop("network.bias")),
    "other best weights": _changed(lambda parts, _: parts.update({"best.weight": torch.zeros(9)})),
    "other optimizer": _changed(lambda parts, _: parts.update({"optimizer.0.exp_avg": torch.zeros(7)})),
    "more parameters": _changed(lambda parts, _: parts.update({"optimizer.8.exp_avg": torch.zeros(7)})),
    "no number": _changed(lambda parts, _: parts.update({"optimizer.x.exp_avg": torch.zeros(7)})),
}


@pytest.mark.parametrize("how", UNFIT)
def test_a_file_that_is_torn_or_of_something_else_is_told_and_changes_nothing(
    how: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(UNFIT[how](path.read_bytes()))
    other = _training(1, steps=1)
    before = _state(other)
    assert load_progress(path, *other) is None
    assert _state(other) == before
    assert f"{path} does not tell how far this training has come" in caplog.text


def test_where_there_is_none_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_progress(tmp_path / "progress", *_training(0)) is None
    assert not caplog.text


def test_on_a_full_disk_what_was_there_stays(
    path: Path, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = path.read_bytes(), Path.write_bytes

    def full(self: Path, content: Any) -> int:
        write(self, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_progress(path, Progress(EPOCHS, 1, {}, 13.0), *training)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
