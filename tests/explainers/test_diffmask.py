"""DiffMask with trained gates: both ends of its gates, its constraint, its training, and what it finds."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from explainer_models import encoding, request, scores, smooth

import assay.explainers.masks.gate_training as gate_training
from assay.explainers.masks.centred_rmsprop import LEAST, CentredRMSprop
from assay.explainers.masks.diffmask import DiffMask, TrainedDiffMask
from assay.explainers.masks.gate_looks import PATIENCE, Look, settled
from assay.explainers.masks.gate_measuring import measure
from assay.explainers.masks.gate_report import GateReport, LayerReport, warnings
from assay.explainers.masks.gate_training import train_gates
from assay.explainers.masks.gated_batch import GatedBatch, drawn
from assay.explainers.masks.gates import Gates, Gating, Shape, StoredGates
from assay.explainers.protocol import Request, fitted, incompatibility
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.models.saving import load, save, weights_hash
from assay.tasks.errors import InputError
from assay.tasks.example import Task

MODELS = ("linear", "cnn", "lstm", "tiny_bert")
GATINGS: tuple[Gating, ...] = "input", "hidden"
FEW = DiffMask(steps=6, batch_size=4, warmup=2)
gatings = pytest.mark.parametrize("gating", GATINGS)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=True)


@pytest.fixture
def lstm(word_model: Any) -> Any:
    return word_model("lstm", trained=True)


def _hash(gates: Gates) -> str:
    return weights_hash(cast(Any, StoredGates(None, gates)))


def _trainer(model: Any, task: Task, gating: Gating, logit: float | None = None) -> Any:
    """A trainer that begins; all of its gates have the logit, if one is given."""
    texts = model.encode([example.texts for example in task.test])
    trainer = gate_training._Trainer(replace(FEW, gating=gating), Engine(model), texts)
    if logit is not None:
        networks: Any = trainer.gates.networks
        for network in networks:
            torch.nn.init.zeros_(network.out.parametrizations.weight.original0)
            torch.nn.init.zeros_(network.out.bias)
            torch.nn.init.constant_(network.bias, logit)
    return trainer


def _gated(trainer: Any, texts: Any, layer: int) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]:
    asked = GatedBatch.of(trainer.engine, texts)
    uniform = drawn(trainer.gates, np.random.default_rng(0), texts, layer)
    with torch.no_grad():
        return asked, *asked.under(trainer.gates, layer, uniform)


def _trained(explainer: DiffMask, model: Any, task: Task) -> TrainedDiffMask:
    return cast(TrainedDiffMask, fitted(explainer, Engine(model), task.train))


@gatings
def test_open_gates_leave_answers_as_they_are(model: Any, toy_task: Task, gating: Gating) -> None:
    trainer = _trainer(model, toy_task, gating, 15.0)
    plain = Engine(model).probabilities(trainer.texts[:5])
    for layer in range(len(trainer.gates.networks)):
        _, _, divergence, answer = _gated(trainer, trainer.texts[:5], layer)
        np.testing.assert_allclose(torch.softmax(answer, dim=1).numpy(), plain, atol=1e-4)
        assert divergence.abs().max() < 1e-5


@gatings
def test_closed_gates_put_the_placeholder_everywhere_so_that_words_do_not_matter(
    model: Any, toy_task: Task, gating: Gating
) -> None:
    trainer = _trainer(model, toy_task, gating, -15.0)
    text = trainer.texts[0]
    others = []
    for shift in (0, 1, 2):
        ids = text.ids.copy()
        ids[text.content] = np.resize(trainer.texts[shift + 1].ids[1:-1], int(text.content.sum()))
        others.append(replace(text, ids=ids))
    for layer in range(len(trainer.gates.networks)):
        asked, _, _, answer = _gated(trainer, others, layer)
        if gating == "input" or layer == 0:
            torch.testing.assert_close(answer, answer[:1].expand_as(answer), atol=1e-5, rtol=0)
            assert not torch.allclose(asked.answer[0], asked.answer[1])
        entry, hook = trainer.gates.masked(asked.entry, (~asked.content).float(), layer)
        name = trainer.gates.shape.layers[layer]
        if hook is not None:
            entry = hook(name, asked.states[name])
        placeholder = trainer.gates.placeholders[0 if gating == "input" else layer]
        torch.testing.assert_close(
            entry[asked.content], placeholder.detach().expand_as(entry[asked.content]), atol=1e-6, rtol=0
        )


@gatings
def test_padding_and_special_tokens_count_for_nothing_and_change_nothing(
    model: Any, toy_task: Task, gating: Gating
) -> None:
    trainer = _trainer(model, toy_task, gating)
    texts = sorted(trainer.texts, key=len)
    short, long = texts[0], texts[-1]
    assert len(short) < len(long)
    for layer in range(len(trainer.gates.networks)):
        together, opened, *_ = _gated(trainer, [short, long], layer)
        np.testing.assert_array_equal(together.content[0, : len(short)].numpy(), short.content)
        assert not together.content[0, len(short) :].any()
        assert int(together.content.sum()) == int(short.content.sum() + long.content.sum())
        alone, by_itself, *_ = _gated(trainer, [short], layer)
        torch.testing.assert_close(
            opened[0, : len(short)][alone.content[0]], by_itself[0][alone.content[0]], atol=1e-5, rtol=1e-4
        )


def test_the_penalty_is_the_mean_over_the_content_tokens_of_each_text(lstm: Any, toy_task: Task) -> None:
    """Whatever the gates of padding are, and however long the other texts."""
    texts = lstm.encode([example.texts for example in toy_task.test])
    short, long = min(texts, key=len), max(texts, key=len)
    assert len(short) < len(long)
    trainer = _trainer(lstm, toy_task, "input")
    asked, opened, *_ = _gated(trainer, [short, long], 1)
    penalties = asked.mean(torch.where(asked.content, opened, 1e3))
    for text, penalty in zip((short, long), penalties, strict=True):
        alone, of_text, *_ = _gated(trainer, [text], 1)
        torch.testing.assert_close(penalty, of_text[alone.content].mean())


def test_a_gradient_that_stays_the_same_gives_bounded_steps() -> None:
    """torch's own gives NaN or steps of thousands of times the rate."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = CentredRMSprop([{"params": [parameter], "lr": 1e-3}])
    steps = []
    for step in range(4000):
        before = parameter.item()
        parameter.grad = torch.tensor([-0.3 if step < 200 else -0.1])
        optimizer.step()
        steps.append(parameter.item() - before)
    assert min(steps) > 0 and max(steps) <= 1e-3 / LEAST * 1.001


