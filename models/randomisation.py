"""Copies of a model whose layers are drawn anew, from the output down (cascading randomisation)."""

from __future__ import annotations

from copy import deepcopy
from types import FunctionType
from typing import TypeVar

import torch
from torch import nn

from assay.models.protocol import Model
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

M = TypeVar("M", bound=Model)


def depth(model: Model) -> int:
    """How many layers with weights a model has. Raises InputError as `randomised`."""
    return len(layers(_network(model)))


def randomised(model: M, top: int, seed: int) -> M:
    """A copy of the model with its `top` uppermost layers drawn anew; the model itself stays as it is.

    Every tensor is drawn from the normal distribution with its own mean and standard deviation, so signals
    keep their size and no layer is dead or saturated that was not before; a constant tensor stays, and so
    does the embedding of padding. Draws are named by the seed and the tensor: the copy with one layer more
    shares all of them. Source: Adebayo et al., NeurIPS 2018, with the spread of the trained weights in place
    of the initialisation's.
    Raises InputError when there are fewer layers, and on a model without a torch network of its own.
    """
    all_layers = layers(_network(model))
    if not 0 <= top <= len(all_layers):
        raise InputError(f"{top} layers are to be drawn anew; the model has {len(all_layers)}")
    copy = deepcopy(model)
    network = _network(copy)
    parameters = dict(network.named_parameters(remove_duplicate=False))
    padding = {
        f"{name}.weight": module.padding_idx
        for name, module in network.named_modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    }
    with torch.no_grad():
        for name in (name for layer in all_layers[len(all_layers) - top :] for name in layer):
            drawn = _drawn(parameters[name], seed, name)
            if name in padding:
                drawn[padding[name]] = parameters[name][padding[name]]
            parameters[name].copy_(drawn)
    return copy


def layers(network: nn.Module) -> list[list[str]]:
    """The names of the weights of each layer, from the input up, in the order the modules were set up.

    A layer is a module, or a member of a ModuleList; recurrent modules side by side are the two directions of
    one. Weights that belong to no module of a network count to the one below.
    """
    return _split(network, "")


def _split(module: nn.Module, prefix: str) -> list[list[str]]:
    groups: list[list[str]] = []
    before: nn.Module | None = None
    for name, child in module.named_children():
        inside = f"{prefix}{name}."
        weights = [inside + weight for weight, _ in child.named_parameters()]
        if not weights:
            continue
        if any(isinstance(part, nn.ModuleList) for part in child.modules()):
            groups += _split(child, inside)
        elif isinstance(child, nn.RNNBase) and isinstance(before, nn.RNNBase):
            groups[-1] += weights
        else:
            groups.append(weights)
        before = child
    own = [prefix + weight for weight, _ in module.named_parameters(recurse=False)]
    if own and groups:
        groups[-1] += own
    elif own:
        groups.append(own)
    return groups


def _drawn(parameter: torch.Tensor, seed: int, name: str) -> torch.Tensor:
    """A tensor like the parameter, drawn on the processor, so that no device draws otherwise."""
    source = torch.Generator().manual_seed(int(generator(seed, "randomised", name).integers(2**63)))
    noise = torch.randn(parameter.shape, generator=source).to(parameter)
    return parameter.mean() + noise * parameter.std(correction=0)


def _network(model: Model) -> nn.Module:
    network = getattr(model, "network", None)
    functions = [part for part in getattr(model, "__dict__", {}).values() if isinstance(part, FunctionType)]
    # A copied function still uses the network it was written for.
    if not isinstance(network, nn.Module) or functions:
        raise InputError(
            "only models with a torch network of their own, and no functions around it, can have layers "
            "drawn anew; leave out the metric randomisation"
        )
    return network
