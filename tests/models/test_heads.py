"""Checkpoints read to their last position, heads of another kind than the task's, and torn or odd files."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from foreign_checkpoints import bytes_trimmed, wordpiece
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

import assay
from assay.models.adapters import TorchAdapter
from assay.models.check import check_model
from assay.models.limit import Limit
from assay.models.seeding import seeded
from assay.models.tokenizing import encode_texts
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

POSITIONS = 40
LABELS = ("bad", "good")
EXAMPLES = tuple(Example(str(at), (text,), (at % 2,)) for at, text in enumerate(("good", "a film")))
TASK = Task("two", LABELS, EXAMPLES, EXAMPLES, EXAMPLES)
SEVERAL = Task("several", LABELS, EXAMPLES, EXAMPLES, EXAMPLES, multi_label=True)
SIZES: dict[str, Any] = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40},
    **{"vocab_size": 320, "pad_token_id": 1},
}


def tiny(kind: str = "bert", **config: Any) -> tuple[Any, Any]:
    """A random network that reads 40 tokens, and its tokenizer."""
    with seeded(0):
        if kind == "roberta":
            settings = RobertaConfig(**SIZES, max_position_embeddings=POSITIONS + 2, **config)
            return RobertaForSequenceClassification(settings).eval(), bytes_trimmed()
        settings = BertConfig(**SIZES, max_position_embeddings=POSITIONS, **config)
        return BertForSequenceClassification(settings).eval(), wordpiece()


def saved(folder: Path, **config: Any) -> str:
    network, tokenizer = tiny(id2label=dict(enumerate(LABELS)), label2id={"bad": 0, "good": 1})
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return str(folder)


def finished(path: str, task: Task = TASK, epochs: int = 0, **settings: Any) -> Any:
    return Transformer(path=path, training=Training(epochs=epochs), **settings).untrained(task, 0)


@pytest.mark.parametrize("lengths", [(POSITIONS,), (4, POSITIONS), (4, POSITIONS - 3), (4, 90), (90, 95)])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_padding_stays_within_the_positions(kind: str, lengths: tuple[int, ...]) -> None:
    network, tokenizer = tiny(kind)
    model: Any = assay.wrap(network, tokenizer, over_limit="truncate").model
    assert model.limit.max_tokens == POSITIONS
    texts = [(". " * (length - 2),) for length in lengths]
    if kind == "roberta":
        texts = [("." + " ." * 99,)] * 2 if min(lengths) > POSITIONS else [("z" * (n - 2),) for n in lengths]
    assert [len(encoding) for encoding in model.encode(texts)] == [min(n, POSITIONS) for n in lengths]
    assert check_model(model, texts, tolerance=1e-4) == []


def test_a_network_that_tells_no_limit_is_not_asked_beyond_its_longest_text() -> None:
    network, tokenizer = tiny()

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, ids: Any, attention: Any) -> Any:
            return self.inner(ids, attention_mask=attention.long()).logits

    def encode(texts: Any) -> Any:
        return encode_texts(tokenizer, texts, Limit(POSITIONS, "truncate"))

    model = TorchAdapter(Bare().eval(), labels=LABELS, encode=encode, pad_id=1)
    assert check_model(model, [(".",), (". " * 90,)], tolerance=1e-4) == []


def test_a_network_that_reads_padding_is_still_found_at_its_limit() -> None:
    network, tokenizer = tiny()
    model: Any = assay.wrap(network, tokenizer).model
    own = model.logits
    model.logits = lambda batch: own(batch) + batch.ids.shape[1]
    found = check_model(model, [(". " * 10,), (". " * (POSITIONS - 2),)], tolerance=1e-4)
    assert "depend on the length of the padding" in found[0]


@pytest.mark.parametrize(
    ("problem", "task", "words"),
    [
        ("multi_label_classification", TASK, "the task has multi_label=false.*set task.multi_label=true"),
        ("single_label_classification", SEVERAL, "the task has multi_label=true.*set task.multi_label=false"),
        ("regression", TASK, "is a regression by its configuration"),
        ("regression", SEVERAL, "is a regression by its configuration"),
    ],
)
def test_a_head_of_another_kind_is_refused(problem: str, task: Task, words: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "head", problem_type=problem)
    with pytest.raises(InputError, match=words):
        finished(path, task)
    with pytest.raises(InputError, match=words):
        finished(path, task, epochs=1, init_only=True)
    # Training gives it the task's own.
    assert finished(path, task, epochs=1).multi_label == task.multi_label


@pytest.mark.parametrize("problem", [None, "own"])
def test_a_head_of_the_tasks_kind_or_of_none_is_read(problem: str | None, tmp_path: Path) -> None:
    for task, own in ((TASK, "single_label_classification"), (SEVERAL, "multi_label_classification")):
        path = saved(tmp_path / task.name, problem_type=own if problem else None)
        assert finished(path, task).multi_label == task.multi_label


def test_one_output_is_a_regression(tmp_path: Path) -> None:
    network, tokenizer = tiny(num_labels=1)
    with pytest.raises(InputError, match="has one output, which is a regression"):
        assay.wrap(network, tokenizer)
    assert assay.wrap(network, tokenizer, multi_label=True).labels == ("LABEL_0",)
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has one output, which is a regression"):
        finished(str(tmp_path))


def test_wrap_refuses_a_regression_and_names_that_are_given_twice(tmp_path: Path) -> None:
    network, tokenizer = tiny(problem_type="regression")
    with pytest.raises(InputError, match="is a regression by its configuration"):
        assay.wrap(network, tokenizer)
    network, tokenizer = tiny(id2label={0: "x", 1: "x"}, label2id={"x": 1})
    with pytest.raises(InputError, match="the model's id2label names a class twice"):
        assay.wrap(network, tokenizer)
    assert assay.wrap(network, tokenizer, labels=["bad", "good"]).labels == LABELS
    network, tokenizer = tiny(id2label={1: "bad", 2: "good"}, label2id={"bad": 1, "good": 2})
    with pytest.raises(InputError, match=r"id2label names the outputs 1, 2; expected numbers from 0 to 1"):
        assay.wrap(network, tokenizer)
    path = saved(tmp_path / "twice", id2label={"0": "good", "1": "good"}, label2id={"good": 1})
    with pytest.raises(InputError, match="outputs for good, good"):
        finished(path)


def test_a_tokenizer_that_cuts_on_the_other_side_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network, tokenizer = tiny()
    tokenizer.truncation_side = "left"
    words = "on the left, but they are cut on the right; if that is wrong, set model.truncate_side=left"
    with caplog.at_level(logging.WARNING):
        assay.wrap(network, tokenizer)
        assay.wrap(network, tokenizer, over_limit="truncate", truncate_side="left")
        assert words not in caplog.text
        assay.wrap(network, tokenizer, over_limit="truncate")
        assert words in caplog.text
        caplog.clear()
        network.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        path = tmp_path / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "truncation_side": "left"}))
        finished(str(tmp_path), over_limit="truncate")
        assert words in caplog.text and str(tmp_path) in caplog.text


@pytest.mark.parametrize("kept", [4, 1000])
def test_a_torn_file_of_weights_is_named(kept: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "torn")
    file = tmp_path / "torn" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        InputError, match=r"torn/model\.safetensors cannot be read .*download or save the che"
    ):
        finished(path)