def test_ordinary_steps_are_those_of_torch() -> None:
    ours, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    one = CentredRMSprop([{"params": [ours], "lr": 1e-2, "maximize": True}])
    other = torch.optim.RMSprop([{"params": [theirs], "lr": 1e-2, "maximize": True}], centered=True)
    for step in range(100):
        gradient = torch.from_numpy(np.random.default_rng(step).normal(size=5)).float()
        ours.grad, theirs.grad = gradient, gradient.clone()
        one.step()
        other.step()
    torch.testing.assert_close(ours, theirs)


@gatings
def test_the_multipliers_stay_in_their_range_and_rise_while_the_divergence_is_above_the_bound(
    lstm: Any, toy_task: Task, gating: Gating
) -> None:
    settings = replace(FEW, gating=gating, epsilon=1e-9, multiplier_rate=30.0, warmup=0, rate=0.1)
    texts = lstm.encode([example.texts for example in toy_task.test])
    trainer = gate_training._Trainer(settings, Engine(lstm), texts)
    before = [float(one.detach()) for one in trainer.gates.multipliers]
    risen = 0
    for step in range(40):
        _, _, divergence = trainer._step(step)
        now = [float(one.detach()) for one in trainer.gates.multipliers]
        # Of the layer whose turn it was.
        if divergence > settings.epsilon and max(before) < 200:
            assert sum(now) > sum(before)
            risen += 1
        assert min(now) >= 0 and max(now) <= 200
        before = now
    assert risen and max(before) == 200
    loose = gate_training._Trainer(replace(settings, epsilon=1e3), Engine(lstm), texts)
    for step in range(12):
        loose._step(step)
    assert [float(one.detach()) for one in loose.gates.multipliers] == [0.0, 0.0]


@gatings
def test_the_models_weights_and_gradients_are_untouched(model: Any, toy_task: Task, gating: Gating) -> None:
    model.network.requires_grad_(True)
    model.network.zero_grad()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    trained = _trained(replace(FEW, gating=gating), model, toy_task)
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())
    assert all(parameter.grad is None for parameter in model.network.parameters())
    assert not any(parameter.requires_grad for parameter in trained.gates.parameters())
    model.network.requires_grad_(False)


