"""How far a training has come, on disk, so that one that was stopped goes on: of masked language models, and
of the gates of DiffMask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """After an epoch. epochs: what was measured in each, such as the loss and the development perplexity.
    best_epoch: 0 for the start, whose weights are `best`. spent: seconds of the processor."""

    epochs: tuple[tuple[float, ...], ...]
    best_epoch: int
    best: Weights
    spent: float


def save_progress(
    path: Path,
    progress: Progress,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> None:
    """Write everything that the next epoch depends on; the file is whole or what it was before."""
    parts: Weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    parts |= {f"best.{name}": value for name, value in progress.best.items()}
    for at, state in optimizer.state_dict()["state"].items():
        parts |= {f"optimizer.{at}.{name}": value for name, value in state.items()}
    parts["generator"] = torch.default_generator.get_state()
    about = {
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "spent": progress.spent,
        "rng": rng.bit_generator.state,
    }
    unfinished = path.with_name(f"{path.name}.part")
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in parts.items()}
    save_file(tensors, unfinished, metadata={"about": json.dumps(about)})
    unfinished.replace(path)


def load_progress(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator
) -> Progress | None:
    """Put network, optimizer and generators where they were; None where there is no whole file."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    states: dict[int, Weights] = {}
    for name, value in parts.items():
        if name.startswith("optimizer."):
            _, at, which = name.split(".")
            states.setdefault(int(at), {})[which] = value
    network.load_state_dict(_of(parts, "network."))
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.default_generator.set_state(parts["generator"])
    rng.bit_generator.state = about["rng"]
    epochs = tuple(map(tuple, about["epochs"]))
    return Progress(epochs, about["best_epoch"], _of(parts, "best."), about["spent"])


def _of(parts: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in parts.items() if name.startswith(prefix)}
