"""Training: learns, repeats itself, restores its best weights, and says when it failed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from assay.models.batching import pad, shuffled_batches
from assay.models.cnn import Cnn
from assay.models.linear import Linear
from assay.models.maxpool import MaxPool
from assay.models.prediction import Split, encode_split, predict_logits
from assay.models.report import predicted_labels, quality
from assay.models.saving import weights_hash
from assay.models.seeding import seeded
from assay.models.training import Training, _mask_some, fit, rate_factor
from assay.tasks.errors import InputError

QUICK = Training(epochs=8, batch_size=16, learning_rate=0.02, patience=8, mask_rate=0.1)
SMALL = Cnn(dimensions=12, channels=6, widths=(2, 3), training=QUICK)


def found_labels(model, split: Split) -> np.ndarray:
    return predicted_labels(predict_logits(model, split), multi_label=model.multi_label)


@pytest.mark.parametrize("name", ["linear", "maxpool", "cnn", "lstm"])
def test_word_models_learn_the_toy_task(word_model, toy_task, name: str):
    model = word_model(name, trained=True)
    split = encode_split(model, toy_task.test)
    assert quality(split.targets > 0, found_labels(model, split), model.labels).macro_f1 > 0.9


def test_multi_label(toy_multi_label_task):
    model, report = fit(replace(SMALL, training=replace(QUICK, epochs=15)), toy_multi_label_task, 0)
    assert report.test.macro_f1 > 0.9
    assert set(report.test.f1) == set(report.dev.label_accuracy) == set(toy_multi_label_task.labels)
    split = encode_split(model, toy_multi_label_task.test)
    assert split.targets.sum(axis=1).max() > 1
    assert report.test.accuracy == ((split.targets > 0) == found_labels(model, split)).all(axis=1).mean()


def test_pairs(toy_pair_task):
    _, report = fit(replace(SMALL, training=replace(QUICK, epochs=15)), toy_pair_task, 0)
    assert report.test.accuracy > 0.9


def test_equal_seeds_give_equal_weights_and_others_do_not(toy_task):
    first, second, third = (fit(SMALL, toy_task, seed) for seed in (3, 3, 4))
    assert weights_hash(first[0]) == weights_hash(second[0]) != weights_hash(third[0])
    assert first[1].record() == second[1].record() != third[1].record()
    assert "seconds" not in first[1].record()


def test_training_leaves_the_global_generators_alone(toy_task):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(SMALL, toy_task, 0)
    assert torch.equal(torch.rand(3), expected)


def test_the_best_weights_are_really_restored(toy_task):
    """A rate so high that quality jumps about: the last epoch is not the best."""
    wild = replace(SMALL, training=replace(QUICK, epochs=12, patience=12, learning_rate=0.6))
    checked = 0
    for seed in range(4):
        model, report = fit(wild, toy_task, seed)
        best = max(report.epochs, key=lambda epoch: (epoch.dev_macro_f1, -epoch.dev_loss))
        assert report.best_epoch == best.epoch
        split = encode_split(model, toy_task.dev)
        found = quality(split.targets > 0, found_labels(model, split), model.labels).macro_f1
        assert found == best.dev_macro_f1 == report.dev.macro_f1
        checked += best.dev_macro_f1 != report.epochs[-1].dev_macro_f1
    assert checked, "every run ended with its best epoch, so this test has shown nothing"


def test_early_stopping(toy_task):
    _, report = fit(
        replace(SMALL, training=replace(QUICK, epochs=50, patience=2, learning_rate=0.5)), toy_task, 0
    )
    assert len(report.epochs) == report.best_epoch + 2 < 50


def test_an_untrained_twin_has_the_initial_weights(toy_task):
    untrained = SMALL.untrained(toy_task, 0)
    model, report = fit(replace(SMALL, init_only=True), toy_task, 0)
    assert weights_hash(model) == weights_hash(untrained)
    assert report.init_only and report.epochs == () and report.best_epoch == 0
    trained, _ = fit(SMALL, toy_task, 0)
    assert weights_hash(trained) != weights_hash(model)


def test_a_diverging_loss_is_named(toy_task):
    hot = replace(SMALL, training=replace(QUICK, learning_rate=1e38))
    message = r"training of 'cnn' diverged: in epoch 1 .*; lower model.training.learning_rate"
    with pytest.raises(InputError, match=message):
        fit(hot, toy_task, 0)


def test_running_out_of_memory_is_said_in_one_sentence(toy_task, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("assay.models.objective.label_loss", full)
    message = r"memory on a batch of \d+ texts of up to \d+ tokens; lower model.training.batch_size"
    with pytest.raises(InputError, match=message):
        fit(SMALL, toy_task, 0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", -1, "epochs is -1"),
        ("batch_size", 0, "batch_size is 0"),
        ("patience", 0, "patience is 0"),
        ("learning_rate", 0.0, "learning_rate is 0.0"),
        ("learning_rate", float("nan"), "learning_rate is nan"),
        ("mask_rate", 1.0, "mask_rate is 1.0"),
        ("warmup", -0.1, "warmup is -0.1"),
        ("schedule", "linea", "did you mean 'linear'"),
    ],
)
def test_settings_out_of_range(field: str, value, message: str):
    with pytest.raises(InputError, match=message):
        Training(**{field: value})


def test_the_rate_rises_then_falls():
    training = Training(warmup=0.2, schedule="linear")
    assert [rate_factor(share, training) for share in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.5, 1, 0.5, 0])
    assert [rate_factor(share, Training()) for share in (0.0, 0.5, 1.0)] == [1, 1, 1]


def test_batches_hold_every_example_once_and_near_equals_together(word_model):
    encodings = word_model("linear").encode([("a " * (1 + n % 13),) for n in range(103)])
    batches = list(shuffled_batches(encodings, 10, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(103))
    spread = [np.ptp([len(encodings[row]) for row in rows]) for rows in batches]
    assert np.mean(spread) < 3


def test_masking_touches_content_at_its_rate_and_nothing_else(word_model, toy_pair_task):
    model = word_model("linear")
    encodings = model.encode([example.texts for example in toy_pair_task.train] * 5)
    batch = pad(encodings, model.pad_id)
    with seeded(0):
        masked = _mask_some(batch, encodings, model.mask_id, 0.3)
    changed = masked.ids != batch.ids
    content = batch.attention & (batch.ids != 3)
    assert not changed[~content].any()
    assert (masked.ids[changed] == model.mask_id).all()
    assert float(changed[content].float().mean()) == pytest.approx(0.3, abs=0.02)
    assert _mask_some(batch, encodings, model.mask_id, 0.0) is batch
    with pytest.raises(InputError, match="no mask token"):
        _mask_some(batch, encodings, None, 0.1)


def test_a_masked_word_is_known_as_absent(toy_task):
    """With mask_rate the embedding of [MASK] is trained, without it keeps its random start."""
    spec = MaxPool(dimensions=12, training=QUICK)
    trained, untrained = fit(spec, toy_task, 0)[0], spec.untrained(toy_task, 0)
    mask = torch.tensor([[2]])
    assert float((trained.embed(mask) - untrained.embed(mask)).detach().abs().max()) > 0.05
    never = fit(replace(spec, training=replace(QUICK, mask_rate=0.0, weight_decay=0.0)), toy_task, 0)[0]
    assert torch.equal(never.embed(mask), untrained.embed(mask))


def test_quality_equals_sklearn():
    rng = np.random.default_rng(0)
    for _ in range(20):
        gold, found = rng.random((2, 40, 4)) < 0.4
        labels = ["a", "b", "c", "d"]
        ours = quality(gold, found, labels)
        theirs = [f1_score(gold[:, k], found[:, k]) for k in range(4)]
        assert list(ours.f1.values()) == pytest.approx(theirs)
        assert ours.macro_f1 == pytest.approx(f1_score(gold, found, average="macro"))
        assert ours.accuracy == np.mean([(g == f).all() for g, f in zip(gold, found, strict=True)])


def test_predicted_labels():
    logits = np.array([[0.1, 0.2, -1.0], [-0.5, -0.2, -0.3]], dtype=np.float32)
    assert predicted_labels(logits, multi_label=False).tolist() == [[False, True, False]] * 2
    assert predicted_labels(logits, multi_label=True).tolist() == [[True, True, False], [False] * 3]


def test_truncated_texts_are_counted(toy_task):
    _, report = fit(Linear(max_tokens=4, over_limit="truncate", init_only=True), toy_task, 0)
    longer = sum(len(example.texts[0].split()) > 4 for example in toy_task.train)
    assert report.truncated["train"] == longer > 0
    assert report.examples == {"train": 90, "dev": 24, "test": 24}
    with pytest.raises(InputError, match="the model reads at most 4"):
        fit(Linear(max_tokens=4), toy_task, 0)
