"""DiffMask's gate networks: how probable it is that a token is needed, by the layers that the model shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from assay.explainers.masks import hard_concrete
from assay.explainers.masks.diffmask_per_example import FIRST_LOGIT, FIRST_MULTIPLIER, MOST_MULTIPLIER
from assay.models.backward_rule import Hook

Gating = Literal["input", "hidden"]
SHAPE_FILE = "gates.json"
# How far a logit can be from the bias.
REACH = 10.0
# Hidden units of a gate network if nothing else is asked for: a quarter of what it looks at, but no fewer.
FEWEST_UNITS = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """What gates are for: `layers` of an OpenModel from the bottom up, with the size `widths` of their
    vectors, the way of `gating`, the hidden `units` of each network, and the model's floating-point type."""

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    gating: Gating
    units: int | None = None
    dtype: str = "float32"


class GateNetwork(nn.Module):
    """(B, T) logits of gates from what a layer makes of each token (B, T, D); `MLPMaxGate` of the authors."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.hidden = weight_norm(nn.Linear(width, units))
        self.out = weight_norm(nn.Linear(units, 1))
        self.bias = nn.Parameter(torch.full((1,), FIRST_LOGIT))

    def forward(self, states: Tensor) -> Tensor:
        return REACH * torch.tanh(self.out(torch.tanh(self.hidden(states))))[..., 0] + self.bias


class Gates(nn.Module):
    """A gate network per layer, and what takes the place of a token whose gate is closed.

    Input gating: the network of a layer reads [h_0; h_l], h_0 what the first layer reads of a token; a gate
    is the product of those of the layer and of all below, and stands before the first layer. Hidden gating:
    the network reads h_l, and the gate stands at that layer; there is no product.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        first = shape.widths[0]
        inputs = shape.gating == "input"
        self.networks = nn.ModuleList(
            GateNetwork(first + width if inputs else width, shape.units or max(width // 4, FEWEST_UNITS))
            for width in shape.widths
        )
        self.placeholders = nn.ParameterList(
            nn.Parameter(torch.zeros(width)) for width in ([first] if inputs else shape.widths)
        )
        self.multipliers = nn.ParameterList(
            nn.Parameter(torch.tensor(FIRST_MULTIPLIER)) for _ in shape.widths
        )
        self.to(getattr(torch, shape.dtype))

    def count(self, layer: int) -> int:
        """How many gates decide together at a layer."""
        return 1 if self.shape.gating == "hidden" else layer + 1

    def logits(self, states: Mapping[str, Tensor], layer: int) -> Tensor:
        """(G, B, T) logits of the gates whose product decides at a layer, by what the layers are."""
        first = states[self.shape.layers[0]]
        if self.shape.gating == "hidden":
            return self.networks[layer](states[self.shape.layers[layer]])[None]
        names = self.shape.layers[: layer + 1]
        read = (torch.cat([first, states[name]], dim=-1) for name in names)
        return torch.stack([network(x) for network, x in zip(self.networks, read, strict=False)])

    def log_open(self, states: Mapping[str, Tensor]) -> Tensor:
        """(L, B, T) logarithm of the probability, by each layer, that a token is not absent."""
        if self.shape.gating == "hidden":
            logits = [self.logits(states, layer)[0] for layer in range(len(self.networks))]
            return hard_concrete.log_open(torch.stack(logits))
        return hard_concrete.log_open(self.logits(states, len(self.networks) - 1)).cumsum(dim=0)

    def masked(self, entry: Tensor, gates: Tensor, layer: int) -> tuple[Tensor, Hook | None]:
        """What the first layer is to read (B, T, D), and what is to be done at the layers, under gates.

        gates: (B, T) in [0, 1], 1 for tokens that always stay.
        """
        if self.shape.gating == "input":
            return torch.lerp(self.placeholders[0].expand_as(entry), entry, gates[..., None]), None

        def hook(name: str, value: Tensor) -> Tensor:
            if name != self.shape.layers[layer]:
                return value
            return torch.lerp(self.placeholders[layer].expand_as(value), value, gates[..., None])

        return entry, hook

    def clamp(self) -> None:
        """Put the multipliers of the constraints back into their range."""
        with torch.no_grad():
            for multiplier in self.multipliers:
                multiplier.clamp_(0, MOST_MULTIPLIER)


class StoredGates:
    """Gates as a folder of models keeps them (`assay.models.saving`): of no labels; `spec` is the settings
    that they were trained with."""

    labels: tuple[str, ...] = ()
    multi_label = False

    def __init__(self, spec: Any, network: Gates) -> None:
        self.spec = spec
        self.network = network

    def write_files(self, folder: Path) -> None:
        """Write what `read_shape` reads."""
        (folder / SHAPE_FILE).write_text(json.dumps(asdict(self.network.shape)), encoding="utf-8")


def read_shape(folder: Path) -> Shape:
    """The shape of the gates in a folder."""
    about = json.loads((folder / SHAPE_FILE).read_text(encoding="utf-8"))
    lists: dict[str, Sequence[Any]] = {name: tuple(about[name]) for name in ("layers", "widths")}
    return Shape(**{**about, **lists})