@gatings
def test_every_layer_scores_every_token_and_the_last_is_the_explanation(
    model: Any, toy_task: Task, gating: Gating
) -> None:
    trained = _trained(replace(FEW, gating=gating), model, toy_task)
    texts = toy_task.test[:6]
    encodings = model.encode([example.texts for example in texts])
    requests = [Request(e, c, np.array([2, 0])) for e, c in zip(texts, encodings, strict=True)]
    engine = Engine(model)
    found = trained.explain(engine, requests, None)
    # One pass over each text.
    assert engine.counters.forward_rows == len(texts) and not engine.counters.backward_rows
    by_layer = trained.by_layer(Engine(model), encodings)
    for code, records, layers in zip(encodings, found, by_layer, strict=True):
        assert layers.shape == (len(model.layers), len(code)) and layers.dtype == np.float32
        assert not layers[:, ~code.content].any()
        assert ((layers[:, code.content] > 0) & (layers[:, code.content] <= 1)).all()
        np.testing.assert_array_equal(scores(records), np.repeat(layers[-1:], 2, axis=0))
        for record in records:
            np.testing.assert_array_equal(record.by_layer, layers)
        if gating == "input":
            # A product does not rise.
            assert (np.diff(layers, axis=0) <= 0).all()
    first = _trained(replace(FEW, gating=gating, layer=model.layers[0]), model, toy_task)
    np.testing.assert_array_equal(first.explain(engine, requests, None)[0][0].scores, by_layer[0][0])


def test_a_seed_says_which_gates(lstm: Any, toy_task: Task) -> None:
    prints = {_hash(_trained(replace(FEW, seed=seed), lstm, toy_task).gates) for seed in (0, 0, 1)}
    assert len(prints) == 2


def test_training_is_counted_apart_and_told(lstm: Any, toy_task: Task) -> None:
    engine = Engine(lstm)
    about = cast(TrainedDiffMask, FEW.fitted(engine, toy_task.train)).about
    assert engine.counters.forward_rows == 0
    assert (about["steps"], about["stopped"]) == (6, "steps")
    # Six batches of 4, as they are and masked; then each text as it is, and masked at each of two layers.
    assert about["forward_rows"] == 2 * 6 * 4 + 3 * len(toy_task.train)
    assert about["backward_rows"] == 6 * 4
    assert [layer["layer"] for layer in about["layers"]] == list(lstm.layers)


