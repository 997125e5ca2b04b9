"""Explainers of other libraries give what a script of a few lines with the same library and seed gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import captum.attr
import numpy as np
import pytest
import shap
import torch
from lime.lime_text import LimeTextExplainer

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.peers.captum import Captum
from assay.explainers.peers.captum_methods import METHODS
from assay.explainers.peers.library import alone, named, seed_of
from assay.explainers.peers.lime_text import LimeText
from assay.explainers.peers.shap_kernel import ShapKernel
from assay.explainers.peers.shap_text import ShapText
from assay.explainers.protocol import Request
from assay.models.adapters import BlackBox
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# Their types say less than is true.
ATTR: Any = captum.attr
SHAP: Any = shap

TEXT = "the plot is brilliant, but the music seems dreadful"


def _probabilities(texts: Sequence[Any]) -> np.ndarray:
    """A black box in which words and their neighbours count."""
    rows = []
    for text in texts:
        words = text.split()
        good, bad = words.count("brilliant"), words.count("dreadful")
        pairs = sum(len(a) > len(b) for a, b in pairwise(words))
        rows.append([0.3 * len(words) / 9, good + 0.2 * pairs, bad - 0.5 * good * bad])
    odds = np.exp(rows)
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(params=["cnn", "bert", "black_box"])
def model(request: pytest.FixtureRequest, word_model, tiny_bert) -> Any:
    if request.param == "cnn":
        return word_model("cnn", trained=True)
    if request.param == "bert":
        return tiny_bert
    return BlackBox(_probabilities, labels=("neutral", "positive", "negative"))


@pytest.fixture(params=["cnn", "bert"])
def network(request: pytest.FixtureRequest, word_model, tiny_bert) -> Any:
    return word_model("cnn", trained=True) if request.param == "cnn" else tiny_bert


def _request(model: Any, text: str | tuple[str, ...] = TEXT, targets: Sequence[int] = (0, 1, 2)) -> Request:
    texts = (text,) if isinstance(text, str) else text
    return Request(
        Example("a text", texts, ()), model.encode([texts])[0], np.array(targets, dtype=np.intp), 5
    )


def _scores(explainer: Any, model: Any, request: Request, baseline: Any = None) -> np.ndarray:
    (records,) = explainer.explain(Engine(model), [request], baseline)
    return np.stack([record.scores for record in records])


def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """(R, K) logits of rows of ids, by the model itself."""
    from assay.models.protocol import Batch

    with torch.no_grad():
        return model.logits(
            Batch(ids.long(), torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids).long())
        )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    yield


def _of_ids(model: Any, asked: Request, absent: int, attribute: Callable[..., torch.Tensor]) -> np.ndarray:
    """(M, T) captum's attributions of content ids, as a script makes them."""
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    content = torch.from_numpy(np.flatnonzero(asked.encoding.content))

    def forward(tokens: torch.Tensor) -> torch.Tensor:
        rows = ids.repeat(len(tokens), 1)
        rows[:, content] = tokens
        return _logits(model, rows)

    found = torch.zeros(len(asked.targets), ids.shape[1], dtype=torch.float64)
    for row, target in enumerate(asked.targets.tolist()):
        with _seeded(seed_of(asked, "captum")):
            tokens = ids[:, content]
            found[row, content] = attribute(forward, tokens, torch.full_like(tokens, absent), target)[
                0
            ].double()
    return found.numpy()


def test_captums_kernel_shap(model):
    asked = _request(model)
    expected = _of_ids(
        model,
        asked,
        model.pad_id,
        lambda forward, inputs, baselines, target: ATTR.KernelShap(forward).attribute(
            inputs, baselines=baselines, target=target, n_samples=200
        ),
    )
    found = _scores(Captum("KernelShap", {"n_samples": 200}), model, asked, Pad())
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-3


def test_captums_feature_ablation(model):
    asked = _request(model)
    expected = _of_ids(
        model,
        asked,
        model.pad_id,
        lambda forward, inputs, baselines, target: ATTR.FeatureAblation(forward).attribute(
            inputs, baselines=baselines, target=target
        ),
    )
    np.testing.assert_allclose(_scores(Captum("FeatureAblation"), model, asked, Pad()), expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("Occlusion", {"sliding_window_shapes": (2,)}),
        ("Lime", {"n_samples": 60}),
        ("ShapleyValueSampling", {"n_samples": 4}),
    ],
)
def test_captums_other_classes_on_ids(network, method: str, arguments: dict[str, Any]):
    asked = _request(network, targets=[1])
    expected = _of_ids(
        network,
        asked,
        network.mask_id,
        lambda forward, inputs, baselines, target: getattr(ATTR, method)(forward).attribute(
            inputs, baselines=baselines, target=target, **arguments
        ),
    )
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    np.testing.assert_allclose(_scores(Captum(method, given), network, asked, Mask()), expected, atol=1e-6)


