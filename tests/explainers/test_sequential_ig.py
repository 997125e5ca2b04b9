"""Sequential integrated gradients against a transcription of its definition, and in closed form."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from explainer_models import additive, explain, request, scores, smooth, values

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.paths.sequential_ig import SequentialIG
from assay.explainers.protocol import Request
from assay.models.protocol import Batch
from assay.models.tensors import enter, logits_from_entry
from assay.tasks.errors import InputError
from assay.tasks.example import Task

STEPS = 5


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param)


def _transcribed(model, asked: Request) -> np.ndarray:
    """(K, T) equation 2 of the paper, token by token, with middle points."""
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    with torch.no_grad():
        text = enter(model, model.embed(ids), batch)
    found = np.zeros((len(model.labels), len(asked.encoding)))
    for i in np.flatnonzero(asked.encoding.content).tolist():
        masked = ids.clone()
        masked[0, i] = model.mask_id
        with torch.no_grad():
            start = enter(model, model.embed(masked), batch)
        for step in range(STEPS):
            point = (start + (step + 0.5) / STEPS * (text - start)).requires_grad_(True)
            logits = logits_from_entry(model, point, batch)[0]
            for k, logit in enumerate(logits):
                slope = torch.autograd.grad(logit, point, retain_graph=True)[0]
                found[k, i] += float((slope[0, i] * (text - start)[0, i]).sum()) / STEPS
    return found


@pytest.mark.parametrize("model", ["cnn", "lstm", "tiny_bert"], indirect=True)
def test_it_equals_its_definition_alone_and_padded(model, toy_task: Task):
    encodings = model.encode([example.texts for example in toy_task.test[:3]])
    requests = [Request(e, code, np.arange(3)) for e, code in zip(toy_task.test, encodings, strict=False)]
    found = explain(SequentialIG(STEPS, "riemann_middle"), model, requests, Mask(), budget=100)
    for asked, records in zip(requests, found, strict=True):
        np.testing.assert_allclose(scores(records), _transcribed(model, asked), atol=1e-5)


@pytest.mark.parametrize("baseline", [Mask(), Pad(), Zero()], ids=lambda b: b.name)
def test_a_score_is_the_drop_when_the_token_alone_is_absent(baseline):
    asked = request((2, 4, 9, 5, 3), specials=(0, 4))
    records = explain(SequentialIG(40), smooth(), [asked], baseline)[0]
    full = values(smooth(), baseline, asked.encoding, np.ones(5, dtype=bool))
    for token in range(5):
        keep = np.arange(5) != token
        drop = full - values(smooth(), baseline, asked.encoding, keep) if 0 < token < 4 else np.zeros(3)
        np.testing.assert_allclose(scores(records)[:, token], drop, atol=1e-5)


def test_an_additive_model_gives_its_contributions_and_normalising_their_direction():
    model, contribution = additive()
    plain = explain(SequentialIG(1), model, [request((4, 9, 9))], Zero())[0]
    np.testing.assert_allclose(scores(plain).T, contribution[[4, 9, 9]], atol=1e-6)
    unit = explain(SequentialIG(1, normalise=True), model, [request((4, 9, 9))], Zero())[0]
    np.testing.assert_allclose(
        scores(unit), scores(plain) / np.linalg.norm(scores(plain), axis=1, keepdims=True), atol=1e-6
    )
    assert {record.output_space for record in unit} == {"none"}


def test_nothing_is_divided_by_zero_where_no_score_is():
    model, _ = additive()
    model.forward = lambda e, a: 0 * (e * a).sum(dim=1)[:, :3]
    (record, *_) = explain(SequentialIG(normalise=True), model, [request((4, 9))], Mask())[0]
    assert not record.scores.any()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match=r"sequential_ig\.steps is 0"):
        SequentialIG(steps=0)
    with pytest.raises(InputError, match=r"sequential_ig\.rule is 'simpson'"):
        SequentialIG(rule=cast(Any, "simpson"))
    with pytest.raises(InputError, match="keeps every token's place"):
        explain(SequentialIG(), smooth(), [request((4,))], Delete())
