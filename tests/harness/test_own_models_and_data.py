"""What users bring, from command to table: several labels, pairs, a checkpoint, a module, a black box."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from assay.harness.cli import main

WORDS = ["the", "film", "was", "long", "and", "we", "saw", "it", "twice"]
TOPICS = {"price": "cheap", "food": "soup", "staff": "waiter"}
COMMON = [
    "explainer=[gold,random,integrated_gradients,occlusion]",
    "explainer.integrated_gradients.steps=5",
    "baseline=[mask]",
    "report.bootstrap=20",
    "seed=0,1",
    "name=mine",
]


def _filler(rng: np.random.Generator) -> list[str]:
    return [str(word) for word in rng.choice(WORDS, size=rng.integers(3, 9))]


def _write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return f"task.path={path}"


def _comparison(store: Path) -> pd.DataFrame:
    table = pd.read_csv(store / "experiments" / "mine" / "comparison.csv", keep_default_na=False)
    table["value"] = pd.to_numeric(table["value"], errors="coerce")
    return table


def _defined(table: pd.DataFrame, explainer: str) -> set[str]:
    rows = table[(table["explainer"] == explainer) & table["value"].notna()]
    return set(rows["metric"])


def _agreement(table: pd.DataFrame) -> dict[str, float]:
    rows = table[table["metric"] == "human_agreement"]
    return dict(zip(rows["explainer"], rows["value"].astype(float), strict=True))


ALL = {
    "completeness",
    "human_agreement",
    "faithfulness",
    "confidence_indication",
    "confidence_indication_max",
    "rationale_consistency",
    "dataset_consistency",
    "compute_time",
}


def test_several_labels_per_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows: list[dict[str, object]] = []
    for number in range(240):
        labels = [name for bit, name in enumerate(TOPICS) if number >> bit & 1]
        words = _filler(rng) + [TOPICS[name] for name in labels]
        text = " ".join(words)
        spans = [[text.index(TOPICS[name]), text.index(TOPICS[name]) + len(TOPICS[name])] for name in labels]
        rows.append({"text": f"{text} {number}", "label": labels, "why": spans or None})
    data = _write(tmp_path / "topics.jsonl", rows)
    settings = ["task=local", data, "task.multi_label=true", "task.rationale=why", "model=maxpool"]
    assert main(["run", *settings, *COMMON, f"store={tmp_path / 'store'}"]) == 0
    table = _comparison(tmp_path / "store")
    assert _defined(table, "occlusion") == ALL
    agreement = _agreement(table)
    assert agreement["gold"] == 1.0
    assert agreement["integrated_gradients"] > agreement["random"]
    labels = pd.read_csv(tmp_path / "store" / "experiments" / "mine" / "labels.csv")
    assert {"human_agreement", "faithfulness", "confidence_indication"} <= set(labels["metric"])
    assert set(labels["label"].dropna()) == set(TOPICS)
    of_gold = labels[(labels["explainer"] == "gold") & (labels["metric"] == "human_agreement")]
    assert set(of_gold["value"]) == {1.0} and min(of_gold["f1"]) > 0.5


def test_pairs_of_texts(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows: list[dict[str, object]] = []
    for number in range(240):
        first, second = " ".join(_filler(rng)), " ".join(_filler(rng))
        word = "yes" if number % 2 else "no"
        rows.append(
            {
                "text": f"{first} {number}",
                "claim": f"{word} {second}",
                "label": word,
                "why": [[0, len(word), 1]],
            }
        )
    data = _write(tmp_path / "claims.jsonl", rows)
    settings = ["task=local", data, "task.text_pair=claim", "task.rationale=why", "model=cnn"]
    assert main(["run", *settings, *COMMON, f"store={tmp_path / 'store'}"]) == 0
    table = _comparison(tmp_path / "store")
    assert _defined(table, "occlusion") == ALL
    assert _agreement(table)["occlusion"] > 0.9


def test_a_checkpoint_and_its_untrained_twin(tmp_path: Path, tiny_bert_folder: Path) -> None:
    settings = [
        "task=planted_counting",
        "task.train=60",
        "task.dev=20",
        "task.test=20",
        "task.length=[3,6]",
        "model=transformer",
        f"model.path={tiny_bert_folder}",
        "model.training.epochs=1",
        "model.init_only=false,true",
    ]
    assert main(["run", *settings, *COMMON, f"store={tmp_path / 'store'}"]) == 0
    table = _comparison(tmp_path / "store")
    assert set(table["kind"]) == {"trained", "untrained", "mixed"}
    mixed = table[(table["kind"] == "mixed") & table["value"].notna()]
    assert set(mixed["metric"]) == {"rationale_consistency"}


def test_a_finished_checkpoint_with_labels_in_another_order(
    tmp_path: Path, tiny_bert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts have the labels that the library gives them by the checkpoint, which is right of all then."""
    labels = ["positive", "negative", "neutral"]
    network = deepcopy(tiny_bert.network)
    network.config.id2label = dict(enumerate(labels))
    network.config.label2id = {label: at for at, label in enumerate(labels)}
    texts = [f"{' '.join(_filler(np.random.default_rng(n)))} {n}" for n in range(120)]
    inputs = tiny_bert.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = network(**inputs).logits
        network.get_parameter("classifier.bias").sub_(logits.mean(dim=0))
        chosen = network(**inputs).logits.argmax(dim=1).tolist()
    assert len(set(chosen)) == len(labels)
    network.save_pretrained(tmp_path / "checkpoint")
    tiny_bert.tokenizer.save_pretrained(tmp_path / "checkpoint")
    rows: list[dict[str, object]] = [
        {"text": text, "label": labels[at]} for text, at in zip(texts, chosen, strict=True)
    ]
    settings = [
        *("task=local", _write(tmp_path / "texts.jsonl", rows), "model=transformer"),
        *(f"model.path={tmp_path / 'checkpoint'}", "model.training.epochs=0", "targets=gold"),
        *(f"store={tmp_path / 'store'}", "explainer=[random,occlusion]", "baseline=[mask]", "name=mine"),
    ]
    assert main(["run", *settings, "report.bootstrap=20"]) == 0
    (record,) = (tmp_path / "store").rglob("trial.json")
    assert json.loads(record.read_text())["accuracy"] == 1.0
    assert json.loads(record.read_text())["labels"] == sorted(labels)