def _embedded(network: Any, asked: Request, absent: int) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """A function from what the first layer reads to logits, that of the text, and that of the baseline."""
    from assay.models.protocol import Batch
    from assay.models.tensors import enter, logits_from_entry

    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    absent_ids = torch.where(torch.from_numpy(asked.encoding.content), absent, ids)

    def batch(rows: int) -> Batch:
        shape = (rows, ids.shape[1])
        return Batch(
            ids.expand(shape), torch.ones(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.long)
        )

    with torch.no_grad():
        text, reference = (enter(network, network.embed(one), batch(1)) for one in (ids, absent_ids))
    return lambda values: logits_from_entry(network, values, batch(len(values))), text, reference


@pytest.mark.parametrize("layer", ["IntegratedGradients", "LayerIntegratedGradients"])
def test_captums_integrated_gradients(network, layer: str):
    asked = _request(network)
    forward, text, reference = _embedded(network, asked, network.pad_id)
    explainer = ATTR.IntegratedGradients(forward)
    expected = [
        explainer.attribute(text, baselines=reference, target=target, n_steps=20)[0].sum(-1)
        for target in range(3)
    ]
    found = _scores(Captum(layer, {"n_steps": 20}), network, asked, Pad())
    np.testing.assert_allclose(found, torch.stack(expected).detach(), atol=1e-6)


def test_captums_layer_classes_on_the_embedding_module_of_a_hugging_face_bert(tiny_bert):
    asked, network = _request(tiny_bert), tiny_bert.network
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    baselines = torch.where(torch.from_numpy(asked.encoding.content), tiny_bert.mask_id, ids)
    layer = ATTR.LayerIntegratedGradients(lambda ids: network(ids).logits, network.bert.embeddings)
    order = [list(tiny_bert.labels).index(network.config.id2label[place]) for place in range(3)]
    expected = np.zeros((3, ids.shape[1]))
    for place, target in enumerate(order):
        of_class = layer.attribute(ids, baselines=baselines, target=place, n_steps=10)
        expected[target] = of_class[0].sum(-1).detach()
    found = _scores(Captum("LayerIntegratedGradients", {"n_steps": 10}), tiny_bert, asked, Mask())
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("method", ["Saliency", "InputXGradient", "GradientShap"])
def test_captums_other_gradients(network, method: str):
    asked = _request(network, targets=[2])
    forward, text, reference = _embedded(network, asked, network.pad_id)
    with _seeded(seed_of(asked, "captum")):
        given = {"baselines": reference} if method == "GradientShap" else {}
        text.requires_grad_(True)
        expected = getattr(ATTR, method)(forward).attribute(text, target=2, **given)[0].sum(-1)
    found = _scores(Captum(method), network, asked, Pad() if given else None)
    np.testing.assert_allclose(found[0], expected.detach(), atol=1e-6)


def _predict(model: Any) -> Callable[[Sequence[str]], np.ndarray]:
    """As a script asks the model: text by text; nothing left is one padding token."""

    def predict(texts: Sequence[str]) -> np.ndarray:
        rows = []
        for text in texts:
            try:
                ids = model.encode([(str(text),)])[0].ids
            except InputError:
                ids = np.array([model.pad_id])
            rows.append(
                torch.softmax(_logits(model, torch.from_numpy(ids.astype(np.int64))[None]).double(), -1)[0]
            )
        return torch.stack(rows).numpy()

    return predict


def _spread(asked: Request, stretches: Sequence[tuple[int, int, float]]) -> np.ndarray:
    """(T,) scores of tokens from those of stretches, by the definition."""
    scores = np.zeros(len(asked.encoding))
    offsets, content = asked.encoding.offsets, asked.encoding.content
    for start, end, score in stretches:
        hit = [at for at in np.flatnonzero(content) if offsets[at, 0] < end and offsets[at, 1] > start]
        scores[hit] += score / len(hit) if hit else 0
    return scores


