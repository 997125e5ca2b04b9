"""VMASK: its loss against a write-out, what its masks do, and the two stages of its training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import assay.models.training
import assay.models.training_resume
from assay.models.batching import pad
from assay.models.cnn import Cnn
from assay.models.protocol import Batch
from assay.models.saving import load, save, weights_hash
from assay.models.seeding import seeded
from assay.models.training import Training, fit
from assay.models.training_resume import Resume
from assay.models.vmask import VmaskCnn
from assay.models.word_mask import Bottleneck, MaskedEmbedding, word_mask
from assay.tasks.errors import InputError
from assay.tasks.example import Task
from assay.tasks.planted import planted
from assay.tasks.rules import make_lexicon

TRAINING = Training(epochs=8, batch_size=32, learning_rate=0.01, patience=8, mask_rate=0.1)
SPEC = VmaskCnn(
    dimensions=24,
    channels=12,
    widths=(2, 3),
    base_training=TRAINING,
    training=TRAINING,
    bottleneck=Bottleneck(units=16, beta_step=0.33),
)


@pytest.fixture(scope="module")
def keywords() -> Task:
    return planted(train=1000, dev=200, test=300)


@pytest.fixture(scope="module")
def trained(keywords: Task):
    return fit(SPEC, keywords, 0)


def is_keyword(model) -> np.ndarray:
    """(V,) bool; special tokens are left out by `words`."""
    lexicon = make_lexicon(2, 0)
    known = {word for group in lexicon.groups for word in group}
    return np.array([word in known for word in model.word_names().values()])


def words(model) -> np.ndarray:
    """Masks of the words, without special tokens."""
    return model.word_masks()[list(model.word_names())]


def test_planted_keywords_have_the_largest_masks(trained):
    model, _ = trained
    assert is_keyword(model).sum() == 8
    assert roc_auc_score(is_keyword(model), words(model)) >= 0.95


def test_accuracy_is_within_a_point_of_the_base_models(trained):
    _, report = trained
    assert report.test.accuracy >= report.base.test.accuracy - 0.01
    assert report.base.test.accuracy > 0.95


def with_beta(task: Task, beta: float):
    constant = Bottleneck(units=16, beta=beta, beta_step=0, beta_end=0)
    return fit(replace(SPEC, bottleneck=constant), task, 0)


def test_without_a_penalty_the_masks_of_what_matters_are_open(keywords: Task):
    model, report = with_beta(keywords, 0.0)
    assert {epoch.penalty_weight for epoch in report.epochs} == {0.0}
    # A keyword may be dropped: where none of a class is read, it is the other class.
    assert np.median(words(model)[is_keyword(model)]) > 0.95
    # Nothing draws masks to 0.5.
    first, last = report.epochs[0].penalty, report.epochs[-1].penalty
    assert first is not None and last is not None and last > first + 0.05


def test_a_large_beta_draws_every_mask_to_one_half_and_closes_none(keywords: Task):
    model, report = with_beta(keywords, 1000.0)
    np.testing.assert_allclose(words(model), 0.5, atol=0.02)
    assert report.epochs[-1].penalty == pytest.approx(-math.log(2), abs=1e-3)


def test_a_word_has_one_mask_in_every_text_and_evaluation_draws_nothing(trained):
    model, _ = trained
    word = next(iter(model.word_names().values()))
    encodings = model.encode([(f"{word} one two",), (f"again and again {word}",)])
    found = model.embed(pad(encodings, model.pad_id).ids)
    torch.testing.assert_close(found[0, 0], found[1, 3], atol=1e-6, rtol=0)
    with seeded(1):
        first = model.embed(torch.arange(50))
    with seeded(2):
        assert torch.equal(first, model.embed(torch.arange(50)))


def test_a_masked_vector_is_the_frozen_one_times_its_mask(trained, keywords: Task):
    model, _ = trained
    base, _ = fit(SPEC.base(), keywords, 0)
    vectors = base.network.embedding.weight
    assert torch.equal(vectors, model.network.embedding.weight)
    ids = torch.arange(len(vectors))
    masks = torch.from_numpy(model.word_masks())[:, None]
    torch.testing.assert_close(model.embed(ids), masks * vectors, atol=1e-6, rtol=0)
    assert not model.embed(torch.tensor([model.pad_id])).any()


def small_layer() -> MaskedEmbedding:
    with seeded(3):
        return MaskedEmbedding(nn.Embedding(6, 3, padding_idx=0), units=4).double()


def test_masks_and_penalty_are_those_written_out():
    layer = small_layer()
    weights = {name: value.detach().tolist() for name, value in layer.state_dict().items()}

    def mask(word: int) -> float:
        vector = weights["weight"][word]
        hidden = [
            math.tanh(sum(w * e for w, e in zip(row, vector, strict=True)) + bias)
            for row, bias in zip(weights["hidden.weight"], weights["hidden.bias"], strict=True)
        ]
        drop, keep = (
            sum(w * h for w, h in zip(row, hidden, strict=True)) + bias
            for row, bias in zip(weights["choice.weight"], weights["choice.bias"], strict=True)
        )
        return math.exp(keep) / (math.exp(keep) + math.exp(drop))

    texts = [[1, 2, 3], [4, 1]]
    tokens = [mask(word) for text in texts for word in text]
    expected = sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in tokens) / 5
    ids = torch.tensor([[1, 2, 3], [4, 1, 0]])
    assert layer.negative_entropy(ids, ids > 0).item() == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(layer.masks(), [mask(word) for word in range(6)], atol=1e-12)


def test_a_layer_that_normalises_reads_words_of_mean_0_and_variance_1():
    layer = small_layer()
    vectors = layer.weight[1:]
    read = (vectors - vectors.mean(1, keepdim=True)) / (
        vectors.var(1, keepdim=True, correction=0) + 1e-5
    ).sqrt()
    expected = torch.softmax(layer.choice(torch.tanh(layer.hidden(read))), dim=1)[:, 1].detach()
    layer.normalise = True
    np.testing.assert_allclose(layer.masks()[1:], expected, atol=1e-12)
    # What is masked is not normalised.
    torch.testing.assert_close(layer.eval()(torch.arange(1, 6)), expected[:, None] * vectors)


def test_padding_changes_neither_the_penalty_nor_its_gradients():
    layer = small_layer()
    short = torch.tensor([[1, 2, 3], [4, 1, 0]])
    found = []
    for ids in (short, nn.functional.pad(short, (0, 20))):
        layer.zero_grad()
        value = layer.negative_entropy(ids, ids > 0)
        value.backward()
        found.append([value.detach(), *(p.grad for p in layer.parameters() if p.grad is not None)])
    assert len(found[0]) == 5
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-15)


def test_training_adds_beta_times_the_mean_over_all_tokens(toy_task: Task):
    """One batch holds all texts, so the first epoch's loss is that of the weights at the start."""
    one = replace(TRAINING, epochs=1, batch_size=len(toy_task.train), mask_rate=0.0)
    spec = replace(SPEC, base_training=one, training=one)
    losses = []
    for beta in (0.0, 0.7):
        _, report = fit(replace(spec, bottleneck=Bottleneck(units=16, beta=beta, beta_end=0)), toy_task, 0)
        losses.append(report.epochs[0])
    model = spec.untrained(toy_task, 0)
    spec.start(model, fit(spec.base(), toy_task, 0)[0])
    masks, tokens = model.word_masks().astype(float), [example.texts for example in toy_task.train]
    read = masks[np.concatenate([encoding.ids for encoding in model.encode(tokens)])]
    expected = float(np.mean(read * np.log(read) + (1 - read) * np.log(1 - read)))
    assert losses[1].penalty == losses[0].penalty == pytest.approx(expected, abs=1e-6)
    assert losses[1].train_loss - losses[0].train_loss == pytest.approx(0.7 * expected, abs=1e-6)


