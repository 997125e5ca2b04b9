"""Counts of operations, against formulas and against plain networks under torch's own counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from assay.explainers.baselines import Delete, Mask
from assay.explainers.explanation import Cost
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.models.adapters import BlackBox
from assay.models.backward_rule import BackwardRule
from assay.models.batching import pad
from assay.models.dense import Dense
from assay.models.engine import Engine
from assay.models.flops import Meter, backward_flops, countable, counted, forward_flops
from assay.models.lstm import LstmNetwork
from assay.models.transformer_model import TransformerModel
from assay.models.word_model import WordModel
from assay.tasks.example import Task

Build = Callable[..., WordModel]


@pytest.fixture(params=["cnn", "lstm", "maxpool", "tiny_bert"])
def engine(request: pytest.FixtureRequest, word_model: Build, tiny_bert: TransformerModel) -> Engine:
    return Engine(tiny_bert if request.param == "tiny_bert" else word_model(request.param))


@pytest.mark.parametrize("rows", [1, 7])
def test_linear_layers_by_onednn_count_as_torch_s(rows: int) -> None:
    plain = nn.Linear(5, 3).requires_grad_(False)
    ours, x = Dense(plain), torch.randn(rows, 5)

    def forward(layer: Any) -> None:
        with torch.inference_mode():
            layer(x)

    def both(layer: Any) -> None:
        point = x.clone().requires_grad_(True)
        torch.autograd.grad(layer(point).sum(), point)

    with FlopCounterMode(display=False) as torchs:
        forward(plain)
    assert counted(lambda: forward(ours)) == torchs.get_total_flops() == 2 * rows * 5 * 3
    # Without a kernel of oneDNN there is nothing that torch's counter does not know.
    assert counted(lambda: both(ours)) == counted(lambda: both(plain)) == 2 * 2 * rows * 5 * 3


@pytest.mark.parametrize("length", [1, 4, 11])
def test_a_cnn_counts_its_filters_at_every_place(length: int, word_model: Build) -> None:
    model = word_model("cnn")
    (dense,) = (module for module in model.network.modules() if isinstance(module, nn.Linear))
    filters = [module for module in model.network.modules() if isinstance(module, nn.Conv1d)]
    expected = 2 * dense.weight.numel() + sum(
        2 * module.weight.numel() * (length + module.kernel_size[0] - 1) for module in filters
    )
    assert forward_flops(Engine(model), length) == expected
    # Back to the embeddings alone: every product once more.
    assert backward_flops(Engine(model), length) == expected


@pytest.mark.parametrize("length", [1, 4, 11])
def test_an_lstm_counts_as_its_steps(length: int, word_model: Build) -> None:
    model = word_model("lstm")
    network = model.network
    assert isinstance(network, LstmNetwork)
    embeddings = torch.randn(1, length, network.embedding.embedding_dim)
    attention = torch.ones(1, length, dtype=torch.bool)

    def in_steps() -> None:
        with torch.inference_mode():
            network(embeddings, attention, BackwardRule())

    assert forward_flops(Engine(model), length) == counted(in_steps) > 0


@pytest.mark.parametrize("length", [3, 8, 20])
def test_bert_counts_as_the_plain_network_less_what_the_last_layer_saves(
    length: int, tiny_bert: TransformerModel
) -> None:
    config = tiny_bert.network.config
    width, inner = config.hidden_size, config.intermediate_size
    ids = torch.zeros((1, length), dtype=torch.long)

    def plain() -> None:
        with torch.inference_mode():
            tiny_bert.network(input_ids=ids, attention_mask=torch.ones_like(ids))

    per_token = 4 * 2 * width * width + 2 * 2 * width * inner + 2 * 2 * length * width
    whole = config.num_hidden_layers * length * per_token + 2 * width * (width + len(tiny_bert.labels))
    assert counted(plain) == whole
    # In the last layer all tokens but the first need keys and values alone.
    saved = (length - 1) * (per_token - 2 * 2 * width * width)
    assert forward_flops(Engine(tiny_bert), length) == whole - saved


def test_bert_s_way_back_is_that_of_the_plain_network(tiny_bert: TransformerModel) -> None:
    """The plain network's, measured around it, less what the last layer saves on the way back."""
    length, config = 6, tiny_bert.network.config
    batch = pad(tiny_bert.encode([("a b c d",)]), tiny_bert.pad_id)
    assert batch.ids.shape == (1, length)
    width, inner = config.hidden_size, config.intermediate_size

    def way_back(network: Callable[[torch.Tensor], torch.Tensor]) -> int:
        with torch.no_grad():
            entry = tiny_bert.enter(tiny_bert.embed(batch.ids), batch)
        point = entry.requires_grad_(True)
        both = counted(lambda: torch.autograd.grad(network(point)[0, 0], point))
        return both - counted(lambda: network(point.detach()))

    found = backward_flops(Engine(tiny_bert), length)
    assert found == way_back(lambda point: tiny_bert.logits_from_entry(point, batch))
    products = 4 * 2 * width * width + 2 * 2 * width * inner
    # Attention goes back with five products of queries and keys for its two on the way there.
    first = length * (products + 5 * 2 * length * width)
    last = length * 2 * 2 * width * width + (products - 2 * 2 * width * width) + 5 * 2 * length * width
    assert found == first + last + 2 * width * (width + len(tiny_bert.labels))


