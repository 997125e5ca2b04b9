"""`assay check-model` names what is wrong with a model, each fault planted, before anything is explained."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification

from assay.harness.cli import main
from assay.models.seeding import seeded

FILLER = ["the", "film", "was", "long", "and", "we", "saw", "it", "twice", "again"]
LABELS = ["negative", "positive"]

MODULE = """
import itertools

import numpy as np
import torch
from torch import nn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.limit import Limit
from assay.models.vocabulary import Vocabulary

LABELS = ("negative", "positive")
TEXTS, GOLD = ["a good film", "a bad film", "good", "bad"], ["positive", "negative", "positive", "negative"]


def chances(texts):
    return both(np.array([0.1 + 0.8 * ("good" in text) for text in texts]))


def box(predict):
    return BlackBox(predict, labels=LABELS, fingerprint="1")


def sound(name):
    return box(chances)


def drawing(name):
    rng = np.random.default_rng(0)
    return box(lambda texts: both(chances(texts)[:, 1] - 0.05 * rng.random(len(texts))))


def both(p):
    return np.stack([1 - p, p], axis=1)


def by_batch(name):
    return box(lambda texts: chances(texts) if len(texts) < 3 else np.full((len(texts), 2), 0.5))


def by_order(name):
    return box(lambda texts: chances(texts[:1] * len(texts)))


def complex_numbers(name):
    return box(lambda texts: chances(texts) + 0j)


def decided(name):
    return box(lambda texts: chances(texts).round().astype(int))


def one_column(name):
    return box(lambda texts: chances(texts)[:, 1])


def names(name):
    return box(lambda texts: ["positive" for text in texts])


def text_cells(name):
    return box(lambda texts: chances(texts).astype(str))


def failing(name):
    def predict(texts):
        raise KeyError("tokens")

    return box(predict)


def alone_only(name):
    def predict(texts):
        if len(texts) > 1:
            raise ValueError("one text a call")
        return chances(texts)

    return box(predict)


def turned(name):
    return box(lambda texts: chances(texts)[:, ::-1])


def constant(name):
    return box(lambda texts: np.tile([0.6, 0.4], (len(texts), 1)))


def pipeline(name):
    return make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, GOLD)


def unfitted(name):
    return make_pipeline(CountVectorizer(), LogisticRegression())


def machine(name):
    return make_pipeline(CountVectorizer(), LinearSVC()).fit(TEXTS, GOLD)


def bare_network(name):
    return nn.Linear(2, 2)


def number(name):
    return 3


class Neighbours(nn.Module):
    "Reads the word behind each one, and behind the seventh also padding."

    def __init__(self, words):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = nn.Embedding.from_pretrained(torch.randn(words, 2, generator=generator))

    def forward(self, ids, attention):
        read = self.table(ids) * attention[..., None]
        beyond = self.table(ids[:, 7:]) if ids.shape[1] > 7 else read[:, :0]
        return read.sum(dim=1) + beyond.sum(dim=1)


def padded(name):
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "[MASK]", "[SEP]", "good", "bad"])
    network = Neighbours(len(vocabulary))
    return TorchAdapter(
        network, labels=LABELS, encode=lambda texts: vocabulary.encode(texts, Limit(100)), mask_id=2
    )


def integers(name):
    model = padded(name)
    model._logits = lambda batch: model.network(batch.ids, batch.attention).long()
    return model
"""


def _texts(count: int, rng: np.random.Generator) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(count):
        words = [str(word) for word in rng.choice(FILLER, size=rng.integers(0, 14))]
        words.append("good" if number % 2 else "bad")
        rows.append({"text": f"{' '.join(words)} {number}", "label": LABELS[number % 2]})
    return rows


@pytest.fixture
def checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command on texts of two labels; returns its exit status and what it printed."""
    (tmp_path / "faultymodels.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASSAY_TRUST", "faultymodels")
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "texts.jsonl"
    rows = _texts(120, np.random.default_rng(0))
    data.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

    def run(model: str, *overrides: str, command: str = "check-model") -> tuple[int, str]:
        folder = tmp_path / "conf" / "model"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{model}.yaml").write_text(f"_target_: faultymodels.{model}\nname: {model}\n")
        settings = ["task=local", f"task.path={data}", "task.fractions=[0.3,0.1,0.6]", f"model={model}"]
        settings += ["--config-dir", str(folder.parent)]
        status = main([command, *settings, "name=checked", *overrides])
        printed = capsys.readouterr()
        return status, " ".join((printed.out + printed.err).split())

    return run


@pytest.mark.parametrize("model", ["sound", "pipeline"])
def test_a_sound_model_passes(checked: Callable[..., tuple[int, str]], tmp_path: Path, model: str) -> None:
    status, text = checked(model)
    assert status == 0, text
    assert "ok: answers: the same in every call, alone and in batches, on 20 texts" in text
    assert "ok: quality: right on 20 of 20 texts, a constant on 1" in text
    assert not (tmp_path / "assay-store").exists()


