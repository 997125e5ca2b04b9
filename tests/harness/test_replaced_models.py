"""A model whose files or code were replaced is another model, whatever its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from assay.explainers.imported import Imported
from assay.explainers.perturbation.lime import Lime
from assay.harness.cli import main
from assay.harness.config.keys import content, key, named, versions
from assay.harness.config.schema import Run
from assay.harness.trials.ready_models import model_identity
from assay.models.adapters import BlackBox
from assay.models.seeding import seeded
from assay.tasks import content as contents
from assay.tasks.content import file_digest, folder_digest

COMMON = [
    "explainer=[random]",
    "baseline=[delete]",
    "limits.default.test=8",
    "report.bootstrap=20",
    "name=mine",
]


@pytest.fixture
def checkpoint(tmp_path: Path, tiny_bert: Any) -> Callable[[int], Path]:
    """Writes a finished checkpoint of two labels, with the weights of a seed, always into one folder."""

    def write(seed: int) -> Path:
        from transformers import BertForSequenceClassification

        folder, config = tmp_path / "checkpoint", deepcopy(tiny_bert.network.config)
        config.num_labels = 2
        config.id2label, config.label2id = {0: "class_0", 1: "class_1"}, {"class_0": 0, "class_1": 1}
        with seeded(seed):
            BertForSequenceClassification(config).save_pretrained(folder)
        tiny_bert.tokenizer.save_pretrained(folder)
        return folder

    return write


def _answers(store: Path) -> list[np.ndarray]:
    tables = sorted(store.rglob("predictions.parquet"), key=lambda path: path.stat().st_mtime_ns)
    return [np.stack(pq.read_table(path)["probabilities"].to_pylist()) for path in tables]


def test_a_checkpoint_that_was_replaced_is_not_served_from_the_store(
    tmp_path: Path, checkpoint: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["task=planted_presence", "task.train=20", "task.dev=10", "task.test=10", "task.length=[3,6]"]
    settings += ["model=transformer", f"model.path={checkpoint(0)}", "model.training.epochs=0", *COMMON]
    settings += [f"store={tmp_path / 'store'}"]
    assert main(["run", *settings]) == 0
    assert main(["status", *settings]) == 0
    checkpoint(1)
    assert main(["status", *settings]) == 1
    assert main(["run", *settings]) == 0
    first, second = _answers(tmp_path / "store")
    assert np.abs(first - second).max() > 1e-3
    checkpoint(0)
    assert main(["status", *settings]) == 0
    assert main(["run", *settings]) == 0
    assert len(_answers(tmp_path / "store")) == 2


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_every_file_of_a_checkpoint_counts(checkpoint: Callable[[int], Path], file: str) -> None:
    folder = checkpoint(0)
    settings = {"_target_": "assay.models.transformer.Transformer", "name": "a", "path": str(folder)}
    before = content(settings)
    assert len(before) == 1
    with (folder / file).open("ab") as opened:
        opened.write(b" ")
    assert content(settings) != before


def test_where_a_checkpoint_lies_and_what_lies_beside_it_does_not_count(
    tmp_path: Path, checkpoint: Callable[[int], Path]
) -> None:
    folder = checkpoint(0)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert folder_digest(folder) == folder_digest(copy)
    (copy / "checkpoint-500").mkdir()
    (copy / "checkpoint-500" / "optimizer.pt").write_bytes(b"x")
    (copy / ".cache").write_bytes(b"x")
    assert folder_digest(folder) == folder_digest(copy)
    (copy / "model.safetensors").rename(copy / "model-1.safetensors")
    assert folder_digest(folder) != folder_digest(copy)


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    digest_now = contents.digest_now
    monkeypatch.setattr(contents, "digest_now", lambda path: read.append(path) or digest_now(path))
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"one")
    assert len({file_digest(file) for _ in range(5)}) == len(read) == 1
    before = file_digest(file)
    file.write_bytes(b"other")
    assert file_digest(file) != before and len(read) == 2


def test_files_of_methods_count_too(tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("good")
    settings = {"mine": {"_target_": "own.Lexicon", "words": str(lexicon)}}
    before = named(object(), settings)
    lexicon.write_text("better")
    assert [name for name, _ in before] == ["content"] and named(object(), settings) != before
    # An explainer that tells the content itself keeps its keys.
    told = Imported(path=str(lexicon))
    assert named(told, {"imported": {"path": str(lexicon)}}) == versions(told)
    assert named(Lime(), {"lime": {"rows": 0.5}}) == versions(Lime())


def test_what_names_no_file_leaves_the_key_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnn").mkdir()
    (tmp_path / "linear").write_text("x")
    model = {
        "_target_": "assay.models.cnn.Cnn",
        "name": "cnn",
        "training": {"schedule": "linear"},
        "path": "",
    }
    assert content(model) == []
    assert content({"path": "a/" + "b" * 5000, "text": "1.5", "other": "a\0b.c"}) == []
    config = OmegaConf.structured(Run(name="x", model=model))
    assert key("model", config.model, 0, []) == key("model", config.model, 0, [], *content(config.model))


MODULE = """
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.limit import Limit
from assay.models.vocabulary import Vocabulary


class Sums(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.table = nn.Embedding(words, 2)

    def forward(self, ids, attention):
        return (self.table(ids) * attention[..., None]).sum(dim=1)


def network(name):
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "[MASK]", "[SEP]"])
    module = Sums(len(vocabulary))
    module.load_state_dict(torch.load("weights.pt", weights_only=True))
    return TorchAdapter(
        module, labels=("class_0", "class_1"), encode=lambda texts: vocabulary.encode(texts, Limit(100))
    )


def box(name):
    p = float(Path("version.txt").read_text())
    return BlackBox(
        lambda texts: np.tile([p, 1 - p], (len(texts), 1)), labels=("class_0", "class_1"), fingerprint=str(p)
    )
"""


def _write_version(folder: Path, number: int) -> None:
    import torch

    torch.save(
        {"table.weight": torch.full((4, 2), 0.1 * number) * torch.tensor([1.0, -1.0])}, folder / "weights.pt"
    )
    (folder / "version.txt").write_text(f"0.{number}")


@pytest.mark.parametrize("model", ["network", "box"])
def test_a_model_of_the_users_own_that_changed_is_asked_anew(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "replacedmodels.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASSAY_TRUST", "replacedmodels")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    (folder / f"{model}.yaml").write_text(f"_target_: replacedmodels.{model}\nname: {model}\n")
    settings = ["task=planted", "task.train=20", "task.test=10", f"model={model}", "--config-dir", "conf"]
    settings += [*COMMON, "store=store"]
    for number in (1, 2):
        _write_version(tmp_path, number)
        assert main(["status", *settings]) == 1
        assert main(["run", *settings]) == 0
        assert main(["status", *settings]) == 0
    first, second = _answers(tmp_path / "store")
    assert np.abs(first - second).max() > 0.05


def test_a_black_box_is_named_by_its_fingerprint_and_by_how_it_is_asked() -> None:
    box = BlackBox(lambda texts: [[0.5, 0.5]], labels=["a", "b"], fingerprint="mine")
    assert model_identity(box, "box") == f"mine (version {BlackBox.version})"
