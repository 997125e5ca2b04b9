"""Checkpoints whose outputs are in another order than the task's labels."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from assay.explainers.baselines import Mask
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.propagation.attention import AttentionXGradient
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.protocol import Request
from assay.models.batching import pad
from assay.models.engine import Engine
from assay.models.saving import load, save, weights_hash
from assay.models.seeding import seeded
from assay.models.training import Training, fit
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

ORDER = [2, 0, 1]
AS_IT_IS = Training(epochs=0)


def turned(model: TransformerModel, folder: Path, names: dict[str, Any] | None = None) -> Path:
    """A checkpoint of the model with its outputs in ORDER, named so, or as `names` of config.json say."""
    network = deepcopy(model.network)
    with torch.no_grad():
        for name in ("classifier.weight", "classifier.bias"):
            parameter = network.get_parameter(name)
            parameter.copy_(parameter[ORDER].clone())
    network.config.id2label = {at: model.labels[label] for at, label in enumerate(ORDER)}
    network.config.label2id = {name: at for at, name in network.config.id2label.items()}
    network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    if names is not None:
        config = json.loads((folder / "config.json").read_text())
        config = {name: value for name, value in config.items() if name not in ("id2label", "label2id")}
        size = {} if "id2label" in names else {"num_labels": len(ORDER)}
        (folder / "config.json").write_text(json.dumps(config | size | names))
    return folder


def finished(folder: Path, task: Task, **settings: Any) -> TransformerModel:
    """The checkpoint used as it is."""
    return fit(Transformer(path=str(folder), training=AS_IT_IS, **settings), task, 0)[0]


def same_answers(one: TransformerModel, other: TransformerModel, task: Task) -> bool:
    """Whether two models give every label the same logit on every text."""
    encodings = one.encode([example.texts for example in task.test])
    batch = pad(encodings, one.pad_id)
    with torch.inference_mode():
        return bool(torch.allclose(one.logits(batch), other.logits(batch), atol=1e-5))


def test_outputs_go_by_their_names_and_weights_stay(tiny_bert, toy_task: Task, tmp_path: Path):
    folder = turned(tiny_bert, tmp_path / "checkpoint")
    model = finished(folder, toy_task)
    assert model.labels == toy_task.labels
    assert same_answers(model, tiny_bert, toy_task)
    own = type(model.network).from_pretrained(folder)
    assert model.network.config.id2label == own.config.id2label
    stored = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.network.state_dict().items())
    save(model, tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert weights_hash(again) == weights_hash(model) != weights_hash(tiny_bert)
    assert same_answers(again, tiny_bert, toy_task)


@pytest.mark.parametrize(
    "method",
    [
        Saliency("mean"),
        IntegratedGradients(steps=4),
        IntegratedGradients(steps=4, layer="layer_1"),
        Occlusion(),
        DeepLift(products="shapley"),
        Lrp(),
        AttentionXGradient(),
    ],
    ids=repr,
)
def test_every_way_to_ask_is_in_the_tasks_order(method, tiny_bert, toy_task: Task, tmp_path: Path):
    model = finished(turned(tiny_bert, tmp_path), toy_task)
    found = []
    for asked in (tiny_bert, model):
        examples = toy_task.test[:4]
        encodings = asked.encode([example.texts for example in examples])
        requests = [
            Request(example, encoding, np.arange(3))
            for example, encoding in zip(examples, encodings, strict=True)
        ]
        records = method.explain(Engine(asked), requests, Mask())
        found.append([(one.target, one.scores) for of_text in records for one in of_text])
    assert [target for target, _ in found[0]] == [target for target, _ in found[1]]
    for (_, expected), (_, scores) in zip(*found, strict=True):
        np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert not np.allclose(found[0][0][1], found[0][1][1], atol=1e-3)


def test_activations_end_with_the_logits_in_the_tasks_order(tiny_bert, toy_task: Task, tmp_path: Path):
    model = finished(turned(tiny_bert, tmp_path), toy_task)
    batch = pad(model.encode([example.texts for example in toy_task.test]), model.pad_id)
    with torch.inference_mode():
        for name, layer in model.activations(batch).items():
            torch.testing.assert_close(layer, tiny_bert.activations(batch)[name], atol=1e-5, rtol=0)


def test_training_goes_on_from_the_head_as_it_is(tiny_bert, toy_task: Task, tmp_path: Path):
    training = Training(epochs=1, batch_size=16, learning_rate=1e-3)
    plain, turned_round = tmp_path / "plain", turned(tiny_bert, tmp_path / "turned")
    tiny_bert.network.save_pretrained(plain)
    tiny_bert.tokenizer.save_pretrained(plain)
    first, second = (
        fit(Transformer(path=str(folder), training=training), toy_task, 0) for folder in (plain, turned_round)
    )
    losses = [(report.epochs[0].train_loss, report.epochs[0].dev_loss) for _, report in (first, second)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_networks_that_are_not_written_out(tiny_bert, toy_task: Task, tmp_path: Path):
    config = BertConfig(
        vocab_size=len(tiny_bert.tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_act="silu",
    )
    config.id2label = {at: toy_task.labels[label] for at, label in enumerate(ORDER)}
    config.label2id = {name: at for at, name in config.id2label.items()}
    with seeded(1):
        network = BertForSequenceClassification(config).eval()
    network.save_pretrained(tmp_path)
    tiny_bert.tokenizer.save_pretrained(tmp_path)
    model = finished(tmp_path, toy_task, max_tokens=40)
    assert not hasattr(model, "open_logits")
    batch = pad(model.encode([("the film",), ("a plot again",)]), model.pad_id)
    with torch.inference_mode():
        own = network(input_ids=batch.ids, attention_mask=batch.attention.long()).logits
        expected = own[:, [ORDER.index(label) for label in range(3)]]
        entry = model.enter(model.embed(batch.ids), batch)
        for found in (model.logits(batch), model.logits_from_entry(entry, batch)):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(model.activations(batch)["logits"], expected, atol=1e-5, rtol=0)


NAMES = {at: ("negative", "neutral", "positive")[label] for at, label in enumerate(ORDER)}


@pytest.mark.parametrize(
    "names",
    [
        {"id2label": {at: name.upper() for at, name in NAMES.items()}},
        {"label2id": {name: at for at, name in NAMES.items()}},
        {
            "id2label": {at: f"LABEL_{at}" for at in range(3)},
            "label2id": {name.title(): at for at, name in NAMES.items()},
        },
    ],
    ids=["upper case", "label2id alone", "label2id beside generic names"],
)
def test_names_in_any_case_and_place(names: dict[str, Any], tiny_bert, toy_task: Task, tmp_path: Path):
    assert same_answers(finished(turned(tiny_bert, tmp_path, names), toy_task), tiny_bert, toy_task)


def test_names_that_yaml_reads_as_values(tiny_bert, toy_task: Task, tmp_path: Path):
    task = replace(toy_task, labels=("1.0", "True", "-1"))
    model = finished(turned(tiny_bert, tmp_path), task, labels=[-1, 1.0, True])
    assert same_answers(model, tiny_bert, toy_task)


def test_generic_names_are_read_by_index_and_a_warning_says_so_once(
    tiny_bert, toy_task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    generic = {at: f"LABEL_{at}" for at in range(3)}
    folder = turned(tiny_bert, tmp_path, {"id2label": generic})
    with caplog.at_level(logging.WARNING, logger="assay.models.output_labels"):
        model, again = finished(folder, toy_task), finished(folder, toy_task)
    (record,) = caplog.records
    assert "(LABEL_0 is negative, LABEL_1 is neutral, LABEL_2 is positive)" in record.getMessage()
    batch = pad(model.encode([("the film",)]), model.pad_id)
    with torch.inference_mode():
        expected = tiny_bert.logits(batch)[:, ORDER]
        for one in (model, again):
            torch.testing.assert_close(one.logits(batch), expected, atol=1e-5, rtol=0)


def test_the_option_overrules_the_checkpoints_names(tiny_bert, toy_task: Task, tmp_path: Path):
    for number, names in enumerate(({}, {"id2label": {0: "x", 1: "y", 2: "z"}})):
        folder = turned(tiny_bert, tmp_path / str(number), names)
        model = finished(folder, toy_task, labels=["Positive", "negative", "neutral"])
        assert same_answers(model, tiny_bert, toy_task)
        save(model, tmp_path / f"saved {number}")
        assert same_answers(load(tmp_path / f"saved {number}"), tiny_bert, toy_task)


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        (
            {"id2label": {0: "good", 1: "bad", 2: "so-so"}},
            None,
            r"has outputs for good, bad, so-so, but the task's labels are negative, neutral, positive; set",
        ),
        ({"id2label": {0: "LABEL_1", 1: "LABEL_0", 2: "LABEL_2"}}, None, "has outputs for LABEL_1, LABEL_0"),
        ({"id2label": {0: "negative", 1: "negative", 2: "positive"}}, None, "negative, negative, positive"),
        ({"id2label": {1: "negative", 2: "neutral", 3: "positive"}}, None, "expected numbers from 0 to 2"),
        (
            {"id2label": NAMES, "label2id": {"negative": 0, "neutral": 1, "positive": 2}},
            None,
            "calls its outputs positive, negative, neutral in id2label, but negative, neutral, positive in",
        ),
        (
            {},
            ["negative", "positive"],
            r"model\.labels is \[negative, positive\]; expected each of the task's",
        ),
        ({}, ["negative", "positive", "meh"], r"model\.labels is \[negative, positive, meh\]"),
        ({}, ["negative", "neutral", "neutral"], r"model\.labels names a label twice"),
        ({}, "negative", r"model\.labels is 'negative'; expected a list"),
    ],
)
def test_names_that_are_not_the_tasks_are_refused(
    names: dict[str, Any], labels: Any, message: str, tiny_bert, toy_task: Task, tmp_path: Path
):
    folder = turned(tiny_bert, tmp_path, names)
    with pytest.raises(InputError, match=message):
        finished(folder, toy_task, labels=labels)


def test_a_new_head_has_the_tasks_order(tiny_bert, tiny_bert_folder: Path, toy_task: Task, tmp_path: Path):
    """Whatever the checkpoint or the option says of outputs that it does not have."""
    folder = turned(tiny_bert, tmp_path / "checkpoint")
    expected = dict(enumerate(toy_task.labels))
    assert finished(folder, toy_task, pretrained=False).network.config.id2label == expected
    model = finished(tiny_bert_folder, toy_task, labels=["positive", "negative", "neutral"], init_only=True)
    assert model.network.config.id2label == expected
    tiny_bert.network.base_model.save_pretrained(tmp_path / "base")
    tiny_bert.tokenizer.save_pretrained(tmp_path / "base")
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    (tmp_path / "base" / "config.json").write_text(json.dumps(config | {"id2label": NAMES}))
    assert finished(tmp_path / "base", toy_task, init_only=True).network.config.id2label == expected


def test_a_head_that_its_configuration_does_not_tell_of(tiny_bert, toy_task: Task, tmp_path: Path):
    folder = turned(tiny_bert, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config.pop("architectures")
    (folder / "config.json").write_text(json.dumps(config))
    assert same_answers(finished(folder, toy_task), tiny_bert, toy_task)


def test_heads_of_several_labels(tiny_bert_folder: Path, toy_multi_label_task: Task, tmp_path: Path):
    original = finished(tiny_bert_folder, toy_multi_label_task, init_only=True)
    model = finished(turned(original, tmp_path), toy_multi_label_task)
    assert model.multi_label and same_answers(model, original, toy_multi_label_task)
    encodings = model.encode([example.texts for example in toy_multi_label_task.test])
    np.testing.assert_allclose(
        Engine(model).probabilities(encodings), Engine(original).probabilities(encodings), atol=1e-5
    )


def test_heads_for_inference_between_sentences(tiny_bert_folder: Path, toy_task: Task, tmp_path: Path):
    """The usual checkpoints say entailment, neutral, contradiction; e-SNLI here the other way round."""
    labels = ("contradiction", "neutral", "entailment")
    pairs = tuple(
        Example(str(n), ("the film", word), (n,)) for n, word in enumerate(("plot", "music", "today"))
    )
    task = Task("nli", labels, pairs, pairs, pairs)
    original = finished(tiny_bert_folder, replace(task, labels=labels[::-1]), init_only=True)
    original.network.save_pretrained(tmp_path)
    original.tokenizer.save_pretrained(tmp_path)
    model = finished(tmp_path, task)
    batch = pad(model.encode([example.texts for example in pairs]), model.pad_id)
    with torch.inference_mode():
        torch.testing.assert_close(model.logits(batch), original.logits(batch).flip(1))