def test_in_training_an_occurrence_is_kept_or_dropped_with_its_masks_probability():
    layer = small_layer().train()
    ids = torch.full((4000,), 2)
    with seeded(0):
        vectors = layer(ids)
    kept = (vectors == layer.weight[2]).all(dim=1)
    assert (kept | (vectors == 0).all(dim=1)).all()
    p = float(layer.masks()[2])
    assert abs(float(kept.double().mean()) - p) < 4 * math.sqrt(p * (1 - p) / 4000)


def test_the_loss_trains_the_mask_layer_through_its_draws_and_never_the_vectors():
    layer = small_layer().train()
    with seeded(0):
        layer(torch.tensor([1, 2, 3])).square().sum().backward()
    assert layer.weight.grad is None
    assert layer.choice.weight.grad is not None and layer.choice.weight.grad.abs().sum() > 0


def test_beta_falls_by_its_steps_to_its_end():
    betas = [round(Bottleneck().weight(epoch), 6) for epoch in (1, 2, 10, 11, 12, 100)]
    assert betas == [1.0, 0.901, 0.109, 0.109, 0.109, 0.109]
    assert Bottleneck(beta_end=0.01).weight(11) == 0.01
    assert [Bottleneck(beta_every=10).weight(epoch) for epoch in (10, 11)] == [1.0, 0.901]


