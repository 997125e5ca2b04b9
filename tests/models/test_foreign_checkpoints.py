"""Checkpoints as users bring them: Assay answers what each network's own call on one text alone answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import FOREIGN, LABELS, REFUSED, Foreign
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from representative_pairs import representatives
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.explainers import averaging
from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.controls.heuristics import Heuristic
from assay.explainers.protocol import Explainer, Request, fitted, incompatibility
from assay.models.check import check_model
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.flops import forward_flops
from assay.models.masked_inputs import full_rows
from assay.models.protocol import capabilities
from assay.models.saving import load, save
from assay.models.training import Training, fit
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

TEXTS = (
    *("a good film", "the plot is awful, but the music was really wonderful", "x", "Don't  stop!"),
    *(
        "emoji 🙂🏽 👩‍👩‍👧 here",
        "e\u0301 combining a\u0308 marks",
        "عربي نص قصير",
        "中文电影很好",
        "日本語のテキスト",
    ),
    *("zero\u200bwidth\u200djoin", "tabs\tand\nlines\r\n", "control \x07 and \x00 signs", "a" * 90),
    *("MiXeD cAsInG ISTANBUL İstanbul ß", "literal </s> <s> [SEP] tokens", "<mask> and <unk>"),
    *("½ ﬁ ①", "  leading and trailing  ", "...!?", "12 345,678.90", "soft\u00adhyphen", "▁ Ġ marks"),
    *("the film " * 14, "a b c d e f g h"),
)
PAIRS = tuple(zip(TEXTS[:12], TEXTS[12:], strict=True))
EXAMPLES = tuple(Example(str(at), (text,), (at % 3,)) for at, text in enumerate(TEXTS[:6]))
TASK = Task("foreign", LABELS, EXAMPLES, EXAMPLES, EXAMPLES)

logging.getLogger("transformers").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Foreign], Path]:
    """The folder of a checkpoint, written once."""
    return cache(lambda foreign: foreign.save(tmp_path_factory.mktemp("foreign")))


@pytest.fixture(scope="module")
def opened(saved: Callable[[Foreign], Path]) -> Callable[[Foreign], TransformerModel]:
    """The model of a checkpoint as a finished classifier, read once."""

    @cache
    def read(foreign: Foreign) -> TransformerModel:
        return finished(saved(foreign))

    return read


def finished(folder: Path, **settings: Any) -> TransformerModel:
    model = Transformer(path=str(folder), training=Training(epochs=0), **settings).untrained(TASK, 0)
    model.network.requires_grad_(False)
    return model


def own_logits(
    folder: Path, texts: tuple[tuple[str, ...], ...], dtype: torch.dtype = torch.float32
) -> NDArray[np.float64]:
    """As the library's pages say: the tokenizer's output given to the network, one text at a time."""
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval().to(dtype)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # BigBird reads every later row in another way once it has met a short one.
    changes = network.config.model_type == "big_bird"
    answers = []
    for text in texts:
        asked = deepcopy(network) if changes else network
        with torch.no_grad():
            answers.append(asked(**tokenizer(*text, return_tensors="pt")).logits[0].double().numpy())
    return np.stack(answers)


# One of each kind: run step by step, entered behind its block, entered at its embeddings, without a padding
# token, reading long rows in another way, lengthening rows itself, reading padding, asked by ids only.
KINDS = [
    next(foreign for foreign in FOREIGN if foreign.name == name and foreign.options.get("pad_token_id", 1))
    for name in ("bert", "ernie", "llama", "big_bird", "longformer", "fnet", "bart", "t5")
] + [next(foreign for foreign in FOREIGN if "pad_token_id" in foreign.options)]
# Of the other tokenizers, the first network that has one.
TOKENIZERS = list({foreign.tokenizer: foreign for foreign in reversed(FOREIGN)}.values())
BY_DEFAULT = [*KINDS, *(one for one in TOKENIZERS if one.tokenizer not in {k.tokenizer for k in KINDS})]


@pytest.mark.parametrize(
    "foreign",
    [pytest.param(foreign, marks=() if foreign in BY_DEFAULT else pytest.mark.slow) for foreign in FOREIGN],
    ids=str,
)
def test_logits_are_the_networks_own(foreign: Foreign, saved: Any, opened: Any):
    model = opened(foreign)
    for texts in (tuple((text,) for text in TEXTS), PAIRS):
        encodings = model.encode(texts)
        found = np.concatenate(Engine(model).logits([full_rows(encoding) for encoding in encodings]))
        expected = own_logits(saved(foreign), texts)
        assert np.ptp(expected, axis=0).max() > 0.1
        if np.abs(found - expected).max() > 1e-5:
            # On some processors float32 rounds more in a network of random weights; float64 tells.
            exact = finished(saved(foreign))
            exact.network.double()
            found = np.concatenate(Engine(exact).logits([full_rows(encoding) for encoding in encodings]))
            expected = own_logits(saved(foreign), texts, torch.float64)
            np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)
        for text, encoding in zip(texts, encodings, strict=True):
            check_offsets(text, encoding)


def check_offsets(texts: tuple[str, ...], encoding: Encoding) -> None:
    """Offsets lie inside their text and in order, words are counted through, special tokens have neither."""
    content = encoding.content
    assert (encoding.offsets[~content] == 0).all()
    assert (np.diff(encoding.word_ids[content]) >= 0).all() and (
        np.diff(encoding.word_ids[content]) <= 1
    ).all()
    for segment, text in enumerate(texts):
        starts, ends = encoding.offsets[content & (encoding.segments == segment)].T
        assert ((starts >= 0) & (starts <= ends) & (ends <= len(text))).all()
        assert (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
        assert len(starts) > 0 or not text.isalnum()


def test_enough_architectures_are_tried():
    assert len({foreign.name for foreign in FOREIGN}) >= 35
    assert {"distilbert", "gpt2", "bart", "t5", "longformer", "xlm", "llama"} <= {f.name for f in FOREIGN}


@pytest.mark.parametrize("foreign", REFUSED, ids=str)
def test_what_cannot_be_asked_is_refused_in_one_sentence(foreign: Foreign, saved: Any):
    with pytest.raises(
        InputError, match=r"the checkpoint .* cannot be explained: .*; (choose|expected) a"
    ) as refusal:
        finished(saved(foreign))
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500


# Funnel's own code fails on rows of two tokens, which is what deleting words leaves of a short text.
OTHERS = [foreign for foreign in FOREIGN if foreign not in KINDS and foreign.name != "funnel"]
BASELINES = {"pad": Pad(), "mask": Mask(), "zero": Zero(), "delete": Delete()}


def _pairs(model: TransformerModel) -> dict[tuple[str, str], str | None]:
    """Every explainer with every baseline that is of use to it, and why it is left out if it is."""
    return {
        (name, baseline): incompatibility(
            explainer, BASELINES.get(baseline), capabilities=capabilities(model), rationales=False
        )
        for name, explainer in explainers()
        for baseline in (("none",) if explainer.traits.baseline == "none" else BASELINES)
    }


@pytest.mark.parametrize(
    ("foreign", "crossed"),
    [
        *(pytest.param(foreign, False, id=str(foreign)) for foreign in KINDS),
        *(
            pytest.param(foreign, True, id=f"{foreign}-crossed", marks=pytest.mark.slow)
            for foreign in [*KINDS, *OTHERS]
        ),
    ],
)
def test_every_explainer_runs_or_is_left_out_with_its_reason(foreign: Foreign, crossed: bool, opened: Any):
    """crossed: with every baseline, and not by representatives."""
    model = opened(foreign)
    texts = [("the plot is 中 awful",), ("good music",)]
    examples = [Example(str(at), text, (0,)) for at, text in enumerate(texts)]
    requests = [
        Request(example, encoding, np.array([1, 0]))
        for example, encoding in zip(examples, model.encode(texts), strict=True)
    ]
    engine, offered, reasons = Engine(model), dict(explainers()), _pairs(model)
    possible = [pair for pair, reason in reasons.items() if reason is None]
    for name, baseline in possible if crossed else sorted(representatives(possible)):
        made = fitted(offered[name], engine, [*examples, *examples])
        for records in averaging.explain(made, engine, requests, BASELINES.get(baseline)):
            assert all(np.isfinite(record.scores).all() for record in records)
    ran = {name for name, _ in possible}
    left_out = {name: reason for (name, _), reason in reasons.items() if reason is not None}
    assert {"occlusion", "lime", "kernel_shap", "shapley_sampling", "owen", "random"} <= ran
    assert ("integrated_gradients" in ran) == ("saliency_l2" in ran) == model.access.embeddings
    assert ("lrp" in ran) == hasattr(model, "open_logits")
    assert ran | set(left_out) == {name for name, _ in explainers()}
    assert all(reason and "\n" not in reason for reason in left_out.values())


FEW: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 4},
    "integrated_gradients_until": {"until": 0.5},
    "layer_integrated_gradients": {"steps": 4},
    "layer_conductance": {"steps": 4},
    "diffmask_per_example": {"steps": 4, "samples": 2},
    "entropy_perturbation": {"steps": 4, "samples": 2},
    "exact_search": {"rows": 20},
    "information_bottleneck": {"steps": 4, "samples": 2},
    "sobol": {"points": 2},
    "diffmask": {"steps": 2},
    "discretized_ig": {"steps": 4},
    "sequential_ig": {"steps": 2},
    "gradient_shap": {"samples": 2},
    "lime": {"rows": 20},
    "lime_words": {"rows": 20},
    "kernel_shap": {"rows": 20},
    "shapley_sampling": {"permutations": 2},
}


@cache
def explainers() -> tuple[tuple[str, Explainer], ...]:
    """Those that configuration offers, with few rows, that are of a model: neither scores that were computed
    elsewhere nor heuristics of words."""
    found = []
    for path in sorted((Path(__file__).parents[2] / "conf" / "explainer").glob("*.yaml")):
        for name, settings in OmegaConf.load(path).items():
            explainer = instantiate(settings, **FEW.get(str(name), {}))
            traits = explainer.traits
            if not (traits.fixed or isinstance(explainer, Heuristic) or traits.needs == {"rationales"}):
                found.append((str(name), explainer))
    return tuple(found)


@pytest.mark.parametrize("foreign", KINDS, ids=str)
def test_what_is_promised_holds_and_survives_saving(foreign: Foreign, opened: Any, tmp_path: Path):
    model = opened(foreign)
    assert check_model(model, [(text,) for text in TEXTS], tolerance=1e-5) == []
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.access == model.access and capabilities(again) == capabilities(model)
    assert forward_flops(Engine(again), 20) > forward_flops(Engine(again), 4) > 0
    rows = [full_rows(encoding) for encoding in again.encode([(text,) for text in TEXTS])]
    for one, other in zip(Engine(model).logits(rows), Engine(again).logits(rows), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


def test_random_generators_are_left_as_they_were(opened: Any):
    """BigBird seeds numpy's and Reformer torch's own generator whenever they are called."""
    for name in ("big_bird", "reformer"):
        model = opened(next(foreign for foreign in FOREIGN if foreign.name == name))
        rows = [full_rows(encoding) for encoding in model.encode([(TEXTS[22],), (TEXTS[0],)])]
        numbers, state = np.random.get_state(legacy=False), torch.get_rng_state()  # noqa: NPY002
        Engine(model).logits(rows)
        assert repr(np.random.get_state(legacy=False)) == repr(numbers)  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("foreign", [KINDS[-1], KINDS[6]], ids=str)
def test_training_changes_the_network_and_not_how_it_is_asked(foreign: Foreign, saved: Any, opened: Any):
    """Batches of texts of unequal length, of networks without a padding token or without embeddings."""
    training = Training(epochs=1, batch_size=4, learning_rate=1e-3)
    model, report = fit(Transformer(path=str(saved(foreign)), training=training), TASK, 0)
    assert len(report.epochs) == 1 and np.isfinite(report.epochs[0].train_loss)
    texts = [(text,) for text in TEXTS[:6]]
    with torch.no_grad():
        own = torch.cat([model.own_logits(text) for text in texts]).double().numpy()
    found = np.concatenate(Engine(model).logits([full_rows(encoding) for encoding in model.encode(texts)]))
    np.testing.assert_allclose(found, own, atol=1e-5, rtol=0)
    before = Engine(opened(foreign)).logits([full_rows(encoding) for encoding in model.encode(texts)])
    assert np.abs(found - np.concatenate(before)).max() > 1e-4
