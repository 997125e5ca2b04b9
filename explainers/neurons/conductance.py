"""Neuron conductance: how much of the output's change flows through each neuron of a hidden layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.paths.path_gradients import pools, straight_paths
from assay.explainers.protocol import Request, explanation
from assay.models.engine import Engine
from assay.models.neurons import hidden_layer, neurons_along
from assay.models.paths import Path
from assay.tasks.errors import InputError, check_at_least

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NeuronScores:
    """What flows through the neurons of a layer for one text.

    Attributes:
        request: the text and its M targets.
        conductance: (M, U) by target and neuron; positive speaks for the target.
        change: (M,) f(text) - f(baseline), logits, to which the neurons of a target sum.
    """

    request: Request
    conductance: Floats
    change: Floats

    def of(self, targets: NDArray[np.intp]) -> NeuronScores:
        """Those of some of the text's targets."""
        at = [self.request.targets.tolist().index(target) for target in targets.tolist()]
        return NeuronScores(replace(self.request, targets=targets), self.conductance[at], self.change[at])

    def top(self, k: int) -> NDArray[np.intp]:
        """(M, k) the neurons that speak most for each target, the strongest first."""
        return np.argsort(-self.conductance, axis=1, kind="stable")[:, :k]


@dataclass(frozen=True, slots=True)
class NeuronConductance:
    """Gradient of the target logit with respect to a neuron x change of the neuron, along the straight path
    from baseline to text where the first layer reads.

    Signed. A neuron's value is the sum over tokens, where the layer has one vector per token. The neurons of
    a layer sum to f(text) - f(baseline) up to the error of the trapezoids over `steps` stretches; exactly
    where the logits are a linear function of the layer. Source: Dhamdhere et al., ICLR 2019.

    Attributes:
        layer: one of the model's hidden layers; None for the highest.
        steps: of the path.

    Example:
        >>> NeuronConductance("pooled").scores(engine, requests, Mask())  # doctest: +SKIP
    """

    layer: str | None = None
    steps: int = 50
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_at_least("neurons: steps", self.steps, 1)

    def scores(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline
    ) -> Iterator[NeuronScores]:
        """The conductance of every neuron, request by request.

        Raises InputError on a model without hidden layers, an unknown layer, or a baseline to which no single
        path leads.
        """
        layer, alphas = self._checked(engine, baseline), np.linspace(0, 1, self.steps + 1)
        for pool in pools(requests, len(alphas)):
            paths = straight_paths(engine, pool, baseline, alphas)
            yield from map(_scores, pool, *_flows(engine, paths, layer))

    def words(
        self,
        engine: Engine,
        requests: Sequence[Request],
        baseline: Baseline,
        neurons: Sequence[NDArray[np.intp]],
    ) -> Iterator[list[list[Explanation]]]:
        """What drives single neurons: for every request, by target and neuron, one score per token.

        The scores of a neuron's record sum to its conductance up to the error of the trapezoids.

        Args:
            engine: asks the model.
            requests: the texts and their targets, of equally many for all.
            baseline: as in `scores`.
            neurons: for every request the (M, k) neurons of each target.
        """
        layer, alphas = self._checked(engine, baseline), np.linspace(0, 1, self.steps + 1)
        weights = np.full(len(alphas), 1 / self.steps)
        weights[[0, -1]] /= 2
        start = 0
        for pool in pools(requests, len(alphas), neurons[0].shape[1] if neurons else 1):
            asked = neurons[start : start + len(pool)]
            start += len(pool)
            paths = straight_paths(engine, pool, baseline, alphas)
            found: list[Floats] = [
                np.zeros((*units.shape, len(one.encoding))) for one, units in zip(pool, asked, strict=True)
            ]
            for batch in neurons_along(engine, paths, layer, asked):
                assert batch.drives is not None
                drives = batch.drives.cpu().double().numpy()
                points = zip(batch.path.tolist(), batch.step.tolist(), strict=True)
                for row, (path, step) in enumerate(points):
                    found[path] += weights[step] * drives[:, :, row, : found[path].shape[2]]
                del batch
            for request, drives in zip(pool, found, strict=True):
                yield [
                    [
                        explanation(request, target, drives[nth, neuron], output_space="logit")
                        for neuron in range(drives.shape[1])
                    ]
                    for nth, target in enumerate(request.targets.tolist())
                ]

    def _checked(self, engine: Engine, baseline: Baseline) -> str:
        """The layer's name. Raises InputError where no single path leads to the baseline."""
        if not baseline.references or baseline.per_target or baseline.repeats > 1 or baseline.mixture:
            raise InputError(
                f"neurons: baseline {baseline.name!r} is not one text of equal length, so no single path "
                "leads from it; choose mask, pad, zero, unk or mean"
            )
        return hidden_layer(engine.model, self.layer)


def _flows(engine: Engine, paths: Sequence[Path], layer: str) -> tuple[list[Floats], list[Floats]]:
    """For every path (M, U) the sum over stretches and tokens of mean gradient x change, and (2, K) logits at
    its ends."""
    totals: list[Tensor | None] = [None] * len(paths)
    ends = [np.zeros((2, len(engine.model.labels))) for _ in paths]
    before: tuple[Tensor, Tensor] | None = None
    for batch in neurons_along(engine, paths, layer):
        columns = zip(batch.path.tolist(), batch.step.tolist(), batch.lengths.tolist(), strict=True)
        for row, (path, step, length) in enumerate(columns):
            value = batch.values[row, :length].double()
            gradient = batch.gradients[:, row, :length].double()
            # The points of one path come one after the other, also from one batch to the next.
            if step > 0 and before is not None:
                flow = ((before[1] + gradient) / 2 * (value - before[0])).sum(dim=1)
                total = totals[path]
                totals[path] = flow if total is None else total + flow
            before = value, gradient
            if step in (0, len(paths[path].alphas) - 1):
                ends[path][int(step > 0)] = batch.logits[row].cpu().double().numpy()
        del batch
    return [np.zeros((0, 0)) if total is None else total.cpu().numpy() for total in totals], ends


def _scores(request: Request, conductance: Floats, ends: Floats) -> NeuronScores:
    return NeuronScores(request, conductance, (ends[1] - ends[0])[request.targets])
