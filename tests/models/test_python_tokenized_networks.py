"""Networks whose tokenizer is written in Python, from a folder and wrapped, through checks and explainers."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import LABELS, SMALL
from python_tokenizers import byte_tokens, phobert, tweets, wordpieces
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizer

import assay
from assay.explainers import averaging
from assay.explainers.baselines import Mask, Pad
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.peers.shap_text import ShapText
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.harness.trials.ready_models import reading
from assay.models.check import check_model
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.saving import load, save
from assay.models.seeding import seeded
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

logging.getLogger("transformers").setLevel(logging.ERROR)

TEXTS = (
    *(
        "the good film!",
        "don't @bob the film!!!!!! 🙂🙂 (@Bob) can't",
        "http://t.co/x1 naïve  中文\nand e\u0301",
    ),
    *("x", "the plot is awful, but the music is good </s> a film", "the film " * 12),
)
EXAMPLES = tuple(Example(str(at), (text,), (at % 3,)) for at, text in enumerate(TEXTS))
TASK = Task("tweets", LABELS, EXAMPLES, EXAMPLES, EXAMPLES)


def network(name: str, tokenizer: PreTrainedTokenizer) -> PreTrainedModel:
    """A tiny one of random weights."""
    usual = AutoConfig.for_model(name)
    known = {key: value for key, value in SMALL.items() if hasattr(usual, key)}
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": 0,
        "eos_token_id": tokenizer.eos_token_id,
    }
    start = {"decoder_start_token_id": tokenizer.pad_token_id} if name == "t5" else {}
    config = AutoConfig.for_model(name, **{**known, **special, **start, "vocab_size": len(tokenizer)})
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: at for at, label in enumerate(LABELS)}
    with seeded(0):
        made = AutoModelForSequenceClassification.from_config(config)
        for parameter in made.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return made.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as BERTweet's is published: the tokenizer's files are not written by its class."""
    folder = tmp_path_factory.mktemp("bertweet")
    network("roberta", tweets(folder)).save_pretrained(folder)
    settings = {"tokenizer_class": "BertweetTokenizer", "normalization": True, "model_max_length": 128}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformerModel:
    """The classifier of the folder."""
    made = Transformer(path=str(folder), training=Training(epochs=0)).untrained(TASK, 0)
    made.network.requires_grad_(False)
    return made


def requests(model: Any, texts: tuple[str, ...] = TEXTS) -> list[Request]:
    encodings = model.encode([(text,) for text in texts])
    examples = [Example(str(at), (text,), (0,)) for at, text in enumerate(texts)]
    return [
        Request(example, encoding, np.array([1, 0]))
        for example, encoding in zip(examples, encodings, strict=True)
    ]


def test_a_folder_answers_as_its_own_call_and_survives_saving(model: TransformerModel, tmp_path: Path):
    assert not model.tokenizer.is_fast
    assert check_model(model, [(text,) for text in TEXTS], tolerance=1e-5) == []
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    rows = [full_rows(encoding) for encoding in model.encode([(text,) for text in TEXTS])]
    back = [full_rows(encoding) for encoding in again.encode([(text,) for text in TEXTS])]
    for one, other in zip(rows, back, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
    np.testing.assert_allclose(
        np.concatenate(Engine(again).logits(back)), np.concatenate(Engine(model).logits(rows)), atol=1e-6
    )
    assert reading(model) == reading(again)
    again.tokenizer.normalization = False
    assert reading(model) != reading(again)


def test_occlusion_is_brute_force_with_the_networks_own_call(model: TransformerModel):
    asked = requests(model)
    found = list(averaging.explain(Occlusion(output="logit"), Engine(model), asked, Mask()))
    for request, records in zip(asked, found, strict=True):
        text = request.example.texts[0]
        own = model.tokenizer(text, return_tensors="pt")["input_ids"]
        for record in records:
            assert list(record.tokens) == model.tokenizer.convert_ids_to_tokens(own[0])
            column = record.target
            with torch.no_grad():
                full = model.network(own).logits[0, column]
                for at in np.flatnonzero(request.encoding.content).tolist():
                    without = own.clone()
                    without[0, at] = model.tokenizer.mask_token_id
                    drop = float(full - model.network(without).logits[0, column])
                    np.testing.assert_allclose(record.scores[at], drop, atol=1e-5)


def test_gradients_and_words(model: TransformerModel):
    asked = requests(model, TEXTS[:3])
    for records in averaging.explain(IntegratedGradients(steps=4), Engine(model), asked, Pad()):
        for record in records:
            assert np.isfinite(record.scores).all() and np.abs(record.scores).max() > 0
    for request, (record, _) in zip(
        asked, averaging.explain(Occlusion(unit="word"), Engine(model), asked, Mask()), strict=True
    ):
        words = request.encoding.word_ids
        for word in range(words.max() + 1):
            assert len(set(record.scores[words == word].tolist())) == 1
    text, words = TEXTS[1], asked[1].encoding.word_ids
    offsets = asked[1].encoding.offsets
    places = [
        (offsets[words == word, 0].min(), offsets[words == word, 1].max()) for word in range(words.max() + 1)
    ]
    # As the tokenizer divides them: "don't" into two, and what becomes "@USER" or ":smile:" is one.
    assert [text[start:end] for start, end in places] == [
        *("do", "n't", "@bob", "the", "film", "!!!!!!", "🙂", "🙂", "(", "@Bob", ")", "can't"),
    ]


@pytest.mark.parametrize("name", ["roberta", "bert", "t5"])
def test_wrapped_networks_are_explained(name: str, tmp_path: Path):
    build = {"roberta": phobert, "bert": wordpieces, "t5": byte_tokens}[name]
    tokenizer = build(tmp_path)
    made = network(name, tokenizer)
    classifier = assay.wrap(made, tokenizer)
    found = assay.explain(classifier, "the good film isn't awful", "occlusion")
    assert np.isfinite(found.record.scores).all() and np.abs(found.record.scores).max() > 0
    pairs = classifier.model.encode([("the good film", "an awful plot")])
    own = tokenizer("the good film", "an awful plot", return_tensors="pt")
    with torch.no_grad():
        expected = made(**own).logits.numpy()
    np.testing.assert_allclose(Engine(classifier.model).logits([full_rows(pairs[0])])[0], expected, atol=1e-5)


def test_long_texts_are_cut_in_a_wrapped_network(tmp_path: Path):
    tokenizer = phobert(tmp_path)
    made = network("roberta", tokenizer)
    with pytest.raises(InputError, match="reads at most 8"):
        assay.explain(assay.wrap(made, tokenizer, max_tokens=8), TEXTS[4], "occlusion")
    cut = assay.wrap(made, tokenizer, max_tokens=8, over_limit="truncate")
    (encoding,) = cut.model.encode([(TEXTS[4],)])
    assert encoding.ids.tolist() == tokenizer(TEXTS[4], truncation=True, max_length=8)["input_ids"]


def test_shap_on_strings_is_told_what_to_do(model: TransformerModel):
    pytest.importorskip("shap")
    with pytest.raises(
        InputError, match=r"a BertweetTokenizer gives shap no offsets .*; set explainer\.shap_text"
    ):
        list(averaging.explain(ShapText(), Engine(model), requests(model, TEXTS[:1]), None))