def test_a_baseline_that_the_model_does_not_allow_is_said(checked: Callable[..., tuple[int, str]]) -> None:
    wanted = ["baseline=[mask,delete]", "baseline@removal=[mask]"]
    status, text = checked("sound", *wanted)
    said = "the model has no mask token, so nothing that uses it is computed; choose"
    assert status == 0
    assert f"note: baseline=mask: {said} baseline=[delete]" in text
    assert f"note: baseline@removal=mask: {said} baseline@removal=[delete]" in text
    assert "mask token" not in checked("sound", "baseline=[delete]", "baseline@removal=[delete]")[1]


FAULTS = {
    "drawing": r"change from call to call .* needs a fixed seed",
    "by_batch": r"depend on the other texts of the batch \(set engine.budget=1",
    "by_order": r"depend on the other texts of the batch",
    "complex_numbers": "gave complex numbers; expected probabilities",
    "decided": "gave whole numbers, as decided labels",
    "one_column": r"shape \(1,\); expected \(1, 2\).*give \[1 - p, p\]",
    "names": "not the decided label",
    "text_cells": "gave values of the type <U",
    "failing": "fails on a single text: KeyError: 'tokens'",
    "alone_only": "fails on several texts in a batch; set engine.budget=1.*: ValueError: one text a call",
    "turned": "right on 0 of 20 texts.*which is not bad luck.*labels may be mixed up",
    "unfitted": "was not fitted",
    "machine": "its decisions are no probabilities; .*CalibratedClassifierCV",
    "bare_network": r"is a Linear and no classifier; give TorchAdapter\(",
    "number": r"is a int and no classifier; give BlackBox\(",
    "padded": "depend on the length of the padding",
    "integers": "type torch.int64; expected floating-point numbers",
}


@pytest.mark.parametrize("model", FAULTS)
def test_a_fault_is_named(checked: Callable[..., tuple[int, str]], model: str) -> None:
    status, text = checked(model)
    assert status == 1
    assert re.search(FAULTS[model], text), text
    assert "Traceback" not in text


@pytest.mark.parametrize("model", ["drawing", "by_batch", "padded", "decided"])
def test_a_run_refuses_what_would_be_wrong_numbers(
    checked: Callable[..., tuple[int, str]], model: str
) -> None:
    options = ["explainer=[random,occlusion]", "baseline=[delete]", "baseline@removal=[delete]"]
    status, text = checked(model, *options, "limits.default.test=24", "report.bootstrap=20", command="run")
    assert status == 1
    assert any(words in text for words in ("cannot be explained", "predict_proba gave")), text


@pytest.mark.parametrize("model", ["by_batch", "alone_only", "padded"])
def test_a_model_of_single_texts_is_asked_one_by_one(
    checked: Callable[..., tuple[int, str]], model: str, tmp_path: Path
) -> None:
    status, text = checked(model, "engine.budget=1")
    assert status == 0, text
    assert "the same in every call, alone, on 20 texts" in text
    options = ["explainer=[random,occlusion]", "baseline=[delete]", "baseline@removal=[delete]"]
    options += ["limits.default.test=24", "report.bootstrap=20", "engine.budget=1"]
    assert checked(model, *options, command="run")[0] == 0


def test_a_model_that_is_a_constant_is_noted_and_one_below_it_is_a_warning_everywhere(
    checked: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    status, text = checked("constant")
    assert status == 0 and "note: quality: the model is right on 9 of 20 texts, and always" in text
    options = ["explainer=[random,occlusion]", "baseline=[delete]", "baseline@removal=[delete]"]
    options += ["limits.default.test=24", "report.bootstrap=20"]
    status, text = checked("turned", *options, command="run")
    assert status == 0 and "which is not bad luck" in text
    for command in ("report", "status"):
        assert (
            "warning: local / turned / seed 0: the model is right on 0"
            in checked("turned", *options, command=command)[1]
        )
    page = (tmp_path / "assay-store" / "experiments" / "checked" / "report.html").read_text()
    assert "Warning: local / turned, seed 0: the model is right on 0" in page


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Any) -> Path:
    """A finished checkpoint that tells good from bad, its outputs in another order than the task's labels."""
    folder, config = tmp_path_factory.mktemp("taught") / "checkpoint", deepcopy(tiny_bert.network.config)
    config.num_labels, config.id2label = 2, {0: "Positive", 1: "Negative"}
    config.label2id = {"Positive": 0, "Negative": 1}
    with seeded(0):
        network = BertForSequenceClassification(config).eval()
    _teach(network, tiny_bert.tokenizer)
    network.save_pretrained(folder)
    tiny_bert.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path, taught: Path) -> Callable[..., str]:
    """Changes a copy of the taught checkpoint; returns its override."""

    def made(change: Callable[[Path], object] = lambda folder: None) -> str:
        folder = shutil.copytree(taught, tmp_path / "checkpoint", dirs_exist_ok=True)
        change(folder)
        return f"model.path={folder}"

    return made