@pytest.mark.parametrize("bow", [True, False])
def test_limes_text_explainer(model, bow: bool):
    asked = _request(model)
    # lime's own mask string would be more pieces than the tiny BERT reads.
    construct = {"bow": bow, "mask_string": "film"}
    explainer = LimeTextExplainer(random_state=seed_of(asked, "lime_text"), **construct)
    theirs = explainer.explain_instance(
        TEXT, _predict(model), labels=(0, 1, 2), num_samples=150, num_features=9
    )
    found = _scores(LimeText({"num_samples": 150, "num_features": 9, **construct}), model, asked)
    for target in range(3):
        stretches = []
        for word, weight in theirs.local_exp[target]:
            name = theirs.domain_mapper.indexed_string.word(word)
            starts = np.ravel(theirs.domain_mapper.indexed_string.string_position(word)).tolist()
            stretches += [(start, start + len(name), weight / len(starts)) for start in starts]
        np.testing.assert_allclose(found[target], _spread(asked, stretches), atol=1e-6)
        assert np.abs(found[target]).max() > 1e-3


def test_shaps_partition_with_the_text_masker(model):
    asked = _request(model)
    masker: Any = SHAP.maskers.Text(getattr(model, "tokenizer", r"\W+"))
    theirs = SHAP.Explainer(_predict(model), masker)([TEXT], max_evals=60, silent=True)
    offsets = masker.tokenizer(TEXT, return_offsets_mapping=True)["offset_mapping"]
    found = _scores(ShapText(arguments={"max_evals": 60}), model, asked)
    for target in range(3):
        values = theirs.values[0][:, target]
        stretches = [(*at, value) for at, value in zip(offsets, values, strict=True) if at[0] < at[1]]
        np.testing.assert_allclose(found[target], _spread(asked, stretches), atol=1e-6)
        assert np.abs(found[target]).max() > 1e-3


def test_shaps_kernel_explainer(model):
    asked = _request(model)
    content = np.flatnonzero(asked.encoding.content)

    def predict(present: np.ndarray) -> np.ndarray:
        ids = np.repeat(asked.encoding.ids[None].astype(np.int64), len(present), axis=0)
        ids[:, content] = np.where(present > 0.5, ids[:, content], model.pad_id)
        return torch.softmax(_logits(model, torch.from_numpy(ids)).double(), -1).numpy()

    with _seeded(seed_of(asked, "shap_kernel")):
        explainer = SHAP.KernelExplainer(predict, np.zeros((1, len(content))))
        theirs = explainer.shap_values(np.ones((1, len(content))), nsamples=120, silent=True)
    found = _scores(ShapKernel({"nsamples": 120}), model, asked, Pad())
    np.testing.assert_allclose(found[:, content], np.asarray(theirs)[0].T, atol=1e-6)


@pytest.mark.parametrize("unit", ["word", "word_type"])
def test_words_are_replaced_together(tiny_bert, unit: Any):
    asked = _request(tiny_bert, targets=[0])
    found = _scores(Captum("FeatureAblation", unit=unit), tiny_bert, asked, Mask())[0]
    words = asked.encoding.word_ids
    for word in range(words.max() + 1):
        pieces = np.flatnonzero(words == word)
        assert np.ptp(found[pieces]) < 1e-7
    ids = torch.from_numpy(np.stack([asked.encoding.ids] * 2).astype(np.int64))
    first = (
        np.flatnonzero(words == 0)
        if unit == "word"
        else np.flatnonzero(asked.encoding.ids == ids[0, 1].item())
    )
    ids[1, first] = tiny_bert.mask_id
    before, after = _logits(tiny_bert, ids)[:, 0].tolist()
    np.testing.assert_allclose(found[first].sum(), before - after, atol=1e-6)


def test_a_baseline_without_a_token_is_an_absent_token(network):
    asked = _request(network, targets=[1])
    for baseline in (Zero(), Delete()):
        found = _scores(Captum("FeatureAblation"), network, asked, baseline)[0]
        at = int(np.flatnonzero(asked.encoding.content)[3])
        keep = np.ones((2, len(asked.encoding)), dtype=bool)
        keep[1, at] = False
        before, after = Engine(network).logits([baseline.rows(network, asked.encoding, keep)])[0][:, 1]
        np.testing.assert_allclose(found[at], before - after, atol=1e-6)
        assert abs(before - after) > 1e-6