MODULE = """
import numpy as np
import torch
from torch import nn

from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.vocabulary import build_vocabulary
from assay.models.limit import Limit


def black_box(name):
    def predict(texts):
        good = np.array([("bopa" in text) + 0.5 * len(text) % 1 for text in texts], dtype=float)
        p = 1 / (1 + np.exp(-good))
        return np.stack([1 - p, p], axis=1)
    return BlackBox(predict, labels=("class_0", "class_1"), fingerprint="v1")


def nameless(name):
    return BlackBox(lambda texts: np.full((len(texts), 2), 0.5), labels=("class_0", "class_1"))


class Network(nn.Module):
    def __init__(self, words):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.embedding = nn.Embedding.from_pretrained(torch.randn(words, 8, generator=generator))
        self.head = nn.Linear(8, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(2, 8, generator=generator))
            self.head.bias.zero_()

    def forward(self, ids, attention):
        return self.read(self.embedding(ids), attention)

    def read(self, embeddings, attention):
        return self.head((embeddings * attention[..., None]).sum(dim=1))


def module(name):
    vocabulary = build_vocabulary([("a b c d e",)], min_count=1, max_words=100)
    network = Network(len(vocabulary))
    return TorchAdapter(
        network,
        labels=("class_0", "class_1"),
        encode=lambda texts: vocabulary.encode(texts, Limit(100)),
        mask_id=2,
        embed=network.embedding,
        logits_from_embeddings=lambda embeddings, batch: network.read(embeddings, batch.attention),
    )
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A configuration folder with models of a module of the user's."""
    (tmp_path / "ownmodels.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASSAY_TRUST", "ownmodels")
    folder = tmp_path / "conf with spaces" / "model"
    folder.mkdir(parents=True)
    for name in ("black_box", "nameless", "module"):
        (folder / f"{name}.yaml").write_text(f"_target_: ownmodels.{name}\nname: {name}\n", encoding="utf-8")
    return [
        "--config-dir",
        str(folder.parent),
        f"store={tmp_path / 'store'}",
        "limits.default.test=25",
        "name=mine",
    ]


def test_a_black_box_gets_what_it_can_do_and_reasons_for_the_rest(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["model=black_box", "explainer=[random,occlusion,integrated_gradients,saliency_l2]"]
    settings += ["baseline=[pad,delete]", "baseline@removal=[delete]", "report.bootstrap=20"]
    assert main(["run", *own, *settings]) == 0
    out = capsys.readouterr().out
    assert "the model gives no gradients" in out
    assert "the model gives no activations" in out
    table = _comparison(tmp_path / "store")
    assert {"faithfulness", "human_agreement", "confidence_indication"} <= _defined(table, "occlusion")
    assert _defined(table, "saliency_l2") == set()


def test_a_torch_module_needs_no_base_class(own: list[str], tmp_path: Path) -> None:
    settings = ["model=module", "explainer=[random,occlusion,integrated_gradients]", "report.bootstrap=20"]
    assert main(["run", *own, *settings]) == 0
    assert "faithfulness" in _defined(_comparison(tmp_path / "store"), "integrated_gradients")


def test_a_black_box_without_a_fingerprint_is_refused(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *own, "model=nameless"]) == 1
    assert "give it a fingerprint" in capsys.readouterr().err


def test_a_module_that_is_not_trusted_is_refused(
    own: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ASSAY_TRUST")
    assert main(["run", *own, "model=module"]) == 1
    assert "not in a trusted package" in capsys.readouterr().err
