"""The slow way: the model is asked about one text at a time, in plain loops, to compare the metrics with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from metrics_world import VOCABULARY, BagModel, Noise, World, constant, example, oracle

from assay.metrics.cell_data import CellData, Shard
from assay.models.encoding import Encoding
from assay.tasks.example import Example
from assay.tasks.randomness import generator


def coarse(item: Example, encoding: Encoding, model: BagModel) -> Any:
    """Scores with many ties."""
    rng = np.random.default_rng([5, *item.id.encode()])
    return rng.integers(-1, 2, size=(len(model.labels), len(encoding))) * encoding.content


EXPLAINERS = (oracle, Noise(), coarse, constant)


def random_world(seed: int, *, multi_label: bool = False) -> World:
    """Texts of 1 to 8 random words, the first of one word, and a model of random weights."""
    rng = np.random.default_rng(seed)
    lengths = [1, *rng.integers(1, 9, size=8)]
    texts = [" ".join(rng.choice(list(VOCABULARY), size=length)) for length in lengths]
    labels = [rng.choice(3, size=rng.integers(0, 4) if multi_label else 1, replace=False) for _ in texts]
    examples = [
        example(f"r{at}", text, chosen.tolist())
        for at, (text, chosen) in enumerate(zip(texts, labels, strict=True))
    ]
    weights = rng.normal(size=(len(VOCABULARY) + 2, 3))
    return World(examples, BagModel(weights, rng.normal(size=3), multi_label=multi_label))


def worlds() -> Iterator[tuple[CellData, str]]:
    """Subjects of every kind, each with a target to ask for; the third text has special tokens alone."""
    for seed in range(2):
        for multi_label in (False, True):
            world = random_world(seed, multi_label=multi_label)
            for explainer in EXPLAINERS:
                for target in ("predicted", "gold", "all"):
                    yield special_only(world.subject(explainer, size=4, seed=seed), "r2"), target


def special_only(subject: CellData, *ids: str) -> CellData:
    """The subject whose texts of these ids have no content tokens."""
    shards = []
    for shard in subject.shards:
        empty = np.array([item.id in ids for item in shard.examples])
        shards.append(replace(shard, content=shard.content & ~empty[:, None]))
    return replace(subject, shards=shards)


def logits(subject: CellData, shard: Shard, row: int, gone: Iterable[int]) -> list[float]:
    """The model's logits of one text without the tokens at the positions `gone`."""
    encoding = shard.encodings[row]
    keep = np.ones((1, len(encoding)), dtype=bool)
    keep[0, list(gone)] = False
    (answer,) = subject.engine.logits([subject.removal.rows(subject.engine.model, encoding, keep)])
    return [float(value) for value in answer[0]]


def belief(subject: CellData, shard: Shard, row: int, gone: Iterable[int] = ()) -> list[float]:
    """The model's probabilities of one text without the tokens at the positions `gone`."""
    values = logits(subject, shard, row, gone)
    if subject.multi_label:
        return [1 / (1 + math.exp(-value)) for value in values]
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


def decided(subject: CellData, probabilities: list[float], label: int) -> object:
    """What the model decides: its class, or in a multi-label task whether it takes the label."""
    if subject.multi_label:
        return probabilities[label] >= 0.5
    return max(range(len(probabilities)), key=lambda at: probabilities[at])


def positions(shard: Shard, row: int) -> list[int]:
    """Of the content tokens, in the text's order."""
    return [at for at, is_content in enumerate(shard.content[row]) if is_content]


def ranked(subject: CellData, shard: Shard, row: int, label: int) -> list[int]:
    """Positions of the content tokens, the highest score first, ties by a draw of the example's own."""
    places = positions(shard, row)
    luck = generator("ties", shard.examples[row].id).random(len(places))
    order = sorted(
        range(len(places)), key=lambda at: (-float(shard.scores[row, label, places[at]]), luck[at])
    )
    return [places[at] for at in order]


def asked(subject: CellData, target: str) -> Iterator[tuple[Shard, int, int]]:
    """Shard, row and label of every class that `target` means."""
    for shard in subject.shards:
        for row, item in enumerate(shard.examples):
            clean = belief(subject, shard, row)
            for label in range(3):
                said = decided(subject, clean, label) in ((True,) if subject.multi_label else (label,))
                if target == "all" or (said if target == "predicted" else label in item.labels):
                    yield shard, row, label


Reference = Callable[[CellData, Shard, int, int], dict[str, float]]


def same_parts(subject: CellData, target: str, table: pd.DataFrame, reference: Reference) -> None:
    """Assert that a long table holds what the reference says of every class, NaN for special tokens alone."""
    parts = {key: group for key, group in table.groupby(["unit", "target"])}
    expected = {(shard.examples[row].id, label): (shard, row) for shard, row, label in asked(subject, target)}
    assert set(parts) == set(expected)
    for (unit, label), (shard, row) in expected.items():
        found = dict(zip(parts[unit, label]["part"], parts[unit, label]["value"], strict=True))
        if not shard.content[row].any():
            assert all(np.isnan(value) for part, value in found.items() if part != "full")
            continue
        wanted = reference(subject, shard, row, label)
        assert set(found) == set(wanted)
        for part, value in wanted.items():
            assert found[part] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (unit, label, part)
