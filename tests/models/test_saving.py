"""Saved models come back the same, and damaged ones do not come back."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.models.batching import pad
from assay.models.saving import MODEL_FILE, WEIGHTS_FILE, load, save, weights_hash
from assay.tasks.errors import InputError

TEXTS = [("a boring plot with music",), ("Wonderful!",)]


@pytest.fixture(
    params=[
        *("linear", "maxpool", "meanpool", "cnn", "lstm", "vmask_cnn", "vmask_lstm"),
        *("concept_cnn", "bottleneck_cnn", "tiny_bert", "vmask_bert", "bottleneck_bert"),
    ]
)
def model(request: pytest.FixtureRequest):
    if "bert" in request.param:
        return request.getfixturevalue(request.param)
    return request.getfixturevalue("word_model")(request.param, trained=True)


@pytest.fixture
def saved(word_model, tmp_path: Path) -> Path:
    save(word_model("cnn", trained=True), tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_answers_to_the_last_bit(model, tmp_path: Path):
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert weights_hash(again) == weights_hash(model)
    assert (again.labels, again.multi_label) == (model.labels, model.multi_label)
    assert (again.pad_id, again.mask_id) == (model.pad_id, model.mask_id)
    before, after = model.encode(TEXTS), again.encode(TEXTS)
    for one, other in zip(before, after, strict=True):
        assert one.tokens == other.tokens and one.ids.tolist() == other.ids.tolist()
    batch = pad(before, model.pad_id)
    assert torch.equal(model.logits(batch), again.logits(batch))
    assert not any(parameter.requires_grad for parameter in again.network.parameters())


def test_loading_needs_no_original_checkpoint(tiny_bert, tmp_path: Path):
    save(tiny_bert, tmp_path / "model")
    assert json.loads((tmp_path / "model" / MODEL_FILE).read_text())["settings"]["path"] is None


def test_saving_again_replaces_and_leaves_nothing_behind(word_model, saved: Path):
    (saved / "stray").write_text("old")
    save(word_model("linear", trained=True), saved)
    assert load(saved).spec.name == "linear"
    assert not (saved / "stray").exists()
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_failing_save_leaves_no_folder(word_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = Path.write_bytes

    def full_disk(self, content):
        write(self, content[:10])
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    # With its number, by which a store knows that its disk is full; safetensors' own errors have none.
    with pytest.raises(OSError, match="no space") as told:
        save(word_model("linear"), tmp_path / "model")
    assert told.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_changed_weights_are_refused(saved: Path):
    state = load_file(saved / WEIGHTS_FILE)
    state["dense.bias"][0] += 1
    save_file(state, saved / WEIGHTS_FILE)
    with pytest.raises(InputError, match="does not have the hash"):
        load(saved)


def test_nan_weights_are_refused_by_name(word_model, tmp_path: Path):
    model = word_model("cnn", seed=77)
    with torch.no_grad():
        model.network.get_parameter("dense.bias")[0] = float("nan")
    save(model, tmp_path / "model")
    with pytest.raises(InputError, match=r"contain NaN in dense\.bias"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / MODEL_FILE).unlink(), "there is no model in"),
        (lambda folder: (folder / MODEL_FILE).write_text("{"), "is not the JSON"),
        (lambda folder: (folder / MODEL_FILE).write_text("{}"), "lacks labels, multi_label, settings"),
        (lambda folder: (folder / WEIGHTS_FILE).unlink(), "cannot be read as safetensors"),
        (lambda folder: (folder / WEIGHTS_FILE).write_bytes(b"junk"), "cannot be read as safetensors"),
        (lambda folder: edit(folder, spec="os.system"), "outside the trusted packages"),
        (lambda folder: edit(folder, spec="assay.models.check.check_model"), "not an architecture"),
        (lambda folder: edit(folder, spec="assay.models.cnn.Nothing"), "does not exist"),
        (lambda folder: edit_settings(folder, channels=7), "do not fit"),
        (lambda folder: edit_settings(folder, colour=7), "another version: colour"),
    ],
)
def test_damaged_folders(saved: Path, change, message: str):
    change(saved)
    with pytest.raises(InputError, match=message):
        load(saved)


def edit(folder: Path, **changes) -> None:
    description = json.loads((folder / MODEL_FILE).read_text())
    (folder / MODEL_FILE).write_text(json.dumps(description | changes))


def edit_settings(folder: Path, **changes) -> None:
    description = json.loads((folder / MODEL_FILE).read_text())
    edit(folder, settings=description["settings"] | changes)


def test_the_hash_tells_names_shapes_and_values_apart(word_model):
    model = word_model("cnn", seed=78)
    before = weights_hash(model)
    with torch.no_grad():
        model.network.get_parameter("dense.bias")[0] += 1e-3
    assert weights_hash(model) != before
