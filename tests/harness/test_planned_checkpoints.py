"""What a plan knows of this machine and of checkpoints in its folders, of which it loads no weights."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
)

from assay.harness.costs.planning import plan
from assay.harness.trials.experiment import Experiment, open_experiment
from assay.harness.trials.loading import load_task
from assay.models.transformer import Transformer
from assay.tasks.errors import InputError

SMALL = [
    "name=small",
    "task=planted_counting",
    "task.train=120",
    "task.dev=30",
    "task.test=40",
    "task.length=[10,10]",
    "model=maxpool",
    "model.training.epochs=2",
    "explainer=[random,saliency_l2,occlusion]",
    "metric=[human_agreement,faithfulness,seed_stability]",
    "limits.default.test=null",
    "shard=16",
    "report.bootstrap=20",
    "engine.threads=1",
]


def _experiment(store: Path, *overrides: str) -> Experiment:
    return open_experiment([*SMALL, f"store={store}", *overrides])


HUB = ("model.path=somebody/model", f"model.revision={'0' * 40}")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            ["model.path=/no/such/folder"],
            "model.path=/no/such/folder does not exist here; expected the folder",
        ),
        (["model.path=weights.pt"], "model.path=weights.pt is a pickle, which may run any code"),
        (
            ["model.path=checkpoints/old", "model.revision=null"],
            "model.path=checkpoints/old is not a folder, so it is read",
        ),
        (["model.revision=main"], "model.path=somebody/model is not a folder, so it is read as a hub name"),
        (["engine.device=cuda:99"], "engine.device 'cuda:99' cannot be used here ("),
    ],
)
def test_what_would_fail_here_is_said(tmp_path: Path, model: list[str], sentence: str) -> None:
    experiment = _experiment(tmp_path, "model=transformer", *HUB, *model)
    text = plan(experiment, calibrated=False, workers=1).text
    assert f"\nWould fail on this machine:\n  {sentence}" in text
    assert text.count("Would fail") == text.count(sentence) == 1


def test_nothing_that_may_be_there_is_said_to_fail(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path, "model=transformer", *HUB)
    assert "Would fail" not in plan(experiment, calibrated=False, workers=1).text


def _edited(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def _torn(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])


def _untold(folder: Path) -> None:
    for file in (*folder.glob("*token*"), *folder.glob("vocab*")):
        file.unlink()


def _worded(folder: Path) -> None:
    _untold(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')


def _unindexed(folder: Path) -> None:
    _sharded(folder)
    (folder / "model.safetensors.index.json").write_text("{}")


def _sharded(folder: Path) -> None:
    """Its first file of weights is lost."""
    BertForSequenceClassification.from_pretrained(folder).save_pretrained(folder, max_shard_size=20_000)
    (folder / "model.safetensors").unlink(missing_ok=True)
    min(folder.glob("model-*.safetensors")).unlink()


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda folder: [file.unlink() for file in folder.iterdir()], "has no config.json; expected"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights (*.safetensors);"),
    "torn": (_torn, "model.safetensors cannot be read as safetensors, so it is not whole; download"),
    "no tokenizer": (_untold, "has no tokenizer; put its files (tokenizer.json) beside the weights"),
    "words": (_worded, "knows no words but special tokens, so all texts would be alike; put"),
    "name": (
        lambda folder: (folder / "model.safetensors").rename(folder / "weights.safetensors"),
        "has weights in weights.safetensors, which is not read; expected model.safetensors",
    ),
    "index": (_unindexed, "model.safetensors.index.json cannot be read as an index of weights; download"),
    "shard": (_sharded, "files of weights, such as model-00001-of-"),
    "configuration": (
        lambda folder: (folder / "config.json").write_text("{"),
        "is not a checkpoint that can be loaded",
    ),
    "head": (
        partial(_edited, problem_type="regression"),
        "is a regression by its configuration (",
    ),
    "labels": (partial(_edited, problem_type="multi_label_classification"), "set task.multi_label=true or"),
    "classes": (
        partial(_edited, id2label={"0": "a", "1": "b", "2": "c"}),
        "classifies into 3 labels, the",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_folder_is_said_as_a_run_says_it(fault: str, tiny_bert_folder: Path, tmp_path: Path) -> None:
    break_it, sentence = FAULTS[fault]
    network = BertForSequenceClassification.from_pretrained(tiny_bert_folder, num_labels=2)
    folder = shutil.copytree(tiny_bert_folder, tmp_path / "model")
    network.save_pretrained(folder)
    given = ["model=transformer", f"model.path={folder}", "model.init_only=true"]
    experiment = _experiment(tmp_path, *given)
    assert "Would fail" not in plan(experiment, calibrated=False, workers=1).text
    break_it(folder)
    text = plan(experiment, calibrated=False, workers=1).text
    assert "\nWould fail on this machine:\n  " in text and text.count(sentence) == 1
    task = load_task(experiment.configs[0])
    with pytest.raises(InputError, match=re.escape(sentence)):
        Transformer(path=str(folder), init_only=True).untrained(task, 0)


def test_rows_that_a_checkpoint_cannot_be_asked_are_not_counted(
    tiny_bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert_folder)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2, n_positions=64)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path / "model")
    given = ["model=transformer", f"model.path={tmp_path / 'model'}", "model.init_only=true"]
    given += ["baseline=[mask,delete]", "explainer=[occlusion]", "metric=[faithfulness]"]

    def planned() -> str:
        return plan(_experiment(tmp_path, *given), calibrated=False, workers=1).text

    tokenizer.save_pretrained(tmp_path / "model")
    assert "trial, 2 cells" in planned() and "Left out" not in planned()
    tokenizer.mask_token = None
    tokenizer.save_pretrained(tmp_path / "model")
    # No weights are needed for it.
    monkeypatch.setattr("torch.nn.Module.load_state_dict", None)
    monkeypatch.setattr(GPT2ForSequenceClassification, "from_pretrained", None)
    text = planned()
    assert "trial, 1 cell\n" in text and "Would fail" not in text
    assert "occlusion (mask): the model has no mask token, which baseline 'mask' needs" in text
    # 40 texts of 10 words: each text, the empty one and every word left out.
    assert "To do: 480 model rows of " in text
