"""The rest of a model above a hidden layer that is rebuilt from a few directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import AUTOGRAD
from assay.models.engine import Engine
from assay.models.paths import Path, PathBatch, Points
from assay.models.protocol import OpenModel
from assay.models.tensors import read_entry

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rebuilding:
    """A layer of one text as origin + (coefficients x kept) @ directions.

    Attributes:
        coefficients: (T, C) of each vector of the layer; T = 1 where it has one vector per text.
        kept: (R, C) what each of R rows multiplies the coefficients of all vectors with.
    """

    coefficients: Floats
    kept: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RebuiltBatch(PathBatch):
    """B answers above a rebuilt layer. step: (B,) which row of the path's rebuilding."""

    step: NDArray[np.intp]


def rebuilt(
    engine: Engine,
    paths: Sequence[Path],
    layer: str,
    directions: Floats,
    origin: Floats,
    rebuildings: Sequence[Rebuilding],
) -> Iterator[RebuiltBatch]:
    """Logits at the paths' ends while a hidden layer is rebuilt, at every token.

    Args:
        engine: asks the model, an OpenModel that has the layer.
        paths: with one alpha for each row of their rebuilding.
        layer: one of `assay.models.neurons.hidden_layers`.
        directions: (C, U) in the layer.
        origin: (U,) the layer where all coefficients are 0.
        rebuildings: one for every path.
    """
    model = cast(OpenModel, engine.model)
    call = partial(_rebuild, model, engine.device, layer, directions, origin, rebuildings)
    return engine.along(paths, call, backward=False)


def _rebuild(
    model: OpenModel,
    device: str,
    layer: str,
    directions: Floats,
    origin: Floats,
    rebuildings: Sequence[Rebuilding],
    points: Points,
) -> RebuiltBatch:
    vectors = max(len(rebuildings[path].coefficients) for path in points.path.tolist())
    mixed = np.zeros((len(points.path), vectors, len(directions)))
    for row, (path, step) in enumerate(zip(points.path.tolist(), points.step.tolist(), strict=True)):
        of_text = rebuildings[path]
        mixed[row, : len(of_text.coefficients)] = of_text.coefficients * of_text.kept[step]
    values = torch.from_numpy(mixed @ directions + origin)

    def hook(name: str, value: Tensor) -> Tensor:
        if name != layer:
            return value
        return (values if value.ndim == 3 else values[:, 0]).to(value)

    with torch.inference_mode():
        batch, entry = read_entry(model, points.ends, points.row, device)
        logits = model.open_logits(entry, batch, AUTOGRAD, hook)
    return RebuiltBatch(path=points.path, step=points.step, lengths=points.lengths, logits=logits)