def test_captums_deep_lift_runs_the_networks_modules_and_shows_its_gap_on_bert(tiny_bert):
    """Its rules reach the tanh of the pooler and nothing else; the sum shows it."""
    asked = _request(tiny_bert, targets=[1])
    calls: list[int] = []
    hooks = _hooks(tiny_bert.network)
    hook = tiny_bert.network.bert.pooler.activation.register_forward_hook(lambda *_: calls.append(1))
    ((record,),) = Captum("DeepLift").explain(Engine(tiny_bert), [asked], Pad())
    hook.remove()
    assert calls
    assert abs(record.completeness_gap) > 1e-4 * abs(record.value_input - record.value_baseline)
    forward, text, reference = _embedded(tiny_bert, asked, tiny_bert.pad_id)
    plain = ATTR.InputXGradient(forward).attribute((text - reference).requires_grad_(True), target=1)
    assert np.abs(record.scores - plain[0].sum(-1).detach().numpy()).max() > 1e-6
    assert _hooks(tiny_bert.network) == hooks


def _hooks(network: torch.nn.Module) -> list[int]:
    return [
        len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in network.modules()
    ]


def test_what_captum_cannot_do_is_refused_with_its_reason(word_model):
    cnn = word_model("cnn")
    with pytest.raises(InputError, match=r"captum .* failed on example 'a text': .*no rule defined"):
        Captum("LRP").explain(Engine(cnn), [_request(cnn)], None)
    with pytest.raises(InputError, match=r"this network has none, so it would give the plain gradient"):
        Captum("GuidedBackprop").explain(Engine(cnn), [_request(cnn)], None)
    with pytest.raises(InputError, match=r"captum .* failed on example 'a text'"):
        Captum("KernelShap").explain(Engine(cnn), [_request(cnn, "film")], Pad())