def test_the_report_tells_the_penalty_of_every_epoch_and_of_the_base(trained, toy_task):
    _, report = trained
    record = report.record()
    weights = [epoch["penalty_weight"] for epoch in record["epochs"]]
    assert weights[:5] == pytest.approx([1.0, 0.67, 0.34, 0.109, 0.109])
    assert all(-math.log(2) - 1e-6 <= epoch["penalty"] <= 0 for epoch in record["epochs"])
    assert "penalty" not in record["base"]["epochs"][0] and "base" not in record["base"]
    json.dumps(record)
    # Others' records are what they were.
    plain = fit(Cnn(dimensions=4, channels=2, training=replace(TRAINING, epochs=1)), toy_task, 0)[1].record()
    assert "base" not in plain
    assert set(plain["epochs"][0]) == {"epoch", "train_loss", "dev_loss", "dev_macro_f1"}


def test_the_best_epoch_is_one_of_the_least_beta(trained, toy_task):
    _, report = trained
    assert report.epochs[report.best_epoch - 1].penalty_weight == 0.109
    # Patience does not count while beta falls, also where it stands still between two steps.
    slow = replace(
        SPEC,
        training=replace(TRAINING, epochs=12, patience=1),
        bottleneck=Bottleneck(units=4, beta_step=0.5, beta_every=5),
    )
    epochs = fit(slow, toy_task, 0)[1].epochs
    assert [epoch.penalty_weight for epoch in epochs][:11] == [1.0] * 5 + [0.5] * 5 + [0.109]


def test_equal_seeds_give_equal_weights_and_others_do_not(toy_task):
    first, second, third = (fit(SPEC, toy_task, seed) for seed in (3, 3, 4))
    assert weights_hash(first[0]) == weights_hash(second[0]) != weights_hash(third[0])
    assert first[1].record() == second[1].record()


def lists(spec) -> dict[str, Any]:
    """JSON knows no tuples."""
    return {"widths": list(spec.widths)} if hasattr(spec, "widths") else {}


@pytest.mark.parametrize("name", ["vmask_cnn", "vmask_lstm", "vmask_bert"])
def test_masks_survive_saving(name: str, request: pytest.FixtureRequest, tmp_path: Path):
    model = (
        request.getfixturevalue(name)
        if name == "vmask_bert"
        else request.getfixturevalue("word_model")(name, trained=True)
    )
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert replace(again.spec, **lists(again.spec)) == replace(model.spec, **lists(model.spec))
    assert again.word_masks().tobytes() == model.word_masks().tobytes()
    assert again.word_names() == model.word_names()
    assert np.ptp(model.word_masks()) > 1e-3
    files = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert files <= {".json", ".safetensors"}


def test_an_encoders_mask_reads_the_word_alone_and_its_own_call_is_masked(vmask_bert):
    batch = pad(vmask_bert.encode([("a film",), ("the plot with a film",)]), vmask_bert.pad_id)
    found = vmask_bert.embed(batch.ids)
    torch.testing.assert_close(found[0, 1], found[1, 4], atol=1e-6, rtol=0)
    plain = nn.functional.embedding(batch.ids, word_mask(vmask_bert.network).weight)
    masks = torch.from_numpy(vmask_bert.word_masks())[batch.ids][..., None]
    torch.testing.assert_close(found, masks * plain, atol=1e-6, rtol=0)
    own = vmask_bert.own_logits(("a film",))
    first = Batch(batch.ids[:1, :4], batch.attention[:1, :4], batch.segments[:1, :4])
    torch.testing.assert_close(own, vmask_bert.logits(first), atol=1e-5, rtol=0)


