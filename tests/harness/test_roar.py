"""Remove and retrain, on texts whose label one word decides."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay.explainers.masks import diffmask
from assay.harness.cli import main
from assay.harness.storage.store import parse_json
from assay.harness.trials import trained_gates
from assay.harness.validation import roar
from assay.harness.validation.roar_texts import written_mask
from assay.metrics.word_removal import degraded
from assay.models.saving import weights_hash
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

SMALL = [
    "name=small",
    "task=planted",
    "task.train=300",
    "task.dev=60",
    "task.test=80",
    "task.length=[6,9]",
    "model=maxpool",
    "model.training.epochs=12",
    "model.training.learning_rate=0.02",
    "baseline=[mask]",
    "metric=[human_agreement]",
    "limits.default.test=80",
]


def accuracies(store: Path, name: str = "roar") -> dict[tuple[str, int], float]:
    """Explainer and share to accuracy, mean over seeds."""
    found = pd.read_csv(store / "experiments" / "small" / f"{name}.csv", keep_default_na=False)
    values: dict[tuple[str, int], list[float]] = {}
    for explainer, share, accuracy in zip(found["explainer"], found["share"], found["accuracy"], strict=True):
        values.setdefault((explainer, share), []).append(accuracy)
    return {place: sum(of_seeds) / len(of_seeds) for place, of_seeds in values.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("store")
    command = ["roar", "--shares", "20,60", *SMALL, "explainer=[gold,random,inverted,occlusion]", "seed=0,1"]
    assert main([*command, f"store={found}"]) == 0
    return found


def test_taking_the_cause_away_hurts_more_than_chance_and_the_rest_less(store: Path) -> None:
    accuracy = accuracies(store)
    assert accuracy["gold", 0] == accuracy["random", 0] > 0.85
    # Two classes, and nothing left to tell them apart.
    assert accuracy["gold", 20] < 0.65 < accuracy["random", 20]
    assert accuracy["inverted", 60] > accuracy["random", 60] > accuracy["gold", 60]
    assert accuracy["occlusion", 20] < accuracy["random", 20]


def test_the_table_reads_random_as_zero(store: Path) -> None:
    text = (store / "experiments" / "small" / "roar.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| random |")]
    assert line.endswith("| 0.000 |")


def test_what_is_on_disk_is_not_trained_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = accuracies(store)
    trained: list[int] = []
    fit = roar.fit

    def counting(*given: Any) -> Any:
        trained.append(1)
        return fit(*given)

    monkeypatch.setattr(roar, "fit", counting)
    command = ["roar", "--shares", "20,60", *SMALL, "explainer=[gold,random,inverted,occlusion]", "seed=0,1"]
    assert main([*command, f"store={store}"]) == 0
    assert not trained
    files = sorted((store / "experiments" / "small" / "roar").glob("*.json"))
    assert len(files) == 4 * 2 * 2
    files[0].unlink()
    assert main([*command, f"store={store}"]) == 0
    assert len(trained) == 1
    assert accuracies(store) == before


def test_random_is_the_reference_even_if_it_was_not_chosen(tmp_path: Path) -> None:
    command = ["roar", "--shares", "40", "--absent", "mask", *SMALL, "explainer=[gold]"]
    assert main([*command, f"store={tmp_path}"]) == 0
    accuracy = accuracies(tmp_path)
    assert accuracy["gold", 40] < accuracy["random", 40]


def test_recursive_explains_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    explain: Callable[..., object] = roar.explain_task

    def spy(method, engine, task, draws, shard):
        asked.append(weights_hash(engine.model))
        return explain(method, engine, task, draws, shard)

    monkeypatch.setattr(roar, "explain_task", spy)
    command = ["roar", "--recursive", "--shares", "20,60", *SMALL, "explainer=[gold,occlusion]"]
    assert main([*command, f"store={tmp_path}"]) == 0
    assert "gold: the task has no rationales" in capsys.readouterr().out
    # Two methods, two steps: the first explains with the trial's model, the second with its own.
    assert len(asked) == 4 and asked[0] == asked[2] and len({asked[0], asked[1], asked[3]}) == 3
    accuracy = accuracies(tmp_path, "recursive_roar")
    assert accuracy["occlusion", 60] < accuracy["random", 60]


def test_gates_of_the_trials_model_are_those_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    train = trained_gates.train_gates
    monkeypatch.setattr(trained_gates, "train_gates", lambda *given: trained.append(1) or train(*given))
    monkeypatch.setattr(diffmask, "train_gates", trained_gates.train_gates)
    settings = [*SMALL, "explainer=[diffmask]", "explainer.diffmask.steps=4", f"store={tmp_path}"]
    for share in ("20", "20,60"):
        assert main(["roar", "--shares", share, *settings]) == 0
    assert len(trained) == 1
    assert len(accuracies(tmp_path)) == 6


def test_results_name_the_gates_they_were_made_with_and_rest_on_one_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["roar", *SMALL, "model.training.epochs=1", "explainer=[diffmask]", f"store={tmp_path}"]
    command += ["explainer.diffmask.steps=2"]
    assert main([*command, "--shares", "20"]) == 0

    def gates() -> str:
        reports = map(parse_json, tmp_path.glob("models/*/training.json"))
        (weights,) = [report["weights"] for report in reports if "gates_of" in report]
        return f"gates {weights}"

    def told() -> dict[int, str]:
        found = pd.read_csv(tmp_path / "experiments" / "small" / "roar.csv", keep_default_na=False)
        found = found[found["explainer"] == "diffmask"]
        return dict(zip(found["share"], found["made_with"], strict=True))

    first = gates()
    assert told() == {0: "", 20: first}
    for path in tmp_path.glob("models/*/training.json"):
        if "gates_of" in parse_json(path):
            shutil.rmtree(path.parent)
    train = trained_gates.train_gates
    monkeypatch.setattr(
        trained_gates, "train_gates", lambda settings, *rest: train(replace(settings, seed=7), *rest)
    )
    assert main([*command, "--shares", "20,60"]) == 0
    assert gates() != first and told() == {0: "", 20: gates(), 60: gates()}


def test_bad_requests_are_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roar", "--shares", "50,20", *SMALL, f"store={tmp_path}"]) == 1
    assert "percentages that rise" in capsys.readouterr().err
    assert main(["roar", *SMALL, "model.init_only=true", f"store={tmp_path}"]) == 1
    assert "is not trained here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["roar", "--shares", "a,b", *SMALL])
    assert "expected percentages such as 10,30,50" in capsys.readouterr().err


def test_a_tokenizers_mask_token_stands_for_words_and_is_none(tiny_bert: TransformerModel) -> None:
    mask = written_mask(tiny_bert)
    assert mask == "[MASK]"
    left = Example("x", ("the plain film",), (0,))
    for scores, expected in (([0, 0, 9, 1, 0], "the [MASK] film"), ([0, 1, 9, 2, 0], "the [MASK] [MASK]")):
        (encoding,) = tiny_bert.encode([left.texts])
        rng = np.random.default_rng(0)
        left = degraded(left, encoding, np.array(scores, dtype=np.float32), 1, mask, rng)
        assert left.texts == (expected,)
    (encoding,) = tiny_bert.encode([left.texts])
    assert encoding.ids.tolist().count(tiny_bert.mask_id or -1) == 2
