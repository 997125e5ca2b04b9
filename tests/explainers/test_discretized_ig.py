"""Discretized integrated gradients against a transcription of its definition."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import WORDS, additive, explain, request, scores, smooth

from assay.explainers.baselines import Delete, Mask, Zero
from assay.explainers.paths.discretized_ig import DiscretizedIG, monotonic_path
from assay.explainers.protocol import Request
from assay.models.protocol import Batch
from assay.models.tensors import enter, logits_from_entry
from assay.tasks.errors import InputError
from assay.tasks.example import Task

RNG = np.random.default_rng(3)
TABLE = RNG.standard_normal((40, 6)).astype(np.float32)
STRATEGIES = ["greedy", "maxcount"]


def _with_table(model) -> Any:
    """The model, saying how many words it embeds."""
    network = getattr(model, "network", None)
    if network is None:
        model.embedding_rows = WORDS
    elif hasattr(network, "get_input_embeddings"):
        model.embedding_rows = network.get_input_embeddings().weight.shape[0]
    else:
        model.embedding_rows = network.embedding.weight.shape[0]
    return model


def _between(baseline: float, word: float, x: float) -> bool:
    return min(baseline, word) <= x <= max(baseline, word)


def _moved(baseline, word, anchor, steps: int) -> np.ndarray:
    """The anchor with its non-monotonic dimensions moved 1 / steps of the way from word to baseline."""
    return np.array(
        [
            x if _between(b, w, x) else w - np.float32(1 / steps) * (w - b)
            for b, w, x in zip(baseline, word, anchor, strict=True)
        ],
        dtype=np.float32,
    )


def _transcribed_path(table: np.ndarray, word: int, base: int, steps: int, k: int, strategy: str):
    """The authors' procedure in loops: find the anchors word by word, then make the path monotonic."""
    path = [word]
    for _ in range(steps):
        last = path[-1]
        if last == base:
            path.append(base)
            continue
        order = sorted(range(len(table)), key=lambda j: float(((table[j] - table[last]) ** 2).sum()))
        near = [j for j in order if j != last][:k]
        near = [j for j in near if j != base and j not in path]
        cost = {}
        for j in near:
            if strategy == "greedy":
                moved = _moved(table[base], table[last], table[j], steps)
                cost[j] = float(((table[j] - moved) ** 2).sum())
            else:
                cost[j] = -sum(
                    _between(b, w, x) for b, w, x in zip(table[base], table[last], table[j], strict=True)
                )
        path.append(min(near, key=cost.__getitem__) if near else base)
    points = [table[word]]
    for anchor in path[1:]:
        points.append(_moved(table[base], points[-1], table[anchor], steps))
    return np.stack([*points, table[base]][::-1])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("k", [2, 10, 100])
def test_paths_are_the_authors(strategy, k: int):
    for word, base, steps in ((3, 0, 8), (17, 5, 1), (8, 39, 30), (21, 2, 45)):
        found = monotonic_path(TABLE, word, TABLE[base], steps, k, strategy)
        expected = _transcribed_path(TABLE, word, base, steps, k, strategy)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert found.shape == (steps + 2, 6)
        np.testing.assert_array_equal(found[[0, -1]], TABLE[[base, word]])
        # Every dimension only grows or only falls.
        changes = np.diff(found, axis=0) * np.sign(TABLE[word] - TABLE[base])
        assert (changes >= 0).all()


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param)


def _transcribed(model, asked: Request, steps: int, k: int, strategy: str) -> np.ndarray:
    """(K, T) the sum of gradient x change over a path, the gradient where each stretch begins."""
    table = model.embed(torch.arange(model.embedding_rows)).detach().numpy()
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    through = np.repeat(table[asked.encoding.ids][None], steps + 2, axis=0)
    for at in np.flatnonzero(asked.encoding.content):
        word = int(asked.encoding.ids[at])
        through[:, at] = _transcribed_path(table, word, model.mask_id, steps, k, strategy)
    found = np.zeros((len(model.labels), len(asked.encoding)))
    with torch.no_grad():
        entries = [enter(model, torch.from_numpy(point)[None], batch) for point in through]
    for here, then in pairwise(entries):
        point = here.clone().requires_grad_(True)
        logits = logits_from_entry(model, point, batch)[0]
        for target, logit in enumerate(logits):
            slope = torch.autograd.grad(logit, point, retain_graph=True)[0]
            found[target] += (slope * (then - here)).sum(-1)[0].numpy()
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("model", ["lstm", "tiny_bert"], indirect=True)
def test_scores_are_those_of_the_definition_alone_and_padded(model, strategy, toy_task: Task):
    model = _with_table(model)
    encodings = model.encode([example.texts for example in toy_task.test[:3]])
    requests = [Request(e, code, np.arange(3)) for e, code in zip(toy_task.test, encodings, strict=False)]
    found = explain(DiscretizedIG(strategy, 6, 9), model, requests, Mask(), budget=64)
    for asked, records in zip(requests, found, strict=True):
        np.testing.assert_allclose(
            scores(records), _transcribed(model, asked, 6, 9, strategy), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_additive_model_gives_its_contributions_whatever_the_path(strategy):
    model, contribution = additive()
    asked = request((2, 4, 9, 9, 3), specials=(0, 4))
    for record in explain(DiscretizedIG(strategy, 4, 5), _with_table(model), [asked], Zero())[0]:
        expected = contribution[[2, 4, 9, 9, 3], record.target] * [0, 1, 1, 1, 0]
        np.testing.assert_allclose(record.scores, expected, atol=1e-5)
        assert record.completeness_gap == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "greedily"}, r"strategy is 'greedily'; did you mean 'greedy'"),
        ({"steps": 0}, r"discretized_ig\.steps is 0"),
        ({"neighbours": 0}, r"discretized_ig\.neighbours is 0"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        DiscretizedIG(**options)


def test_a_model_without_a_table_and_a_baseline_without_a_path_are_refused():
    bare = smooth()
    bare.__dict__.pop("embedding_rows", None)
    if getattr(bare, "embedding_rows", None) is None:
        with pytest.raises(InputError, match="does not say how many it embeds"):
            explain(DiscretizedIG(), bare, [request((4,))], Mask())
    with pytest.raises(InputError, match="'discretized_ig' starts its path"):
        explain(DiscretizedIG(), _with_table(smooth()), [request((4,))], Delete())
