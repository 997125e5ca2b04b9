"""Networks asked in bfloat16: near float32, from weights that stay as they are, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import FOREIGN, Foreign
from safetensors.torch import load_file
from test_foreign_checkpoints import TEXTS, finished
from transformers import AutoModelForSequenceClassification

from assay.explainers.baselines import Zero
from assay.models.batching import pad
from assay.models.dense import Dense
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.precision import Precision
from assay.models.reduced import Reduced
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError

NAMED = ("bert", "roberta", "electra", "distilbert", "albert", "deberta-v2", "modernbert", "gpt2", "qwen2")
RUN = [foreign for foreign in FOREIGN if foreign.name in NAMED]
(FNET,) = (foreign for foreign in FOREIGN if foreign.name == "fnet")


@pytest.fixture
def foreign_bert(tmp_path: Path) -> Path:
    """The folder of a BERT."""
    (bert,) = (foreign for foreign in FOREIGN if foreign.name == "bert")
    return bert.save(tmp_path)


@pytest.fixture
def model(tiny_bert: TransformerModel) -> TransformerModel:
    """A copy that a test may change."""
    return deepcopy(tiny_bert)


def logits(engine: Engine, model: TransformerModel, texts: tuple[str, ...] = TEXTS[:12]) -> np.ndarray:
    encodings = model.encode([(text,) for text in texts])
    return np.concatenate(engine.logits([full_rows(encoding) for encoding in encodings]))


@pytest.mark.parametrize("foreign", RUN, ids=str)
def test_networks_answer_near_float32(foreign: Foreign, tmp_path: Path) -> None:
    model = finished(foreign.save(tmp_path))
    engine = Engine(model)
    exact, found = logits(engine, model), logits(engine.reduced(), model)
    assert 0 < np.std(found - exact) < 0.1 * exact.std(axis=0).mean()
    # A head in bfloat16 would leave logits of 8 bits.
    assert np.abs(found - torch.from_numpy(found).bfloat16().double().numpy()).max() > 0


def test_a_network_that_does_not_run_in_bfloat16_is_refused(tmp_path: Path) -> None:
    model = finished(FNET.save(tmp_path))
    with pytest.raises(InputError, match=r"engine\.precision: FNet\w+ does not run in bfloat16 .*float32"):
        logits(Engine(model).reduced(), model)


def test_models_that_are_no_networks_of_hugging_face_are_refused(word_model: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"engine\.precision: WordModel cannot be asked in bfloat16"):
        Reduced(word_model("cnn"))


def test_the_written_out_pass_is_the_librarys_in_bfloat16(model: TransformerModel) -> None:
    batch = pad(model.encode([("a b c",), ("d a c",)]), model.pad_id)
    network: Any = model.network
    base = deepcopy(network.base_model).bfloat16()
    base.pooler.float().load_state_dict(network.base_model.pooler.state_dict())
    with torch.inference_mode():
        states = base.encoder(base.embeddings(batch.ids), attention_mask=None).last_hidden_state
        expected = network.classifier(base.pooler(states.float()))
        found = Reduced(model).logits(batch)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-2 * float(expected.abs().max()))


def test_weights_stay_and_the_copy_follows_them(model: TransformerModel) -> None:
    engine = Engine(model)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    exact = logits(engine, model)
    first, again = logits(engine.reduced(), model), logits(engine.reduced(), model)
    np.testing.assert_array_equal(first, again)
    assert engine.reduced() is engine.reduced()
    for name, tensor in model.network.state_dict().items():
        assert tensor.dtype == before[name].dtype and torch.equal(tensor, before[name]), name
    np.testing.assert_array_equal(logits(engine, model), exact)
    with torch.no_grad():
        for parameter in model.network.get_submodule("classifier").parameters():
            parameter.mul_(-1)
    np.testing.assert_allclose(logits(engine.reduced(), model), -first, atol=1e-6)


def test_the_copy_follows_writes_that_torch_does_not_count(model: TransformerModel) -> None:
    engine = Engine(model)
    layer = model.network.get_submodule("classifier")
    for write in (
        lambda weight: weight.data.mul_(-1),
        lambda weight: weight.data.copy_(-weight.data),
        lambda weight: np.negative(weight.detach().numpy(), out=weight.detach().numpy()),
        lambda weight: setattr(weight, "data", -weight.data),
    ):
        first = logits(engine.reduced(), model)
        for parameter in layer.parameters():
            write(parameter)
        np.testing.assert_allclose(logits(engine.reduced(), model), -first, atol=1e-6)


def test_a_checkpoint_in_bfloat16_is_asked_with_its_own_weights(foreign_bert: Path) -> None:
    """Widened when it is loaded, and to the last bit the same when it is asked in bfloat16 again."""
    network = AutoModelForSequenceClassification.from_pretrained(foreign_bert).bfloat16()
    network.save_pretrained(foreign_bert)
    kept = load_file(foreign_bert / "model.safetensors")
    model = finished(foreign_bert)
    assert {tensor.dtype for tensor in kept.values()} == {torch.bfloat16}
    assert {tensor.dtype for tensor in model.network.parameters()} == {torch.float32}
    copy: Any = Reduced(model).network
    found = copy.base_model.encoder.state_dict(prefix="bert.encoder.")
    assert found and all(torch.equal(tensor, kept[name]) for name, tensor in found.items())
    assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}


def test_rows_are_counted_with_those_of_the_engine(model: TransformerModel) -> None:
    engine = Engine(model)
    logits(engine, model)
    once = engine.counters.forward_rows
    logits(engine.reduced(), model)
    assert engine.counters.forward_rows == 2 * once > 0


def test_replaced_embeddings(model: TransformerModel) -> None:
    engine, (encoding,) = Engine(model), model.encode([("a b c d",)])
    keep = np.ones((3, len(encoding)), dtype=bool)
    keep[1, 2] = keep[2, 1:4] = False
    exact, found = (
        Zero().answers(one, [(encoding, keep)], "logit")[0].values for one in (engine, engine.reduced())
    )
    assert 0 < np.abs(found - exact).max() < 0.05 * np.ptp(exact)


def test_only_what_is_asked_reduced_is_reduced(model: TransformerModel) -> None:
    plain, engine = Engine(model), Engine(model, precision=Precision("bfloat16"))
    np.testing.assert_array_equal(logits(engine, model), logits(plain, model))


def test_linear_layers_in_bfloat16_follow_their_weights() -> None:
    layer = torch.nn.Linear(32, 8).bfloat16().requires_grad_(False)
    x = torch.randn(5, 32)
    dense = Dense(layer)
    for factor in (1, 3):
        with torch.no_grad():
            layer.weight.mul_(factor)
        expected = x.bfloat16().float() @ layer.weight.float().T + layer.bias.float()
        torch.testing.assert_close(dense(x).float(), expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "half"}, "engine.precision"),
        ({"asked_twice": 0.0}, "engine.asked_twice is 0.0"),
        ({"asked_twice": 1.5}, "engine.asked_twice is 1.5"),
        ({"asked_twice": True}, "engine.asked_twice is True"),
        ({"asked_twice": "x"}, "engine.asked_twice is 'x'"),
    ],
)
def test_settings_out_of_range(settings: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=re.escape(named)):
        Precision(**settings)  # type: ignore[arg-type]
