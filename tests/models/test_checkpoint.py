"""Files that do not hold all of a network, or more than it; and how many tokens a network reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import FOREIGN, LABELS, Foreign
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.saving import load, save
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

State = dict[str, Tensor]
EXAMPLES = tuple(Example(str(at), (text,), (at,)) for at, text in enumerate(("good", "a film", "the plot")))
TASK = Task("three", LABELS, EXAMPLES, EXAMPLES, EXAMPLES)
AS_IT_IS, TRAINED = Training(epochs=0), Training(epochs=1)


def named(name: str) -> Foreign:
    return next(foreign for foreign in FOREIGN if foreign.name == name)


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return named("bert").save(tmp_path / "bert")


def changed(folder: Path, change: Callable[[State], State], **config: Any) -> Path:
    """The checkpoint with other tensors in its file, or another configuration beside them."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    settings = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def build(folder: Path, **settings: Any) -> TransformerModel:
    return Transformer(path=str(folder), **settings).untrained(TASK, 0)


def without(part: str) -> Callable[[State], State]:
    return lambda state: {name: tensor for name, tensor in state.items() if part not in name}


def added(**tensors: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, **{name.replace("__", "."): value for name, value in tensors.items()}}


@pytest.mark.parametrize("settings", [{}, {"training": AS_IT_IS}, {"init_only": True}], ids=str)
@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (without("classifier"), {}, r"lacks weights of the classification head .*: classifier\.bias, class"),
        (without("classifier.bias"), {}, r"lacks weights of the classification head .*: classifier\.bias; "),
        (without("bert."), {}, r"lacks weights of the encoder.*bert\.embeddings\.\S+, .* and \d\d more; "),
        (without("layer.1.output"), {}, r"lacks weights of the encoder.*layer\.1\.output\.LayerNorm\.bias"),
        (
            lambda state: {name.replace("bert.", "model."): tensor for name, tensor in state.items()},
            {},
            r"encoder.*bert\.emb.* more, and it has model\.embeddings.* more, which the network does not",
        ),
        (added(classifier__weight=torch.ones(5, 32)), {}, r"in another shape: classifier\.weight; "),
        (
            lambda state: state,
            {"vocab_size": 400},
            r"encoder, or .* shape: bert\.embeddings\.word_embeddings",
        ),
        (lambda state: state, {"num_hidden_layers": 1}, r"has bert\.encoder\.layer\.1\.\S+, .* not read"),
        (
            added(adapter__weight=torch.ones(2)),
            {},
            r"has adapter\.weight, which its network \(Bert.* not read",
        ),
    ],
)
def test_files_of_another_network_are_refused(
    change: Callable[[State], State],
    config: dict[str, Any],
    message: str,
    settings: dict[str, Any],
    bert: Path,
):
    folder = changed(bert, change, **config)
    with pytest.raises(InputError, match=message) as refusal:
        build(folder, **settings)
    assert "\n" not in str(refusal.value)


def test_left_overs_that_no_classifier_reads_are_accepted(bert: Path):
    whole = build(bert, training=AS_IT_IS)
    change = added(
        bert__embeddings__position_ids=torch.arange(130)[None], cls__predictions__bias=torch.ones(2)
    )
    model = build(changed(bert, change), training=AS_IT_IS)
    rows = [full_rows(encoding) for encoding in model.encode([("a good film",)])]
    np.testing.assert_array_equal(Engine(model).logits(rows), Engine(whole).logits(rows))


def tiny(kind: Any, config: Any, folder: Path) -> Path:
    kind(config).save_pretrained(folder)
    named("bert").tokenizer().save_pretrained(folder)
    return folder


SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def test_a_new_head_on_an_encoder_is_for_training(tmp_path: Path):
    """An encoder alone, or under the head that it was pretrained with, without or with an unread pooler."""
    folders = [
        tiny(BertForMaskedLM, BertConfig(**SIZES, intermediate_size=40), tmp_path / "masked"),
        tiny(RobertaModel, RobertaConfig(**SIZES, intermediate_size=40, pad_token_id=1), tmp_path / "alone"),
    ]
    for folder in folders:
        for settings in ({"training": TRAINED}, {"init_only": True}):
            assert build(folder, **settings).labels == LABELS
        with pytest.raises(InputError, match=r"has no trained classification head \(it lacks .*epochs$"):
            build(folder, training=AS_IT_IS)
        part = "encoder.layer.0.output"
        with pytest.raises(InputError, match=r"lacks weights of the encoder"):
            build(changed(folder, without(part)), training=TRAINED)


def test_a_head_that_classifies_tokens_is_none_that_classifies_texts(tmp_path: Path):
    settings: dict[str, Any] = {**SIZES, "intermediate_size": 40, "num_labels": 3}
    config = BertConfig(**settings)
    folder = tiny(BertForTokenClassification, config, tmp_path)
    with pytest.raises(InputError, match="has no trained classification head"):
        build(folder, training=AS_IT_IS)
    # With a pooler of whatever origin nothing is missing.
    pooler = {"bert__pooler__dense__weight": torch.eye(32), "bert__pooler__dense__bias": torch.ones(32)}
    with pytest.raises(InputError, match="BertForTokenClassification, whose head does not classify texts"):
        build(changed(folder, added(**pooler)), training=AS_IT_IS)
    assert build(folder, training=TRAINED).labels == LABELS