@pytest.mark.parametrize("stop", [1, 2])
def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(
    lstm: Any, toy_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr(gate_training, "LOOK", 3)
    texts = lstm.encode([example.texts for example in toy_task.train])
    settings = replace(FEW, steps=9).settings
    whole, report = train_gates(settings, Engine(lstm), texts)
    path, save_progress, saved = tmp_path / "progress", gate_training.save_progress, []

    def die(*arguments: Any) -> None:
        save_progress(*arguments)
        saved.append(1)
        if len(saved) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(gate_training, "save_progress", die)
    with pytest.raises(KeyboardInterrupt):
        train_gates(settings, Engine(lstm), texts, resume=path)
    monkeypatch.setattr(gate_training, "save_progress", save_progress)
    copy = tmp_path / "copy"
    shutil.copy(path, copy)
    resumed, again = train_gates(settings, Engine(lstm), texts, resume=copy)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert replace(again, cpu_seconds=0.0) == replace(report, cpu_seconds=0.0)
    # What is torn is as if it were not there.
    path.write_bytes(path.read_bytes()[:100])
    anew, _ = train_gates(settings, Engine(lstm), texts, resume=path)
    assert _hash(anew) == _hash(whole)


def test_training_ends_when_no_more_gates_close_or_time_is_over(
    word_model: Any, toy_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = word_model("linear", trained=True)
    texts = model.encode([example.texts for example in toy_task.train])
    _, report = train_gates(replace(FEW, steps=500, minutes=1e-9).settings, Engine(model), texts)
    assert report.stopped == "time" and len(report.looks) == 1
    # Not those of a whole look.
    assert report.steps == 1 and report.backward_rows == FEW.batch_size
    monkeypatch.setattr(gate_training, "LOOK", 5)
    monkeypatch.setattr(gate_training, "settled", lambda looks, bound: len(looks) == 3)
    _, report = train_gates(replace(FEW, steps=500).settings, Engine(model), texts)
    assert (report.stopped, report.steps, len(report.looks)) == ("settled", 15, 3)


def _longest(texts: Any) -> int:
    return max(map(len, texts))


@gatings
def test_a_batch_above_the_budget_is_cut_and_has_the_same_gradients(
    model: Any, toy_task: Task, monkeypatch: pytest.MonkeyPatch, gating: Gating
) -> None:
    """Without it, `engine.budget` would not bound the memory of training."""
    texts = model.encode([example.texts for example in toy_task.train])
    settings = replace(FEW, steps=3, batch_size=16, gating=gating, warmup=0).settings
    # Lengths of batches when each asks a model, padding included.
    asked: list[int] = []
    differentiable = Engine.differentiable

    def seen(self: Engine, entry: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        asked.append(entry.shape[0] * entry.shape[1])
        return differentiable(self, entry, *rest, **options)

    monkeypatch.setattr(Engine, "differentiable", seen)
    whole = gate_training._Trainer(settings, Engine(model, budget=10**6), texts)
    budget = 2 * _longest(texts)
    cut = gate_training._Trainer(settings, Engine(model, budget=budget), texts)
    torch.testing.assert_close(list(cut.gates.placeholders), list(whole.gates.placeholders))
    for step in range(settings.steps):
        # From the same gates, or differences of rounding grow.
        cut.gates.load_state_dict(whole.gates.state_dict())
        one, asked[:] = whole._step(step), []
        other = cut._step(step)
        assert max(asked) <= budget and len(asked) > 2 * 16 / 3
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        for first, second in zip(whole.gates.parameters(), cut.gates.parameters(), strict=True):
            assert (first.grad is None) == (second.grad is None)
            if first.grad is not None:
                torch.testing.assert_close(first.grad, second.grad, rtol=1e-3, atol=1e-6)
    asked[:] = []
    few, many = (Engine(model, budget=size) for size in (budget, 10**6))
    found = [measure(e, whole.gates, texts, size=16, seed=0) for e in (few, many)]
    assert min(asked) <= budget < max(asked)
    for one, other in zip(*found, strict=True):
        assert one.divergence == pytest.approx(other.divergence, rel=1e-3, abs=1e-6)
        assert (one.layer, one.open) == (other.layer, pytest.approx(other.open, rel=1e-4))


def test_training_goes_on_with_smaller_batches_where_memory_runs_out(
    lstm: Any, toy_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way back, too, where most of it is needed."""
    texts = lstm.encode([example.texts for example in toy_task.train])
    settings = replace(FEW, batch_size=16).settings
    whole, report = train_gates(settings, Engine(lstm), texts)
    grad, most, failed = torch.autograd.grad, 5, []

    def small(loss: torch.Tensor, *rest: Any, **options: Any) -> Any:
        if rows[-1] > most:
            failed.append(rows[-1])
            raise torch.OutOfMemoryError("CUDA out of memory")
        return grad(loss, *rest, **options)

    rows: list[int] = []
    differentiable = Engine.differentiable

    def seen(self: Engine, entry: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        rows.append(len(entry))
        return differentiable(self, entry, *rest, **options)

    monkeypatch.setattr(Engine, "differentiable", seen)
    monkeypatch.setattr(torch.autograd, "grad", small)
    engine = Engine(lstm)
    cut, again = train_gates(settings, engine, texts)
    assert failed and len(failed) < 4
    assert again.steps == report.steps
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)
    most = 0
    with pytest.raises(InputError, match="the model ran out of memory on a single row of"):
        train_gates(settings, Engine(lstm), texts)


def _looks(*layers: Sequence[tuple[float, float]]) -> list[Look]:
    """Looks at layers, each given by its open gates and divergences."""
    steps = ([(nth, *now) for nth, now in enumerate(look)] for look in zip(*layers, strict=True))
    return [Look.of(of_look, len(layers), 0, 0) for of_look in steps]


def test_training_has_settled_where_every_layer_has() -> None:
    still = [(0.5, 0.1)] * PATIENCE
    good = [(0.9, 0.1), (0.5, 0.1), *still]
    assert settled(_looks(good), 0.1) and settled(_looks(good, good), 0.1)
    # Too soon, and where gates have not begun to close.
    assert not settled(_looks([(0.9, 0.1), *still]), 0.1)
    assert not settled(_looks([(0.5, 0.1), (0.5, 0.1), *still]), 0.1)
    assert not settled(_looks([*good, (0.4, 0.1)]), 0.1)
    # Too far above the bound, or so far below it that more gates can close.
    assert not settled(_looks([*good, (0.5, 0.2)]), 0.1) and not settled(_looks([*good, (0.5, 0.01)]), 0.1)
    # Each layer by itself: one far above and one far below do not make up for each other,
    high, low = [*good[:-1], (0.5, 0.19)], [*good[:-1], (0.5, 0.01)]
    assert np.mean([0.19, 0.01]) == pytest.approx(0.1)
    assert not settled(_looks(high, low), 0.1)
    # nor do gates that close and gates that open.
    closing, opening = (
        [(0.9, 0.1), (0.5, 0.1), *[(0.5 + d * n, 0.1) for n in range(8)]] for d in (-0.02, 0.02)
    )
    assert not settled(_looks(closing, opening), 0.1) and settled(_looks(opening), 0.1)
    # Where all gates are closed no more can, however near the answers are.
    assert settled(_looks(good, [(0.9, 0.1), (0.001, 0.1), *[(0.001, 1e-9)] * PATIENCE]), 0.1)
    # A layer that had no turn is not known.
    unseen = Look(2, 0, 0, (0.5, np.nan), (0.1, np.nan))
    assert not settled([*_looks(good, good)[:-1], unseen], 0.1)
    rows = [look.row() for look in _looks(good, high)]
    assert [Look.read(row) for row in rows] == _looks(good, high)


@gatings
def test_it_keeps_the_words_that_answers_need_and_no_other(
    word_model: Any, toy_task: Task, gating: Gating
) -> None:
    """One of three answers may be that to placeholders alone: its words are not needed, and they close."""
    model = word_model("cnn", trained=True)
    options: dict[str, Any] = {"epsilon": 0.05, "steps": 400, "batch_size": 16, "warmup": 20}
    options |= {"rate": 0.003, "placeholder_rate": 0.003, "multiplier_rate": 0.1}
    explainer = DiffMask(gating=gating, **options)
    trained = _trained(explainer, model, toy_task)
    encodings = model.encode([example.texts for example in toy_task.test])
    needed: dict[int, list[float]] = {0: [], 1: [], 2: []}
    others = []
    for example, code, opened in zip(
        toy_task.test, encodings, trained.by_layer(Engine(model), encodings), strict=True
    ):
        (span,) = example.rationales[0].spans
        for place, score in enumerate(opened[-1].tolist()):
            is_keyword = code.offsets[place][0] == span.start
            (needed[example.labels[0]] if is_keyword else others).append(score)
    assert np.mean(others) < 0.05
    assert sorted(map(np.mean, needed.values()))[1] > 0.9
    (layer,) = trained.about["layers"]
    assert layer["divergence"] < 0.1 and layer["agreement"] > 0.95


def test_gates_that_cannot_meet_the_bound_are_told_with_what_they_reached(
    lstm: Any, toy_task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        trained = _trained(replace(FEW, epsilon=1e-12), lstm, toy_task)
    message, still_open = caplog.messages
    assert "nearly all gates are still open at" in still_open
    assert "the gates did not come to a divergence of 1e-12 nats at 2 of 2 layers" in message
    for layer in trained.about["layers"]:
        assert f"{layer['layer']} {layer['divergence']:.3g} nats, with {layer['open']:.0%} of" in message
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        _trained(replace(FEW, epsilon=1e3), lstm, toy_task)
    assert not any("did not come to" in message for message in caplog.messages)
    one = LayerReport("embedding", 0.3, 0.75, 0.01), LayerReport("states", 0.1, 1.0, 0.2)
    (told,) = warnings(GateReport(0.1, one, 10, 200, "steps", (), 0, 0, 0.0).record())
    assert "at 1 of 2 layers (embedding 0.3 nats, with 1% of the tokens open and 75% of the decisions" in told
    one = LayerReport("embedding", 0.01, 1.0, 0.97), LayerReport("states", 0.1, 1.0, 0.2)
    (told,) = warnings(GateReport(0.1, one, 10, 200, "steps", (), 0, 0, 0.0).record())
    assert "nearly all gates are still open at 1 of 2 layers (embedding 97.0%)" in told


def test_texts_of_special_tokens_alone_are_scored_0_and_nothing_is_learned_of_them(
    lstm: Any, toy_task: Task
) -> None:
    trained = _trained(FEW, lstm, toy_task)
    asked = replace(request((3, 3)), encoding=encoding((3, 3), specials=(0, 1)))
    (records,) = trained.explain(Engine(lstm), [asked], None)
    assert not scores(records).any() and records[0].cost.forward_rows == 1
    with pytest.raises(InputError, match="none of them has a token that could be absent; give the task some"):
        train_gates(FEW.settings, Engine(lstm), [asked.encoding])
    texts = lstm.encode([example.texts for example in toy_task.train])
    alone, _ = train_gates(FEW.settings, Engine(lstm), texts)
    beside, _ = train_gates(FEW.settings, Engine(lstm), [*texts, asked.encoding])
    assert _hash(alone) == _hash(beside)


def test_it_is_refused_where_it_makes_no_sense(lstm: Any, toy_task: Task) -> None:
    said = incompatibility(FEW, None, capabilities=frozenset({"gradients"}), rationales=False)
    assert said == "the model gives no open layers"
    has = capabilities(lstm)
    said = incompatibility(FEW, None, capabilities=has, rationales=False, training_texts=False)
    assert said == "it is made from training texts, and the task has none"
    with pytest.raises(InputError, match="this one does not show any; choose diffmask_per_example"):
        FEW.fitted(Engine(smooth()), toy_task.train)
    with pytest.raises(InputError, match="layer is 'state', which the model does not have; did you mean 'st"):
        replace(FEW, layer="state").fitted(Engine(lstm), toy_task.train)
    with pytest.raises(InputError, match="diffmask has no gates yet"):
        FEW.explain(Engine(lstm), [], None)
    with pytest.raises(InputError, match="trained on a model with the layers embedding, states; train them"):
        _trained(FEW, lstm, toy_task).explain(Engine(smooth()), [request((4, 9))], None)


def test_gates_explain_only_the_model_that_they_were_trained_on(
    word_model: Any, lstm: Any, toy_task: Task
) -> None:
    """Another one with the same layers would get scores that say nothing of it, and nobody would notice."""
    trained, other = _trained(FEW, lstm, toy_task), word_model("lstm", trained=False)
    encodings = lstm.encode([example.texts for example in toy_task.test])
    assert weights_hash(other) != weights_hash(lstm) and other.layers == lstm.layers
    with pytest.raises(InputError, match="were trained on a model with other weights, and say nothing of"):
        trained.by_layer(Engine(other), encodings)
    # Elsewhere, too.
    copied = replace(trained, model=pickle.loads(pickle.dumps(trained.model)))
    with pytest.raises(InputError, match="a model with other weights"):
        copied.by_layer(Engine(other), encodings)
    assert copied.by_layer(Engine(lstm), encodings)
    # The same weights in another network are the same model, until they change.
    other.network.load_state_dict(lstm.network.state_dict())
    for one, same in zip(
        *(trained.by_layer(Engine(model), encodings) for model in (lstm, other)), strict=True
    ):
        np.testing.assert_array_equal(one, same)
    with torch.no_grad():
        other.network.dense.bias.add_(1)
    with pytest.raises(InputError, match="a model with other weights"):
        trained.by_layer(Engine(other), encodings)


def test_gates_survive_saving(lstm: Any, toy_task: Task, tmp_path: Path) -> None:
    trained = _trained(replace(FEW, gating="hidden", units=5), lstm, toy_task)
    save(cast(Any, StoredGates(FEW.settings, trained.gates)), tmp_path / "gates")
    again = load(tmp_path / "gates")
    assert again.network.shape == trained.gates.shape and again.spec == FEW.settings
    encodings = lstm.encode([example.texts for example in toy_task.test])
    both = [
        FEW.using(gates, {}, lstm).by_layer(Engine(lstm), encodings)
        for gates in (trained.gates, again.network)
    ]
    for one, other in zip(*both, strict=True):
        np.testing.assert_array_equal(one, other)


def test_networks_are_a_quarter_as_wide_as_their_layer_unless_told() -> None:
    wide = Gates(Shape(("embedding", "states"), (100, 8), "input"))
    assert [network.hidden.in_features for network in cast(Any, wide.networks)] == [200, 108]
    assert [network.hidden.out_features for network in cast(Any, wide.networks)] == [25, 8]
    told = Gates(Shape(("embedding", "states"), (100, 8), "hidden", 32))
    assert [network.hidden.out_features for network in cast(Any, told.networks)] == [32, 32]
    assert [len(one) for one in told.placeholders] == [100, 8]


@pytest.mark.parametrize(
    "options",
    [
        *({"epsilon": 0.0}, {"minutes": -1.0}, {"rate": 0.0}, {"placeholder_rate": 0.0}),
        *({"multiplier_rate": 0.0}, {"batch_size": 0}, {"steps": 0}, {"warmup": -1}, {"seed": -1}),
        *({"units": 0}, {"gating": "output"}),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        InputError, match=rf"explainer\.diffmask\.{next(iter(options))} is .*; (expected|available)"
    ):
        DiffMask(**options)
