"""Decoders with a classification head, which read their last real token: what asks or differentiates, against
the library's own calls; and what is refused for want of their forward pass."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import Saliency as CaptumSaliency
from foreign_checkpoints import LABELS, Foreign, bytes_untrimmed, bytes_without_padding, unigram_whole

from assay.explainers.baselines import Delete, Zero
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.propagation.attention import Attention, AttentionRollout
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.protocol import Request, incompatibility
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import OpenModel, capabilities
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Task

TEXTS = ("the film is good", "a", "it's not what I'd call a brilliant scene", "awful music again")
EXAMPLES = tuple(Example(str(at), (text,), (at % 3,)) for at, text in enumerate(TEXTS))
TASK = Task("decoders", LABELS, EXAMPLES, EXAMPLES, EXAMPLES)
# A window that long texts do not fit into.
_WINDOW = {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 1}
DECODERS = [
    Foreign("llama", unigram_whole),
    Foreign("qwen2", bytes_untrimmed),
    Foreign("qwen3", bytes_untrimmed, _WINDOW),
    Foreign("gemma", unigram_whole),
    Foreign("gemma2", unigram_whole, {"sliding_window": 4}),
    Foreign("gemma3_text", unigram_whole, {"sliding_window": 4}),
    Foreign("gpt2", bytes_untrimmed),
    Foreign("gpt2", bytes_without_padding, {"pad_token_id": None}),
]
QUICK = ("llama", "qwen3", "gemma3_text", "gpt2")
every = pytest.mark.parametrize(
    "decoder",
    [
        pytest.param(decoder, id=str(decoder), marks=() if decoder.name in QUICK else pytest.mark.slow)
        for decoder in DECODERS
    ],
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Foreign], tuple[Path, TransformerModel]]:
    """The folder of a decoder, and its model as a finished classifier; each made once."""

    @cache
    def make(decoder: Foreign) -> tuple[Path, TransformerModel]:
        folder = decoder.save(tmp_path_factory.mktemp("decoder"))
        model = Transformer(path=str(folder), training=Training(epochs=0)).untrained(TASK, 0)
        model.network.requires_grad_(False)
        return folder, model

    return make


def _requests(model: TransformerModel) -> list[Request]:
    encodings = model.encode([example.texts for example in EXAMPLES])
    return [
        Request(example, encoding, np.array([2, 0]))
        for example, encoding in zip(EXAMPLES, encodings, strict=True)
    ]


def _alone(model: TransformerModel, vectors: torch.Tensor) -> torch.Tensor:
    """(B, K) what the network says of embeddings (B, T, D) without padding, one after the other: without a
    padding token some read no more at once."""
    return torch.cat([model.network(inputs_embeds=row[None]).logits for row in vectors])


@every
def test_answers_are_those_of_the_last_real_token_on_either_side_of_the_padding(
    decoder: Foreign, opened: Any
):
    _, model = opened(decoder)
    rows = [full_rows(encoding) for encoding in model.encode([(text,) for text in TEXTS])]
    assert len({row.ids.shape[1] for row in rows}) > 2
    found = np.concatenate(Engine(model).logits(rows))
    with torch.no_grad():
        alone = [model.network(**model.tokenizer(text, return_tensors="pt")).logits for text in TEXTS]
        np.testing.assert_allclose(found, torch.cat(alone).numpy(), rtol=0, atol=1e-5)
        assert np.ptp(found, axis=0).max() > 0.1
        if model.tokenizer.pad_token is None:
            return
        for side in ("left", "right"):
            padded = model.tokenizer(list(TEXTS), padding=True, padding_side=side, return_tensors="pt")
            assert (padded["attention_mask"][:, 0 if side == "left" else -1] == 0).any()
            if decoder.name == "gpt2" and side == "left":
                # Its own pass counts positions over the padding unless it is told.
                padded["position_ids"] = (padded["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
            np.testing.assert_allclose(found, model.network(**padded).logits.numpy(), rtol=0, atol=1e-5)


@every
def test_a_tokenizer_that_pads_on_the_left_changes_nothing(decoder: Foreign, opened: Any):
    folder, model = opened(decoder)
    other = Transformer(path=str(folder), training=Training(epochs=0)).untrained(TASK, 0)
    rows = [full_rows(encoding) for encoding in model.encode([(text,) for text in TEXTS])]
    expected = Engine(model).logits(rows)
    other.tokenizer.padding_side = "left" if other.tokenizer.padding_side == "right" else "right"
    again = [full_rows(encoding) for encoding in other.encode([(text,) for text in TEXTS])]
    for one, two in zip(expected, Engine(other).logits(again), strict=True):
        np.testing.assert_array_equal(one, two)


@every
def test_gradient_methods_are_captums(decoder: Foreign, opened: Any):
    """In double precision: in float32 sums in another order are 1e-5 apart in a network of random weights."""
    model = deepcopy(opened(decoder)[1])
    model.network.double()
    requests = _requests(model)

    def forward(vectors: torch.Tensor) -> torch.Tensor:
        return _alone(model, vectors)

    cases: list[tuple[Any, Callable[[torch.Tensor, int], torch.Tensor]]] = [
        (Saliency("l2"), lambda x, k: CaptumSaliency(forward).attribute(x, target=k).norm(dim=-1)),
        (
            InputXGradient("mean"),
            lambda x, k: CaptumInputXGradient(forward).attribute(x, target=k).mean(dim=-1),
        ),
    ]
    for explainer, attribute in cases:
        for asked, found in zip(requests, explainer.explain(Engine(model), requests, None), strict=True):
            _compare(model, asked, found, attribute)
    method = IntegratedGradients(steps=6)
    for asked, found in zip(requests, method.explain(Engine(model), requests, Zero()), strict=True):
        content = torch.from_numpy(asked.encoding.content)[None, :, None]

        def integrated(x: torch.Tensor, k: int, content: torch.Tensor = content) -> torch.Tensor:
            return (
                CaptumIntegratedGradients(forward)
                .attribute(x, x.detach() * ~content, target=k, n_steps=6, method="gausslegendre")
                .sum(dim=-1)
            )

        _compare(model, asked, found, integrated)


def _compare(model: TransformerModel, asked: Request, found: Any, attribute: Any) -> None:
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    for record in found:
        vectors = model.network.get_input_embeddings()(ids).detach().requires_grad_(True)
        expected = attribute(vectors, record.target)[0].detach().numpy()
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(expected).max() > 1e-4
        np.testing.assert_allclose(record.scores, expected, rtol=0, atol=1e-5 * scale)


@every
def test_occlusion_is_the_fall_of_the_logit(decoder: Foreign, opened: Any):
    _, model = opened(decoder)
    requests = [asked for asked in _requests(model) if asked.encoding.content.sum() > 1]
    for asked, found in zip(requests, Occlusion().explain(Engine(model), requests, Delete()), strict=True):
        ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))
        table = model.network.get_input_embeddings()
        with torch.no_grad():
            whole = _alone(model, table(ids)[None])[0]
            for at in np.flatnonzero(asked.encoding.content):
                rest = torch.cat([ids[:at], ids[at + 1 :]])
                fall = whole - _alone(model, table(rest)[None])[0]
                for record in found:
                    assert record.scores[at] == pytest.approx(fall[record.target].item(), abs=1e-5)


@every
def test_what_needs_the_forward_pass_is_refused_and_says_whose_is_missing(decoder: Foreign, opened: Any):
    _, model = opened(decoder)
    assert not isinstance(model, OpenModel)
    assert {"gradients", "embeddings", "activations"} <= capabilities(model)
    name = type(model.network).__name__
    for explainer in (Lrp(), DeepLift(products="shapley"), Attention(), AttentionRollout()):
        said = incompatibility(explainer, Zero(), capabilities=capabilities(model), rationales=False)
        assert said == (
            f"the model gives no open layers (the forward pass of {name} is not written out; docs/models.md "
            "lists the networks that are open)"
        )
