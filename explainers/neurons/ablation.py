"""Do the neurons with the highest conductance matter? The output while the top k are absent, against k random
ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.neurons.conductance import NeuronScores
from assay.explainers.paths.path_gradients import straight_paths
from assay.models.engine import Engine
from assay.models.neurons import ablated, hidden_layer
from assay.tasks.errors import InputError, check_at_least
from assay.tasks.randomness import generator

Floats = NDArray[np.float64]
# Of a curve: so many neurons, those of the layer and none beyond them.
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class Fall:
    """How far one target's logit falls in one text, at each count of ablated neurons (C,).

    Attributes:
        example_id: the text.
        target: the class.
        top: without the neurons of the highest conductance.
        random: without as many random ones, mean over draws.
    """

    example_id: str
    target: int
    top: Floats
    random: Floats


def counts_of(neurons: int, counts: Sequence[int] | None = None) -> list[int]:
    """How many neurons are ablated, rising. Raises InputError on a count that the layer does not have."""
    if counts is None:
        return [count for count in COUNTS if count < neurons] + [neurons]
    wrong = [count for count in counts if not 1 <= count <= neurons]
    if wrong or not len(counts):
        what = f"neurons: {wrong[0]} are to be ablated" if wrong else "neurons: no count to ablate is given"
        raise InputError(f"{what}; the layer has {neurons}, expected counts from 1 to {neurons}")
    return sorted({*counts})


def ablation(
    engine: Engine,
    scores: Sequence[NeuronScores],
    baseline: Baseline,
    layer: str | None = None,
    counts: Sequence[int] | None = None,
    draws: int = 10,
) -> Iterator[Fall]:
    """Ablate the top neurons of every text and target, and random ones.

    An ablated neuron has the value that it has at the baseline, at every token. So without all neurons of a
    layer the logit falls by f(text) - f(baseline).

    Args:
        engine: asks the model.
        scores: of the texts, by `NeuronConductance` at the same layer and baseline.
        baseline: what "absent" means.
        layer: as in NeuronConductance.
        counts: how many neurons are ablated; None for 1, 2, 5, 10, ... up to all.
        draws: random orders of the neurons.

    Raises:
        InputError: on counts or draws out of range.
    """
    check_at_least("neurons: draws", draws, 1)
    layer = hidden_layer(engine.model, layer)
    for of_text in scores:
        request, neurons = of_text.request, of_text.conductance.shape[1]
        chosen = counts_of(neurons, counts)
        (path,) = straight_paths(engine, [request], baseline, np.zeros(1 + len(chosen) * (1 + draws)))
        tops = of_text.top(neurons)
        for nth, target in enumerate(request.targets.tolist()):
            rng = generator(request.seed, "neurons", layer, request.example.id, target)
            orders = [tops[nth], *(rng.permutation(neurons) for _ in range(draws))]
            masks = np.zeros((len(path.alphas), neurons), dtype=bool)
            for row, (order, count) in enumerate(((o, c) for o in orders for c in chosen), start=1):
                masks[row, order[:count]] = True
            logits = np.zeros(len(path.alphas))
            for batch in ablated(engine, [path], layer, [masks]):
                logits[batch.step] = batch.logits[:, target].cpu().double().numpy()
            falls = (logits[0] - logits[1:]).reshape(1 + draws, len(chosen))
            yield Fall(request.example.id, target, falls[0], falls[1:].mean(axis=0))