def test_guided_backprop_of_a_network_with_modules():
    """captum's own rule, where its hooks find what they are for."""
    from assay.models.adapters import TorchAdapter
    from assay.models.vocabulary import encode_words

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Embedding(50, 6), torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    )
    model = TorchAdapter(
        network,
        labels=("a", "b", "c"),
        encode=lambda texts: [encode_words(text, lambda word: len(word) + 4, 3) for text in texts],
        logits=lambda batch: network(batch.ids).mean(1),
        embed=network[0],
        logits_from_embeddings=lambda embeddings, batch: network[1:](embeddings).mean(1),
    )
    asked = _request(model, targets=[1])
    embedded = (
        network[0](torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]).detach().requires_grad_(True)
    )

    class Rest(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rest = network[1:]

        def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
            return self.rest(embeddings).mean(1)

    expected = ATTR.GuidedBackprop(Rest()).attribute(embedded, target=1)[0].sum(-1)
    plain = ATTR.InputXGradient(Rest()).attribute(embedded, target=1)[0].sum(-1)
    found = _scores(Captum("GuidedBackprop"), model, asked)[0]
    np.testing.assert_allclose(found, expected.detach(), atol=1e-6)
    assert np.abs(found - plain.detach().numpy()).max() > 1e-4


PEERS = [
    (Captum("KernelShap", {"n_samples": 30}), Pad()),
    (Captum("IntegratedGradients", {"n_steps": 5}), Pad()),
    (Captum("ShapleyValueSampling", {"n_samples": 2}), Pad()),
    (LimeText({"num_samples": 60}), None),
    (ShapText(arguments={"max_evals": 30}), None),
    (ShapKernel({"nsamples": 40}), Pad()),
]
IDS = [peer.name + (peer.method if isinstance(peer, Captum) else "") for peer, _ in PEERS]
every_peer = pytest.mark.parametrize(("peer", "baseline"), PEERS, ids=IDS)


@every_peer
def test_global_generators_are_as_before(peer, baseline, word_model):
    cnn = word_model("cnn")
    with _seeded(3):
        peer.explain(Engine(cnn), [_request(cnn)], baseline)
        after = random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002
    with _seeded(3):
        assert after == (random.random(), float(np.random.rand()), float(torch.rand(1)))  # noqa: NPY002


@every_peer
def test_texts_and_targets_do_not_see_each_other(peer, baseline, word_model):
    cnn = word_model("cnn", trained=True)
    texts = [TEXT, "a brilliant film today", "the story is boring again and again", TEXT + " really"]
    asked = [
        Request(Example(f"{n}", (text,), ()), cnn.encode([(text,)])[0], np.array([2, 0]), 5)
        for n, text in enumerate(texts)
    ]
    together = [_stack(records) for records in peer.explain(Engine(cnn), asked, baseline)]
    backwards = [_stack(records) for records in peer.explain(Engine(cnn, budget=20), asked[::-1], baseline)]
    for one, other, request in zip(together, backwards[::-1], asked, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        np.testing.assert_allclose(one, _scores(peer, cnn, request, baseline), atol=1e-5)
        single = Request(request.example, request.encoding, np.array([0]), 5)
        np.testing.assert_allclose(one[1:], _scores(peer, cnn, single, baseline), atol=1e-5)
    nothing = Request(asked[0].example, asked[0].encoding, np.array([], dtype=np.intp), 5)
    assert peer.explain(Engine(cnn), [nothing], baseline) == [[]]


def _stack(records: Sequence[Any]) -> np.ndarray:
    return np.stack([record.scores for record in records])


@every_peer
def test_the_same_seed_gives_the_same_bytes_and_another_seed_matters_if_declared(peer, baseline, word_model):
    cnn = word_model("cnn", trained=True)
    asked = _request(cnn)
    other = Request(asked.example, asked.encoding, asked.targets, 6)
    first, again, third = (_scores(peer, cnn, one, baseline).tobytes() for one in (asked, asked, other))
    assert first == again
    assert (first != third) == peer.traits.stochastic


@every_peer
def test_renaming_the_classes_renames_the_scores(peer, baseline, word_model):
    """A black box, because its classes are renamed by its function."""
    order = [2, 0, 1]
    plain = BlackBox(_probabilities, labels=("a", "b", "c"))
    renamed = BlackBox(lambda texts: _probabilities(texts)[:, order], labels=("c", "a", "b"))
    if "gradients" in peer.traits.needs:
        pytest.skip("a black box has no gradients; test_invariances.py renames the classes of another model")
    found = _scores(peer, renamed, _request(renamed), baseline)
    np.testing.assert_allclose(found, _scores(peer, plain, _request(plain), baseline)[order], atol=1e-5)


@every_peer
def test_costs_are_what_the_engine_counts_and_the_plan_bounds_them(peer, baseline, word_model):
    cnn = word_model("cnn")
    engine, asked = Engine(cnn), _request(cnn)
    ((record, *_),) = peer.explain(engine, [asked], baseline)
    counted = engine.counters
    assert record.cost.forward_rows == counted.forward_rows > 0
    assert (record.cost.backward_rows, record.cost.tokens) == (counted.backward_rows, counted.forward_tokens)
    assert 0 < counted.seconds < record.cost.seconds
    forward, backward = peer.model_rows(len(asked.encoding), 3)
    assert forward / 3 < record.cost.forward_rows <= forward
    assert record.cost.backward_rows == backward


@pytest.mark.parametrize("method", sorted(METHODS))
def test_captums_costs(method: str, word_model):
    cnn, known = word_model("cnn"), METHODS[method]
    if known.needs_relu or known.rows is None:
        pytest.skip("captum does not run it on this network")
    engine, asked = Engine(cnn), _request(cnn, targets=[1, 2])
    explainer = Captum(method)
    ((record, _),) = explainer.explain(engine, [asked], Pad() if known.baseline else None)
    cost = record.cost.forward_rows, record.cost.backward_rows
    assert cost == (engine.counters.forward_rows, engine.counters.backward_rows)
    assert cost == explainer.model_rows(len(asked.encoding), 2)


def test_a_new_version_of_a_library_is_a_new_key(monkeypatch: pytest.MonkeyPatch):
    from assay.harness.config.keys import versions

    before = versions(LimeText())
    assert ("fingerprint", named("lime")) in before
    monkeypatch.setattr("assay.explainers.peers.library.version", lambda name: "99")
    assert ("fingerprint", "lime 99") in versions(LimeText())
    assert before != versions(LimeText())


def test_a_library_that_is_missing_is_named_with_the_way_to_it(monkeypatch: pytest.MonkeyPatch):
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("assay.explainers.peers.library.version", missing)
    with pytest.raises(InputError, match=r"shap is not installed.*pip install 'assay\[peers\]'"):
        _ = ShapText().fingerprint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Captum("IntegratedGradient"), "did you mean 'IntegratedGradients'"),
        (lambda: Captum(arguments={"n_step": 3}), "did you mean 'n_steps'"),
        (lambda: Captum(arguments={"target": 1}), "has 'target'"),
        (lambda: Captum(reduce="l3"), "captum.reduce"),  # pyright: ignore[reportArgumentType]
        (lambda: Captum(unit="word"), "scores single tokens"),
        (lambda: Captum("Occlusion", reduce="l2"), "one score per token"),
        (lambda: LimeText({"num_sample": 3}), "did you mean 'num_samples'"),
        (lambda: LimeText({"random_state": 3}), "has 'random_state'"),
        (lambda: ShapText(arguments={"max_eval": 3}), "did you mean 'max_evals'"),
        (lambda: LimeText({"num_samples": "many"}), "num_samples is 'many'"),
        (lambda: ShapKernel({"nsamples": 0}), "nsamples is 0"),
        (lambda: Captum(arguments={"n_steps": 2.5}), "n_steps is 2.5"),
        (lambda: ShapKernel({"n_samples": 3}), "did you mean 'nsamples'"),
    ],
)
def test_arguments_are_checked_against_what_the_library_takes(make: Callable[[], object], message: str):
    with pytest.raises(InputError, match=message):
        make()