def requests(engine: Engine, task: Task, count: int = 4) -> list[Request]:
    examples = task.test[:count]
    encodings = engine.model.encode([example.texts for example in examples])
    return [Request(e, encoding, np.array([1])) for e, encoding in zip(examples, encodings, strict=True)]


@pytest.mark.parametrize("method", [Occlusion(), Saliency(), IntegratedGradients(steps=4)])
def test_prices_are_what_a_text_alone_costs(method: Any, engine: Engine, toy_task: Task) -> None:
    meter = Meter(engine)
    for request in requests(engine, toy_task):
        costs: list[Cost] = []
        spent = counted(lambda r=request, c=costs: c.append(method.explain(engine, [r], Mask())[0][0].cost))
        numbers = (costs[0].forward_rows, costs[0].backward_rows, costs[0].tokens)
        forward, backward, tokens = (np.array([float(number)]) for number in numbers)
        assert meter.flops(forward, backward, tokens).tolist() == [spent]


def test_prices_of_shortened_rows_are_near(engine: Engine, toy_task: Task) -> None:
    meter, method = Meter(engine), Occlusion()
    for request in requests(engine, toy_task):
        costs: list[Cost] = []
        spent = counted(lambda r=request, c=costs: c.append(method.explain(engine, [r], Delete())[0][0].cost))
        # The engine pads the shorter rows of a batch; a price is without.
        found = meter.flops(
            np.array([float(costs[0].forward_rows)]), np.zeros(1), np.array([float(costs[0].tokens)])
        )
        assert 0.6 * spent < found[0] < 1.1 * spent


def test_what_asks_nothing_costs_nothing(engine: Engine) -> None:
    assert Meter(engine).flops(np.zeros(3), np.zeros(3), np.zeros(3)).tolist() == [0, 0, 0]


def test_measuring_is_repeatable_and_not_counted_as_rows(engine: Engine) -> None:
    assert forward_flops(engine, 5) == forward_flops(engine, 5) > 0
    assert backward_flops(engine, 5) == backward_flops(engine, 5) > 0
    assert engine.counters.forward_rows == engine.counters.backward_rows == 0


def test_a_black_box_is_not_countable(engine: Engine) -> None:
    box = BlackBox(lambda texts: np.full((len(texts), 2), 0.5), labels=("a", "b"), fingerprint="x")
    assert countable(engine) and not countable(Engine(box))
