"""Scores move only with a raised version: what every explainer said when its version was made.

    python tests/explainers/test_scores_stay.py

writes the file of scores anew: after a version was raised, never to make a test pass.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import request
from test_invariances import BASELINES, OPEN, explain, pairs_of, smooth
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explainer, Request
from assay.harness.config.keys import versions
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Rationale, Span

FILE = Path(__file__).with_name("scores_of_versions.json")
TEXTS = [(4, 9, 5, 12, 7, 20), (11,), (8, 3, 9, 4, 15, 16, 17, 18, 19, 21, 22)]
ERROR = 1e-6
# Of an encoder in float32, whose sums processors take in another order.
FLOAT32_ERROR = 2e-5
ENCODER = "an encoder in float32, "
WORDS = ("w2 w7 w3 w10 w5 w18", "w9", "w6 w1 w7 w2 w13 w14 w15 w16 w17 w19 w20")
TRAINING = ("w20 w21 w22", "w21 w23", "w22 w22 w24 w25", "w26 w20", "w23 w25 w26 w26 w21", "w24 w20")
# Training amplifies the last digits of a sum, which differ between processors.
TRAINED = ("diffmask", "diffmask_per_example", "entropy_perturbation", "information_bottleneck")
# The version of another library decides.
OTHERS = ("captum", "captum_ablation", "shap_kernel", "lime_words")
of_every_explainer = pairs_of(
    lambda name, explainer: name not in TRAINED + OTHERS, baselines={"mask": BASELINES["mask"]}
)
# They need a step or a vector that no encoder has.
NO_ENCODERS = ("deep_lift", "pooled_ig", "pooled_shapley", "pooled_shapley_kde")
of_every_explainer_of_encoders = pairs_of(
    lambda name, explainer: name not in TRAINED + OTHERS + NO_ENCODERS,
    has=OPEN | {"layer:layer_1", "layer:layer_2", "step:attend", "step:merge", "activations"},
    baselines={"mask": BASELINES["mask"]},
)


def scores_of(explainer: Explainer, baseline: Baseline | None) -> dict[str, Any]:
    requests = [request(ids, [2, 0]) for ids in TEXTS]
    return _told(explainer, explain(explainer, smooth(), requests, baseline))


def scores_of_encoder(explainer: Explainer, baseline: Baseline | None) -> dict[str, Any]:
    model = encoder()
    examples = [Example(text, (text,), (0,), (Rationale((Span(0, 1),)),)) for text in WORDS]
    encodings = model.encode([example.texts for example in examples])
    requests = [
        Request(one, encoding, np.array([2, 0])) for one, encoding in zip(examples, encodings, strict=True)
    ]
    texts = [Example(text, (text,), (at % 3,)) for at, text in enumerate(TRAINING)]
    return _told(explainer, explain(explainer, model, requests, baseline, texts=texts))


def _told(explainer: Explainer, found: list[Any]) -> dict[str, Any]:
    return {
        "versions": [list(one) for one in versions(explainer)],
        "scores": [[record.scores.astype(float).tolist() for record in records] for records in found],
    }


@cache
def encoder() -> TransformerModel:
    """A BERT of two layers whose weights are numbers of numpy, by their names."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: at for at, word in enumerate([*special, *(f"w{at}" for at in range(30))])}
    own = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    own.pre_tokenizer = WhitespaceSplit()
    ends = [(name, words[name]) for name in ("[CLS]", "[SEP]")]
    own.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name.strip('[]').lower()}_token": name for name in special}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=own, **names)
    sizes: dict[str, Any] = {
        **{"vocab_size": len(words), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"intermediate_size": 48, "max_position_embeddings": 24, "num_labels": 3, "pad_token_id": 0},
    }
    network = BertForSequenceClassification(BertConfig(**sizes))
    rng = np.random.RandomState(0)  # whose numbers numpy has promised never to change
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            norm = "LayerNorm.weight" in name
            weight.copy_(torch.from_numpy(norm + 0.3 * rng.standard_normal(tuple(weight.shape))))
    network.requires_grad_(False)
    labels = ("a", "b", "c")
    network.config.id2label = dict(enumerate(labels))
    return Transformer(path=None).assemble(network, tokenizer, labels, multi_label=False)


def _compare(name: str, found: dict[str, Any], error: float) -> None:
    known = json.loads(FILE.read_text(encoding="utf-8"))[name]
    assert found["versions"] == known["versions"], "write the file of scores anew, and a **Scores** entry"
    for one, other in zip(found["scores"], known["scores"], strict=True):
        for new, old in zip(one, other, strict=True):
            largest = max(1e-9, np.abs(old).max())
            np.testing.assert_allclose(new, old, rtol=0, atol=error * largest, err_msg="raise the version")


@of_every_explainer
def test_scores_are_those_of_the_version(explainer, baseline, request: pytest.FixtureRequest) -> None:
    _compare(request.node.callspec.id, scores_of(explainer, baseline), ERROR)


@of_every_explainer_of_encoders
def test_scores_of_an_encoder_are_those_of_the_version(
    explainer, baseline, request: pytest.FixtureRequest
) -> None:
    name = ENCODER + request.node.callspec.id
    _compare(name, scores_of_encoder(explainer, baseline), FLOAT32_ERROR)


if __name__ == "__main__":
    made = {str(case.id): scores_of(*case.values) for case in of_every_explainer.args[1]}
    for case in of_every_explainer_of_encoders.args[1]:
        made[ENCODER + str(case.id)] = scores_of_encoder(*case.values)
    rows = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(made.items())]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
