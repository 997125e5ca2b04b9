"""The top neurons for a target over one or many texts, each with the words that drive it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.neurons.conductance import NeuronConductance, NeuronScores
from assay.explainers.written_words import written_words
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example


@dataclass(frozen=True, slots=True)
class Neuron:
    """One neuron's part in the logit of a target.

    Attributes:
        number: its place in the layer.
        conductance: mean over the texts.
        words: the words that drive it and what each adds to `conductance`, the largest first.
    """

    number: int
    conductance: float
    words: tuple[tuple[str, float], ...]


def top_neurons(
    explainer: NeuronConductance,
    engine: Engine,
    scores: Sequence[NeuronScores],
    baseline: Baseline,
    target: int,
    k: int = 10,
    words: int = 8,
) -> list[Neuron]:
    """The k neurons of the highest mean conductance for a target.

    A word's part is the sum over its occurrences in all texts, in any case, by the number of texts; all words
    sum to the neuron's conductance up to the error of the path's steps.

    Args:
        explainer: that the scores came from.
        engine: asks the model.
        scores: of one text, or of the texts of a class; at least one.
        baseline: as for the scores.
        target: among the targets of each text.
        k: how many neurons.
        words: how many of each neuron's words are kept: those with the largest absolute part, by the square
            root of the number of texts that have them, or frequent words would crowd out telling ones.

    Raises:
        InputError: if the layer has fewer than k neurons.
    """
    of_target = [one.of(np.array([target])).conductance[0] for one in scores]
    check_neurons(k, len(of_target[0]))
    mean = np.mean(of_target, axis=0)
    top = np.argsort(-mean, kind="stable")[:k]
    requests = [replace(one.request, targets=np.array([target])) for one in scores]
    parts: list[dict[str, float]] = [{} for _ in top]
    texts: Counter[str] = Counter()
    found = explainer.words(engine, requests, baseline, [top[None]] * len(requests))
    for request, (records,) in zip(requests, found, strict=True):
        for neuron, record in enumerate(records):
            for word, part in _words(request.example, record):
                key = word.lower()
                parts[neuron][key] = parts[neuron].get(key, 0.0) + part / len(requests)
        texts.update({word.lower() for word, _ in _words(request.example, records[0])})
    return [
        Neuron(number, float(mean[number]), _strongest(of_neuron, texts, words))
        for number, of_neuron in zip(top.tolist(), parts, strict=True)
    ]


def check_neurons(k: int, neurons: int) -> None:
    """Raise InputError unless a layer has k neurons."""
    if not 1 <= k <= neurons:
        raise InputError(
            f"neurons: the top {k} are asked for; the layer has {neurons}, expected 1 to {neurons}"
        )


def _words(example: Example, record: Explanation) -> Iterator[tuple[str, float]]:
    """Each word as written, with the sum of its tokens' scores."""
    for word, places in written_words(example.texts, record):
        yield word, float(record.scores[places].sum())


def _strongest(parts: Mapping[str, float], texts: Counter[str], count: int) -> tuple[tuple[str, float], ...]:
    """The words chosen as `top_neurons` says, in descending order of their part."""
    driving = [item for item in parts.items() if item[1]]
    kept = sorted(driving, key=lambda item: (-abs(item[1]) / texts[item[0]] ** 0.5, item[0]))[:count]
    return tuple(sorted(((word, float(part)) for word, part in kept), key=lambda item: (-item[1], item[0])))
