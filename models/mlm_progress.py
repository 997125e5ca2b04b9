"""How far a training has come, on disk, so that one that was stopped goes on: of masked language models, and
of the gates of DiffMask."""

from __future__ import annotations

import json
import logging
import math
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

Weights = dict[str, Tensor]
# What reading a file may raise that is torn, or that something else wrote.
_UNFIT = (OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)

log = logging.getLogger(__name__)


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
    rng: np.random.Generator | None = None,
) -> None:
    """Write everything that the next epoch depends on; the file is whole or what it was before.

    rng: of the training's draws, kept with torch's generators, which the caller has seeded in a scope of its
    own; None where draws belong to steps. Raises OSError, such as of a full disk.
    """
    parts: Weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    parts |= {f"best.{name}": value for name, value in progress.best.items()}
    for at, state in optimizer.state_dict()["state"].items():
        parts |= {f"optimizer.{at}.{name}": value for name, value in state.items()}
    about: dict[str, Any] = {
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "spent": progress.spent,
    }
    if rng is not None:
        parts |= {name: one.get_state() for name, one in _generators(network).items()}
        about["rng"] = rng.bit_generator.state
    unfinished = path.with_name(f"{path.name}.part")
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in parts.items()}
    try:
        # Not by `save_file`, whose errors have no number, and whose own unfinished files have other names.
        unfinished.write_bytes(save(tensors, metadata={"about": json.dumps(about)}))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_progress(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator | None = None,
) -> Progress | None:
    """Put network, optimizer and generators where they were; None where there is no such file.

    rng: as it was saved. A file that is torn, or of another training, changes nothing, and a warning says so.
    """
    if not path.exists():
        return None
    before = deepcopy(network.state_dict()), deepcopy(optimizer.state_dict())
    draws = rng and deepcopy(rng.bit_generator.state)
    states = {name: one.get_state() for name, one in _generators(network).items()}
    try:
        return _restore(path, network, optimizer, rng)
    except _UNFIT as error:
        network.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
        if rng is not None and draws is not None:
            rng.bit_generator.state = draws
            for name, one in _generators(network).items():
                one.set_state(states[name])
        reason = " ".join(str(error).split())[:200]
        log.warning("%s does not tell how far this training has come (%s); it begins anew", path, reason)
        return None


def _restore(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator | None
) -> Progress:
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    epochs = tuple(tuple(map(float, epoch)) for epoch in about["epochs"])
    progress = Progress(epochs, int(about["best_epoch"]), _of(parts, "best."), float(about["spent"]))
    if not math.isfinite(progress.spent) or len({len(epoch) for epoch in epochs}) != 1:
        raise ValueError("its epochs or their time are none")
    states: dict[int, Weights] = {}
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    for name, value in _of(parts, "optimizer.").items():
        at, which = name.split(".")
        # torch takes any shape and fails in the next step.
        if value.dim() and value.shape != parameters[int(at)].shape:
            raise ValueError(f"its optimizer has {which} of shape {list(value.shape)}")
        states.setdefault(int(at), {})[which] = value
    if progress.best:
        # Only whether they fit: weights of the end, not those to go on with.
        network.load_state_dict(progress.best)
    network.load_state_dict(_of(parts, "network."))
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    if rng is not None:
        rng.bit_generator.state = about["rng"]
        for name, one in _generators(network).items():
            one.set_state(parts[name])
    return progress


def _generators(network: nn.Module) -> dict[str, torch.Generator]:
    """torch's generators that training draws from: that of the processor, and on an accelerator that of the
    device where the network is, from which dropout draws there. States of all are on the processor."""
    device = next(network.parameters()).device
    found = {"generator": torch.default_generator}
    if device.type == "cuda":
        number = torch.cuda.current_device() if device.index is None else device.index
        found["generator.cuda"] = torch.cuda.default_generators[number]
    return found


def _of(parts: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in parts.items() if name.startswith(prefix)}
