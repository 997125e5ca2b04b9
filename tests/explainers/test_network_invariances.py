"""What must hold for every explainer on every open network and on decoders, by weights in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from open_networks import OPEN_NETWORKS
from test_decoders import DECODERS
from test_decoders import TASK as DECODED
from test_decoders import TEXTS as DECODED_TEXTS
from test_invariances import BASELINES, OPEN, explain, pairs_of

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explainer, Request
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Rationale, Span, Task

ERROR = 1e-6
pytestmark = pytest.mark.slow
TEXTS = ("the film seems awful about the plot today", "a", "boring music", "very very brilliant story a plot")


@pytest.fixture(scope="module", params=OPEN_NETWORKS)
def model(
    request: pytest.FixtureRequest, open_network: Callable[[str], TransformerModel]
) -> TransformerModel:
    model = deepcopy(open_network(request.param))
    model.network.double()
    return model


# They need a step or a vector that no transformer has; attention is in test_open_invariances.py.
ELSEWHERE = ("deep_lift", "pooled_ig", "pooled_shapley")


# What a decoder with a mask token can do.
OF_DECODERS = frozenset(
    {"activations", "embedding_table", "embeddings", "gradients", "mask_token", "unk_token"}
)


@pytest.fixture(scope="module", params=DECODERS, ids=str)
def decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformerModel:
    folder = request.param.save(tmp_path_factory.mktemp("decoder"))
    model = Transformer(path=str(folder), training=Training(epochs=0)).untrained(DECODED, 0)
    model.network.requires_grad_(False).double()
    return model


def _stay(
    explainer: Explainer,
    baseline: Baseline | None,
    model: TransformerModel,
    given: Sequence[str],
    trained_on: Sequence[Example],
) -> None:
    """Assert that batch mates, order, budget and other targets change no score."""
    marked = Rationale((Span(0, 1),))
    examples = [Example(str(at), (text,), (0,), (marked,)) for at, text in enumerate(given)]
    encodings = model.encode([example.texts for example in examples])
    requests = [
        Request(one, encoding, np.array([2, 0])) for one, encoding in zip(examples, encodings, strict=True)
    ]
    texts = trained_on[:8]
    together = explain(explainer, model, requests, baseline, texts=texts)
    turned = explain(explainer, model, requests[::-1], baseline, texts=texts, budget=40)[::-1]
    for at, asked in enumerate(requests):
        ((alone,),) = explain(
            explainer, model, [replace(asked, targets=np.array([0]))], baseline, texts=texts
        )
        largest = max(1e-9, float(np.abs(together[at][1].scores).max()))
        for other in (turned[at][1], alone):
            np.testing.assert_allclose(other.scores, together[at][1].scores, rtol=0, atol=ERROR * largest)


@pairs_of(lambda name, explainer: name not in ELSEWHERE, has=OPEN, baselines={"mask": BASELINES["mask"]})
def test_batch_mates_order_budget_and_other_targets_change_nothing(
    explainer, baseline, model: TransformerModel, toy_task: Task
) -> None:
    _stay(explainer, baseline, model, TEXTS, toy_task.train)


@pairs_of(
    lambda name, explainer: name not in ELSEWHERE and not explainer.traits.from_model,
    has=OF_DECODERS,
    baselines={"mask": BASELINES["mask"]},
)
def test_nor_do_they_on_decoders(explainer, baseline, decoder: TransformerModel) -> None:
    _stay(explainer, baseline, decoder, DECODED_TEXTS, DECODED.train)