def _teach(network: Any, tokenizer: Any) -> None:
    """Train the head, and with it all else, until it tells the texts' labels."""
    rows = _texts(120, np.random.default_rng(0))
    inputs = tokenizer([str(row["text"]) for row in rows], padding=True, return_tensors="pt")
    gold = torch.tensor([int(row["label"] == "negative") for row in rows])
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        network(**inputs, labels=gold).loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert (network(**inputs).logits.argmax(dim=1) == gold).all()


def _edit(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _poison(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["classifier.weight"][0, 0] = torch.nan
    save_file(tensors, path, metadata={"format": "pt"})


Change = Callable[[Path], object]
CHECKPOINTS: dict[str, tuple[Change, list[str], str]] = {
    "other names": (
        lambda folder: _edit(folder, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}),
        [],
        "outputs for bad, good, but the task's labels are negative, positive; set model.labels",
    ),
    "names of other numbers": (
        lambda folder: _edit(folder, id2label={0: "a", 1: "b", 2: "c"}, label2id={"a": 0, "b": 1, "c": 2}),
        [],
        "classifies into 3 labels, the task has 2",
    ),
    "swapped by hand": (
        lambda folder: None,
        ["model.labels=[negative,positive]"],
        r"right on 0 of 20 texts, .*labels may be mixed up",
    ),
    "over the limit": (lambda folder: None, ["model.max_tokens=6"], "over_limit=truncate"),
    "beyond the positions": (
        lambda folder: _edit(folder, max_position_embeddings=64),
        ["model.max_tokens=65"],
        "reads at most 64",
    ),
    "nan": (lambda folder: _poison(folder), [], "contain NaN in"),
    "nothing": (lambda folder: (folder / "config.json").unlink(), [], "has no config.json; expected"),
}


@pytest.mark.parametrize("fault", CHECKPOINTS)
def test_a_fault_of_a_checkpoint_is_named(
    checked: Callable[..., tuple[int, str]], checkpoint: Callable[..., str], fault: str
) -> None:
    change, overrides, words = CHECKPOINTS[fault]
    model = ["model=transformer", checkpoint(change), "model.training.epochs=0"]
    status, text = checked("sound", *model, *overrides)
    assert status == 1 and re.search(words, text), text


def test_a_checkpoint_in_another_order_passes_and_nameless_outputs_are_said(
    checked: Callable[..., tuple[int, str]], checkpoint: Callable[..., str]
) -> None:
    model = ["model=transformer", "model.training.epochs=0"]
    status, text = checked("sound", *model, checkpoint())
    assert status == 0 and "ok: quality: right on 20 of 20 texts" in text
    status, text = checked("sound", *model, checkpoint(), "model.over_limit=truncate", "model.max_tokens=6")
    assert "texts are cut at the model's limit of 6 tokens" in text


def test_texts_that_are_cut_at_the_last_position_pass(
    checked: Callable[..., tuple[int, str]], checkpoint: Callable[..., str], tmp_path: Path
) -> None:
    data = tmp_path / "texts.jsonl"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    rows = [{**row, "text": f"{row['text']} {'film ' * (50 + at % 40)}"} for at, row in enumerate(rows)]
    data.write_text("\n".join(map(json.dumps, rows)))
    model = ["model=transformer", "model.training.epochs=0", checkpoint(), "model.over_limit=truncate"]
    text = checked("sound", *model)[1]
    assert "texts are cut at the model's limit of 64 tokens" in text
    assert "ok: answers: the same in every call, alone and in batches, on 20 texts" in text
    options = ["explainer=[random,occlusion]", "baseline=[delete]", "baseline@removal=[delete]"]
    options += ["limits.default.test=6", "report.bootstrap=20"]
    status, text = checked("sound", *model, *options, command="run")
    assert status == 0, text


def test_pickles_are_refused_by_name(checked: Callable[..., tuple[int, str]]) -> None:
    for file in ("pipeline.joblib", "model.PKL", "weights.pt", "pytorch_model.bin"):
        status, text = checked("sound", "model=transformer", f"model.path={file}")
        assert status == 1 and f"model.path={file} is a pickle, which may run any code" in text
        assert "in a function of your own" in text
    status, text = checked("sound", "model=transformer", "model.path=texts.jsonl")
    assert status == 1 and "is a file; expected the folder of a checkpoint" in text


def test_a_branch_of_the_hub_may_move(checked: Callable[..., tuple[int, str]]) -> None:
    status, text = checked("sound", "model=transformer", "model.path=a/b", "model.revision=main")
    assert status == 1 and "all 40 digits of it, because a branch or tag may move" in text
