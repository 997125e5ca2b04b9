"""Attention of a text word by word, against transformers' own weights and rollout multiplied out."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch

from assay.explainers.propagation.attention import AttentionRollout
from assay.explainers.propagation.word_attention import merged, word_attention
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.transformer import Transformer
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

# "wonderful" and "brilliant" are two pieces each.
TEXT = "a wonderful film with a brilliant plot"
WORDS = ("[CLS]", *TEXT.split(), "[SEP]")
PIECES = [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8]


def _own_weights(model, text: str) -> np.ndarray:
    """(L, H, T, T) as transformers gives them."""
    network = deepcopy(model.network)
    network.set_attn_implementation("eager")
    inputs = model.tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        return torch.stack(network(**inputs, output_attentions=True).attentions)[:, 0].double().numpy()


@pytest.fixture(params=["bert", "roberta"])
def model(request: pytest.FixtureRequest, tiny_bert, toy_task: Task, tmp_path_factory):
    if request.param == "bert":
        return tiny_bert
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tiny_bert.tokenizer),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=tiny_bert.tokenizer.pad_token_id,
        initializer_range=0.3,
    )
    config.num_labels = 3
    network = RobertaForSequenceClassification(config).eval()
    network.config.id2label = dict(enumerate(toy_task.labels))
    return Transformer().assemble(network, tiny_bert.tokenizer, toy_task.labels, multi_label=False)


def test_weights_are_those_of_transformers_summed_and_averaged_over_pieces(model):
    found = word_attention(Engine(model), Example("one", (TEXT,), (0,)))
    assert found.words == WORDS
    own = _own_weights(model, TEXT)
    assert own.shape[2] == len(PIECES) > len(WORDS)
    for layer, head in np.ndindex(own.shape[:2]):
        for reader, read in np.ndindex(len(WORDS), len(WORDS)):
            readers = [at for at, word in enumerate(PIECES) if word == reader]
            cells = [own[layer, head, at, to] for at in readers for to, w in enumerate(PIECES) if w == read]
            expected = sum(cells) / len(readers)
            assert found.weights[layer, head, reader, read] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(found.weights.sum(axis=-1), 1, atol=1e-6)
    # The last layer is whole, and its rows differ.
    assert found.weights[-1].std(axis=1).max() > 1e-4


def test_rollout_is_the_product_of_the_layers_up_to_each(model):
    found = word_attention(Engine(model), Example("one", (TEXT,), (0,)))
    product = np.eye(len(PIECES))
    for layer, own in enumerate(_own_weights(model, TEXT)):
        product = (own.mean(axis=0) + np.eye(len(PIECES))) / 2 @ product
        expected = np.bincount(PIECES, weights=product[0])
        np.testing.assert_allclose(found.rollout[layer], expected, atol=1e-6)
    np.testing.assert_allclose(found.rollout.sum(axis=1), 1, atol=1e-6)
    (encoding,) = model.encode([(TEXT,)])
    request = Request(Example("one", (TEXT,), (0,)), encoding, np.array([0]))
    ((record,),) = AttentionRollout().explain(Engine(model), [request], None)
    np.testing.assert_allclose(found.rollout[-1], np.bincount(PIECES, weights=record.scores), atol=1e-6)


def test_rows_of_merged_weights_sum_to_one_and_even_ones_stay_even():
    rng = np.random.default_rng(0)
    pieces = np.eye(3)[[0, 0, 0, 1, 2, 2]]
    weights = rng.dirichlet(np.ones(6), size=(2, 6))
    np.testing.assert_allclose(merged(weights, pieces).sum(axis=-1), 1)
    np.testing.assert_allclose(merged(np.full((6, 6), 1 / 6), pieces), [[1 / 2, 1 / 6, 1 / 3]] * 3)


def test_both_texts_of_a_pair_have_their_words(tiny_bert):
    found = word_attention(Engine(tiny_bert), Example("one", ("a wonderful film", "the plot"), (0,)))
    assert found.words == ("[CLS]", "a", "wonderful", "film", "[SEP]", "the", "plot", "[SEP]")


def test_asking_for_every_query_changes_no_decision(tiny_bert, toy_task: Task):
    from assay.explainers.propagation.single_pass import text_paths
    from assay.models.propagation import attention

    encodings = tiny_bert.encode([example.texts for example in toy_task.test])
    requests = [Request(e, c, np.array([0])) for e, c in zip(toy_task.test, encodings, strict=True)]
    paths, engine = text_paths(requests), Engine(tiny_bert, budget=64)

    def logits(*, every_query: bool) -> np.ndarray:
        values = np.zeros((len(paths), 3))
        call = partial(attention, tiny_bert, device="cpu", differentiate=False, every_query=every_query)
        for batch in engine.along(paths, call, backward=False):
            assert batch.weights[-1].shape[2] == (batch.weights[-1].shape[3] if every_query else 1)
            values[batch.path] = batch.logits.numpy()
        return values

    np.testing.assert_allclose(logits(every_query=True), logits(every_query=False), atol=1e-6)


def test_models_without_attention_are_refused(word_model, toy_task: Task):
    for name in ("maxpool", "linear", "lstm"):
        with pytest.raises(InputError, match="shows no attention; choose minilm, or a network laid out like"):
            word_attention(Engine(word_model(name)), toy_task.test[0])
