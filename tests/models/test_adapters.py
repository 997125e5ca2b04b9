"""Users' own models: what they can do is what was given, and what breaks the protocol is named."""

from __future__ import annotations

import re
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.batching import pad
from assay.models.check import check_model
from assay.models.limit import Limit
from assay.models.protocol import Batch, Model, capabilities, probabilities
from assay.models.vocabulary import Vocabulary
from assay.tasks.errors import InputError

VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "[MASK]", "[SEP]", "good", "bad", "film"])
TEXTS = [("good film",), ("a bad bad film",), ("film",)]


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(VOCABULARY), 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        return (self.dropout(self.table(ids)) * attention[..., None]).sum(dim=1)


def encode(texts):
    return VOCABULARY.encode(texts, Limit(50))


def adapted(**options) -> TorchAdapter:
    return TorchAdapter(Sum(), labels=("n", "p"), encode=encode, **options)


def sums(embeddings: torch.Tensor, batch: Batch) -> torch.Tensor:
    return (embeddings * batch.attention[..., None]).sum(dim=1)


def test_abilities_are_exactly_what_was_given():
    network = Sum()
    assert capabilities(adapted()) == frozenset()
    assert capabilities(adapted(mask_id=2)) == {"mask_token"}
    assert capabilities(adapted(activations=lambda batch: {})) == {"activations"}
    full = adapted(embed=network.table, logits_from_embeddings=sums)
    assert capabilities(full) == {"gradients", "embeddings"}
    assert isinstance(full, Model)
    with pytest.raises(InputError, match="give both or neither"):
        adapted(embed=network.table)


def test_an_adapted_module_is_put_in_eval_mode_and_passes_the_check():
    network = Sum().train()
    model = TorchAdapter(
        network, labels=("n", "p"), encode=encode, embed=network.table, logits_from_embeddings=sums
    )
    assert not network.training
    assert check_model(model, TEXTS) == []


def test_nan_weights_are_refused():
    network = Sum()
    with torch.no_grad():
        network.table.weight[3, 1] = torch.inf
    with pytest.raises(InputError, match=r"the weights of Sum contain infinity in table\.weight"):
        TorchAdapter(network, labels=("n", "p"), encode=encode)


@pytest.mark.parametrize(
    ("logits", "problem"),
    [
        (lambda b: b.ids.float().mean(dim=1, keepdim=True).expand(-1, 2), "length of the padding"),
        (lambda b: torch.full((len(b.ids), 2), float(len(b.ids))), "other texts of the batch"),
        (lambda b: torch.arange(2.0 * len(b.ids)).view(-1, 2), "order of the batch"),
        (lambda b: torch.rand(len(b.ids), 2), "call to call"),
        (lambda b: torch.full((len(b.ids), 2), torch.nan), "NaN"),
        (lambda b: torch.zeros(len(b.ids), 3), r"have shape \(1, 3\)"),
    ],
)
def test_check_names_the_broken_promise(logits, problem: str):
    found = check_model(adapted(logits=logits), TEXTS)
    assert any(re.search(problem, line) for line in found), found


def test_check_names_broken_embeddings_and_activations():
    network = Sum()

    def with_embeddings(logits_from_embeddings) -> list[str]:
        model = TorchAdapter(
            network,
            labels=("n", "p"),
            encode=encode,
            embed=network.table,
            logits_from_embeddings=logits_from_embeddings,
        )
        return check_model(model, TEXTS)

    assert "differ from the logits" in with_embeddings(lambda e, b: sums(e, b) + 1)[0]
    assert "no gradient flows" in with_embeddings(lambda e, b: sums(e, b).detach())[0]
    found = check_model(adapted(activations=lambda b: {"logits": torch.zeros(len(b.ids), 2)}), TEXTS)
    assert "not the logits" in found[0]
    nothing = cast(Model, object())
    assert check_model(nothing, TEXTS)[0].startswith("the model has no labels")


def polarity(texts: list[str]) -> np.ndarray:
    """P(positive) grows with the share of the word "Good"."""
    share = np.array([text.split().count("Good") / max(1, len(text.split())) for text in texts])
    positive = 0.1 + 0.8 * share
    return np.stack([1 - positive, positive], axis=1)


def test_a_black_box_gives_its_probabilities_back():
    model = BlackBox(polarity, labels=("n", "p"))
    assert capabilities(model) == frozenset()
    texts = [("Good film",), ("good",), ("Good Good",)]
    batch = pad(model.encode(texts), model.pad_id)
    found = probabilities(model.logits(batch), multi_label=False)
    torch.testing.assert_close(found[:, 1], torch.tensor([0.5, 0.1, 0.9]), atol=1e-6, rtol=0)
    assert check_model(model, texts) == []


def test_a_black_box_sees_deleted_words_as_gone():
    seen: list[str] = []

    def record(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return polarity(texts)

    model = BlackBox(record, labels=("n", "p"))
    (encoding,) = model.encode([("A  Good, long film.",)])
    ids = torch.from_numpy(encoding.ids[None].astype(np.int64))
    attention = torch.tensor([[True, False, True, True, True, False]])
    without = torch.where(attention, ids, model.pad_id)
    segments = torch.zeros_like(ids)
    model.logits(Batch(ids, torch.ones_like(attention), segments))
    model.logits(Batch(ids, attention, segments))
    model.logits(Batch(without, torch.ones_like(attention), segments))
    assert seen == ["A  Good, long film.", "A, long film", "A, long film"]


def test_a_black_box_on_pairs():
    seen: list = []

    def record(pairs: list) -> np.ndarray:
        seen.extend(pairs)
        return np.full((len(pairs), 2), 0.5)

    model = BlackBox(record, labels=("n", "p"), pattern=r"\S+")
    encodings = model.encode([("don't go", "why?"), ("go", "go go")])
    model.logits(pad(encodings, model.pad_id))
    assert seen == [("don't go", "why?"), ("go", "go go")]


def test_a_multi_label_black_box():
    model = BlackBox(
        lambda texts: np.tile([0.0, 0.25, 1.0], (len(texts), 1)), labels=list("abc"), multi_label=True
    )
    found = model.logits(pad(model.encode([("x",)]), 0))
    torch.testing.assert_close(torch.sigmoid(found), torch.tensor([[0.0, 0.25, 1.0]]), atol=1e-6, rtol=0)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.5, 0.5, 0.0]], r"shape \(1, 3\); expected \(1, 2\)"),
        ([[np.nan, 1.0]], "outside 0 to 1, or NaN"),
        ([[-0.5, 1.5]], "outside 0 to 1"),
        ([[0.5, 0.1]], "do not sum to 1"),
    ],
)
def test_answers_that_are_no_probabilities(answer, message: str):
    model = BlackBox(lambda texts: answer, labels=("n", "p"))
    with pytest.raises(InputError, match=message):
        model.logits(pad(model.encode([("x",)]), 0))