def test_pairs_are_refused_where_a_library_reads_one_text(word_model, toy_pair_task):
    cnn = word_model("cnn", task=toy_pair_task)
    asked = _request(cnn, ("a film", "the plot"), [0])
    for peer in (LimeText(), ShapText()):
        with pytest.raises(InputError, match=r"no scores for 1 of 1 texts.*is a pair"):
            peer.explain(Engine(cnn), [asked], None)
    assert _scores(ShapKernel(), cnn, asked, Pad()).shape == (1, 5)


def test_tokens_that_were_changed_without_their_text_are_refused_and_left_out_of_the_metric(word_model):
    """max_sensitivity changes tokens; lime would explain the old text, and get the best value."""
    from dataclasses import replace

    from assay.harness.config.choice import ChosenMetric, Method
    from assay.harness.interface.settings import chosen
    from assay.harness.trials.incompatibilities import cell_metric_incompatibility
    from assay.harness.trials.plan import Cell

    cnn = word_model("cnn")
    asked = _request(cnn)
    ids = asked.encoding.ids.copy()
    ids[0] = ids[1]
    changed = replace(asked, encoding=replace(asked.encoding, ids=ids))
    metrics: Any = chosen("metric", ["max_sensitivity", "randomisation"])
    for peer in (LimeText(), ShapText()):
        with pytest.raises(InputError, match="tokens of example 'a text' were changed without its text"):
            peer.explain(Engine(cnn), [changed], None)
        cell = Cell("", Method(peer.name, "", peer, None, ()), 0, None)
        both = [ChosenMetric(built.built, "", Pad()) for built in metrics.values()]
        reasons = [cell_metric_incompatibility(cell, metric) for metric in both]
        assert reasons == ["it changes tokens, but this explainer reads the text they were made from", None]
    found = _scores(Captum("FeatureAblation"), cnn, changed, Pad())
    assert np.abs(found - _scores(Captum("FeatureAblation"), cnn, asked, Pad())).max() > 0


def test_texts_in_which_a_library_finds_no_word_are_counted(word_model, caplog: pytest.LogCaptureFixture):
    cnn = word_model("cnn", trained=True)
    asked = [_request(cnn, "!? ..."), _request(cnn)]
    found = LimeText({"num_samples": 30}).explain(Engine(cnn), asked, None)
    assert "finds nothing to score in 1 of 2 texts" in caplog.text
    assert not found[0][0].scores.any() and found[1][0].scores.any()


@pytest.mark.parametrize(
    ("text", "peer", "message"),
    [
        ("film", ShapText(), r"shap .* failed on example 'a text'"),
        ("a\x00b plot", LimeText({"num_samples": 20}), "lime places the word 'b'"),
    ],
)
def test_texts_on_which_a_library_stops_are_named(text: str, peer, message: str, word_model):
    cnn = word_model("cnn")
    with pytest.raises(InputError, match=message):
        peer.explain(Engine(cnn), [_request(cnn, text)], None)


def test_lime_explains_a_text_of_one_word(word_model):
    cnn = word_model("cnn", trained=True)
    assert _scores(LimeText({"num_samples": 20}), cnn, _request(cnn, "brilliant")).any()


def test_scopes_of_threads_wait_for_each_other(word_model):
    from concurrent.futures import ThreadPoolExecutor

    cnn = word_model("cnn", trained=True)
    engine, asked = Engine(cnn), _request(cnn)
    explainer = Captum("ShapleyValueSampling", {"n_samples": 3})
    expected = _scores(explainer, cnn, asked, Pad())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: _stack(explainer.explain(engine, [asked], Pad())[0]), range(8)))
    for one in found:
        np.testing.assert_allclose(one, expected, atol=1e-6)
    with alone(1):
        first = float(np.random.rand())  # noqa: NPY002
    with alone(1):
        assert first == float(np.random.rand())  # noqa: NPY002