def test_an_encoder_starts_from_its_base_with_frozen_embeddings(vmask_bert, tiny_bert_folder, toy_task):
    spec = vmask_bert.spec
    base, _ = fit(replace(spec, path=str(tiny_bert_folder)).base(), toy_task, 0)
    before, after = base.network.state_dict(), vmask_bert.network.state_dict()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert {name for name in before if ".embeddings." in name} <= same
    # A step of weight decay and more changes every other matrix.
    assert not {name for name in before if name.endswith("dense.weight")} & same


@pytest.mark.parametrize("settings", [{"init_only": True}, {"training": replace(TRAINING, epochs=0)}])
def test_an_untrained_model_trains_no_base(settings: dict[str, Any], toy_task):
    model, report = fit(replace(SPEC, **settings), toy_task, 0)
    assert report.base is None and report.epochs == ()
    assert words(model).std() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 0}, "bottleneck.units is 0"),
        ({"beta_every": 0}, "bottleneck.beta_every is 0"),
        ({"beta": -1.0}, "bottleneck.beta is -1.0"),
        ({"beta": math.nan}, "bottleneck.beta is nan"),
        ({"beta_step": -0.1}, "bottleneck.beta_step is -0.1"),
        ({"beta_end": 2.0}, "bottleneck.beta_end=2.0 is above bottleneck.beta=1.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        Bottleneck(**settings)


def test_a_network_without_masks_is_refused(word_model):
    with pytest.raises(InputError, match="no word-mask layer"):
        word_mask(word_model("cnn").network)


class Killed(BaseException):
    """As of a process that ends at once: nobody catches it."""


# Epochs of the base and of the masked model are two each, so the third call begins the second stage.
@pytest.mark.parametrize(
    ("killed_in", "kept_every"),
    [
        pytest.param(
            killed_in,
            kept,
            marks=() if (killed_in, kept) in {(2, 0.0), (4, 0.0), (3, 1e9)} else pytest.mark.slow,
        )
        for killed_in in (1, 2, 3, 4)
        for kept in (0.0, 1e9)
    ],
)
def test_training_that_was_killed_within_or_between_its_stages_ends_with_the_same_weights(
    killed_in: int, kept_every: float, toy_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = replace(TRAINING, epochs=2)
    # Draws of dropout, of masks and of masked words must go on where they were.
    spec = replace(SPEC, training=two, base_training=two)
    whole, report = fit(spec, toy_task, 0)
    epoch, calls = assay.models.training._one_epoch, list[int]()

    def die(*arguments: Any) -> Any:
        calls.append(arguments[5])
        if len(calls) == killed_in:
            raise Killed
        return epoch(*arguments)

    monkeypatch.setattr(assay.models.training_resume, "KEPT_EVERY", kept_every)
    monkeypatch.setattr(assay.models.training, "_one_epoch", die)
    with pytest.raises(Killed):
        fit(spec, toy_task, 0, resume=Resume(tmp_path / "training"))
    before = len(calls)
    torch.manual_seed(99)
    resume = Resume(tmp_path / "training")
    resumed, again = fit(spec, toy_task, 0, resume=resume)
    assert weights_hash(resumed) == weights_hash(whole)
    assert again.record() == report.record() and again.base is not None
    # What was kept is not done again: every epoch, or where these are short the whole first stage.
    done = before - 1 if not kept_every else 2 * (killed_in > 2)
    assert len(calls) - before == 4 - done
    resume.remove()
    assert not list(tmp_path.iterdir())


def test_a_short_training_writes_nothing_but_the_end_of_its_first_stage(toy_task, tmp_path) -> None:
    fit(SPEC, toy_task, 0, resume=Resume(tmp_path / "training"))
    assert [path.name for path in tmp_path.iterdir()] == ["training.base"]


def test_a_network_too_large_to_be_kept_in_memory_several_times_is_not(toy_task, tmp_path, monkeypatch):
    monkeypatch.setattr(assay.models.training_resume, "MOST_BYTES", 10)
    whole, resume = fit(SPEC, toy_task, 0)[0], Resume(tmp_path / "training")
    assert weights_hash(fit(SPEC, toy_task, 0, resume=resume)[0]) == weights_hash(whole)
    assert not list(tmp_path.iterdir())