@pytest.mark.parametrize("weights", [False, True])
def test_an_adapter_says_how_to_merge_it(weights: bool, bert: Path):
    (bert / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "somebody/base"}))
    if not weights:
        (bert / "model.safetensors").rename(bert / "adapter_model.safetensors")
        (bert / "config.json").unlink()
    with pytest.raises(
        InputError, match=r"holds an adapter such as LoRA \(adapter_config\.json\)"
    ) as refusal:
        build(bert, training=AS_IT_IS)
    said = str(refusal.value)
    assert f"from_pretrained(base, {str(bert)!r}).merge_and_unload().save_pretrained('merged')" in said
    assert "its base model (somebody/base)" in said
    assert ("are the merged ones, delete adapter_config.json" in said) == weights
    assert "\n" not in said and said.count(". ") == 0


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt"])
def test_a_folder_whose_weights_are_pickles_says_how_to_write_them_anew(name: str, bert: Path):
    (bert / "model.safetensors").rename(bert / name)
    expected = rf"holds its weights as a pickle \({name}\).*write it with save_pretrained"
    with pytest.raises(InputError, match=expected):
        build(bert, training=AS_IT_IS)


def test_a_folder_without_a_tokenizer_is_refused(bert: Path):
    for file in bert.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match=r"has no tokenizer; put its files \(tokenizer\.json\) beside the"):
        build(bert, training=AS_IT_IS)


def test_a_tokenizer_of_special_tokens_alone_is_refused(bert: Path):
    made_up = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made_up, pad_token="[PAD]", unk_token="[UNK]")
    for file in bert.glob("tokenizer*"):
        file.unlink()
    tokenizer.save_pretrained(bert)
    with pytest.raises(InputError, match="knows no words but special tokens, so all texts would be alike"):
        build(bert, training=AS_IT_IS)


def test_a_decoder_without_a_tokenizer_is_refused(tmp_path: Path):
    sizes: dict[str, Any] = {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 64}
    GPT2ForSequenceClassification(GPT2Config(vocab_size=9, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no tokenizer; put its files"):
        build(tmp_path, training=AS_IT_IS)


def test_a_folder_of_checkpoints_names_them(bert: Path):
    several = bert.parent / "several"
    for name in ("checkpoint-1000", "checkpoint-500"):
        shutil.copytree(bert, several / name)
    with pytest.raises(InputError) as refusal:
        build(several, training=AS_IT_IS)
    assert str(refusal.value) == (
        f"model.path={several} is no checkpoint, as it has no config.json, but folders in it are: "
        f"checkpoint-1000, checkpoint-500; give one of them, such as model.path={several / 'checkpoint-500'}"
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["bert", "modernbert", "qwen2"])
def test_weights_of_16_bits_are_widened(name: str, dtype: torch.dtype, tmp_path: Path):
    folder = named(name).save(tmp_path / "half")
    network = AutoModelForSequenceClassification.from_pretrained(folder).to(dtype)
    network.save_pretrained(folder)
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {dtype}
    assert json.loads((folder / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")
    model = build(folder, training=AS_IT_IS)
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
    for name, tensor in load_file(folder / "model.safetensors").items():
        assert torch.equal(model.network.state_dict()[name], tensor.float())
    # Anew: what no file holds, such as the frequencies of positions, was never rounded.
    network = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    texts = [("a good film",), ("the plot",)]
    with torch.no_grad():
        own = [network(**model.tokenizer(*text, return_tensors="pt")).logits for text in texts]
    found = np.concatenate(Engine(model).logits([full_rows(encoding) for encoding in model.encode(texts)]))
    assert found.dtype != np.float16
    np.testing.assert_allclose(found, torch.cat(own).numpy(), rtol=0, atol=1e-5)
    save(model, tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert {parameter.dtype for parameter in again.network.parameters()} == {torch.float32}
    rows = [full_rows(encoding) for encoding in again.encode(texts)]
    np.testing.assert_array_equal(np.concatenate(Engine(again).logits(rows)), found)


def test_a_tokenizer_of_more_tokens_than_embeddings_is_refused(bert: Path):
    tokenizer = named("bert").tokenizer()
    tokenizer.add_tokens([f"word{n}" for n in range(200)])
    tokenizer.save_pretrained(bert)
    with pytest.raises(InputError, match=r"knows 320 tokens, but its tokenizer counts up to .*; resize"):
        build(bert)


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        *(("bert", 130), ("distilbert", 130), ("gpt2", 130), ("bart", 130), ("opt", 130), ("xlm", 130)),
        *(("roberta", 128), ("xlm-roberta", 128), ("mpnet", 128), ("longformer", 128), ("esm", 128)),
        *(("camembert", 128), ("data2vec-text", 128), ("ibert", 128), ("yoso", 130), ("nystromformer", 130)),
    ],
)
def test_texts_fill_the_positions_that_there_are(name: str, positions: int, tmp_path: Path):
    """With a tokenizer without a limit: the longest text is read, a longer one never reaches the network."""
    folder = named(name).save(tmp_path)
    model = build(folder, training=AS_IT_IS)
    assert model.limit.max_tokens == positions
    cut = build(folder, training=AS_IT_IS, over_limit="truncate")
    (encoding,) = cut.encode([("a " * 400,)])
    assert len(encoding) == positions and np.isfinite(Engine(cut).logits([full_rows(encoding)])[0]).all()
    with pytest.raises(InputError, match=f"at most {positions}\\b"):
        model.encode([("a " * 400,)])
    with pytest.raises(InputError, match=f"model.max_tokens is {positions + 1}, but .* at most {positions} "):
        build(folder, training=AS_IT_IS, max_tokens=positions + 1)
