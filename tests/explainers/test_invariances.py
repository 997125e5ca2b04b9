"""What must hold for every explainer that configuration offers, with every baseline it takes.

By default every explainer runs with one baseline, and every baseline with a few explainers
(representative_pairs.py); the rest of the cross is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from explainer_models import HandModel, request, scores
from explainer_models import smooth as unread
from explainer_samples import fit, opened, reading, training_texts
from hydra.utils import instantiate
from omegaconf import OmegaConf
from representative_pairs import mark, representatives

import assay.explainers.paths.path_gradients
import assay.explainers.perturbation.ask_tell
from assay.explainers import averaging
from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.perturbation.exact_search import ExactSearch
from assay.explainers.perturbation.owen import Owen
from assay.explainers.protocol import Explainer, Request, fitted, incompatibility
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.example import Example

CONF = Path(__file__).parents[2] / "conf"


# What holds at any number of rows and draws is quicker to see with few.
FEW: dict[tuple[str, str], dict[str, Any]] = {
    ("explainer", "diffmask_per_example"): {"steps": 8, "samples": 2},
    ("explainer", "entropy_perturbation"): {"steps": 4, "samples": 2, "texts": 3},
    ("explainer", "exact_search"): {"rows": 60},
    ("explainer", "diffmask"): {"steps": 8, "batch_size": 2, "warmup": 0},
    ("explainer", "gradient_shap"): {"samples": 4},
    ("explainer", "integrated_gradients_until"): {"until": 1e-5},
    ("explainer", "information_bottleneck"): {"steps": 4, "samples": 2, "texts": 3},
    # Trapezoids need more points than other rules to be as exact.
    ("explainer", "layer_conductance"): {"steps": 400},
    ("explainer", "lime"): {"rows": 100},
    ("explainer", "shap_kernel"): {"arguments": {"nsamples": 60}},
    ("explainer", "sobol"): {"points": 4},
    ("baseline", "random"): {"draws": 2},
    ("baseline", "mlm"): {"sigma": None, "top_k": 2},
}


def smooth(classes: int = 3, **options: Any) -> HandModel:
    return reading(unread(classes, **options))


def explain(
    explainer: Explainer,
    model: Any,
    requests: Sequence[Request],
    baseline: Baseline | None,
    *,
    budget: int | None = None,
    texts: Sequence[Example] | None = None,
) -> list[list[Explanation]]:
    """By the explainer and against the baseline, both fitted to the model and to `texts`."""
    model = opened(model) if isinstance(model, HandModel) else model
    made = made_from(explainer, model, texts)
    return averaging.explain(made, Engine(model, budget=budget), requests, fit(baseline, model, texts))


def made_from(explainer: Explainer, model: Any, texts: Sequence[Example] | None = None) -> Explainer:
    """The explainer once it has seen training texts."""
    return fitted(explainer, Engine(model), texts or training_texts(len(model.labels)))


def _chosen(group: str) -> dict[str, Any]:
    """Name to object, as the YAML files of a group describe them."""
    found = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        for name, settings in OmegaConf.load(path).items():
            found[str(name)] = instantiate(settings, **FEW.get((group, str(name)), {}))
    return found


# Scores that were computed elsewhere are of texts and a model of their own (test_imported.py); explainers
# that read strings need texts of words (test_peers.py, test_heuristics.py).
EXPLAINERS: dict[str, Explainer] = {
    name: explainer
    for name, explainer in _chosen("explainer").items()
    if not explainer.traits.fixed and not explainer.traits.strings
}
BASELINES: dict[str, Baseline] = _chosen("baseline")
# `mlm` is several baselines: by how it is asked, and by how replacements are chosen.
WAYS: dict[str, Baseline] = {
    f"mlm {name}": replace(cast(MaskedLanguageModel, BASELINES["mlm"]), **settings)
    for name, settings in {
        "independent": {"mode": "independent"},
        "draws": {"top_k": None, "mc_samples": 3},
        "independent draws": {"mode": "independent", "top_k": None, "mc_samples": 3},
        "threshold": {"top_k": None, "sigma": 0.04, "draws": 3},
    }.items()
}
ABILITIES = capabilities(smooth())
# What the convolutional model has beyond that; it has no word masks.
OPEN = (ABILITIES | {"open_layers", "layer:embedding"}) - {"word_masks"}


def _refusal(explainer: Explainer, baseline: Baseline | None, has: frozenset[str] = ABILITIES) -> str | None:
    # `explain` opens models; rules of going backward know none of the steps that these take.
    opens = {"open_layers"} if explainer.traits.from_model else set()
    return incompatibility(explainer, baseline, capabilities=has | opens, rationales=True)


def pairs_of(
    wanted: Callable[[str, Explainer], bool] = lambda name, explainer: True,
    has: frozenset[str] = ABILITIES,
    baselines: Mapping[str, Baseline] = BASELINES,
) -> Any:
    """A parametrisation by every wanted explainer with every baseline that it takes, or with none.

    Pairs that represent neither their explainer nor their baseline are slow.
    """
    found = {
        (name, baseline_name): (explainer, baseline)
        for name, explainer in EXPLAINERS.items()
        for baseline_name, baseline in [("none", None), *baselines.items()]
        if (explainer.traits.baseline == "none") == (baseline is None)
        and not _refusal(explainer, baseline, has)
        if wanted(name, explainer)
    }
    by_default = representatives(found)
    cases = [
        pytest.param(*case, id="-".join(pair), marks=mark(pair in by_default)) for pair, case in found.items()
    ]
    return pytest.mark.parametrize(("explainer", "baseline"), cases)


pairs = pairs_of()
in_every_way = pairs_of(baselines=BASELINES | WAYS)

TEXTS = [
    (4, 9, 5, 12, 7, 20),
    (11,),
    (6, 6, 6),
    (8, 3, 9, 4, 15, 16, 17, 18, 19, 21, 22),
    (2, 13, 0, 1, 14, 3),
]


def _requests(seed: int = 0) -> list[Request]:
    return [request(ids, [2, 0], specials=(0, 5) if ids[0] == 2 else (), seed=seed) for ids in TEXTS]


def _all(found: list[list[Explanation]]) -> list[np.ndarray]:
    return [scores(records) for records in found]


def _alike(left: list[list[Explanation]], right: list[list[Explanation]], error: float = 1e-5) -> None:
    for one, other in zip(_all(left), _all(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=error)
    values = [
        [[(r.value_input, r.value_baseline) for r in records] for records in side] for side in (left, right)
    ]
    for one, other in zip(*values, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=error)


# The file that tries an explainer where no model of numbers can: see EXPLAINERS, and ABILITIES of models.
ELSEWHERE = {
    **dict.fromkeys(("imported",), "test_imported.py"),
    **dict.fromkeys(("lime_text", "shap_text"), "test_peers.py"),
    **dict.fromkeys(("lexicon", "rare_words"), "test_heuristics.py"),
    **dict.fromkeys(("deep_lift", "deep_lift_products", "lrp"), "test_open_invariances.py"),
    **dict.fromkeys(("guided_backprop_mean", "guided_backprop_l2"), "test_open_invariances.py"),
    **dict.fromkeys(("attention_last", "attention_rollout"), "test_open_invariances.py"),
    **dict.fromkeys(("attention_value_weighted", "attention_x_gradient"), "test_open_invariances.py"),
    **dict.fromkeys(("attention_relevance",), "test_open_invariances.py"),
}


def test_every_explainer_is_tried():
    """Those of all files of conf/explainer, here or in the file that is named above."""
    configured = {
        str(name): str(settings["_target_"]).rsplit(".", 1)[-1]
        for path in (CONF / "explainer").glob("*.yaml")
        for name, settings in OmegaConf.load(path).items()
    }
    assert {path.stem for path in (CONF / "explainer").glob("*.yaml")} == set(configured)
    tried = {str(case.id).split("-")[0] for case in pairs.args[1]}
    assert tried | set(ELSEWHERE) == set(configured) and not tried & set(ELSEWHERE)
    for name, file in ELSEWHERE.items():
        assert f"{configured[name]}(" in (Path(__file__).parent / file).read_text(), (name, file)


def test_every_way_of_the_masked_language_model_is_tried_with_all_that_take_it():
    by_baseline = {}
    for case in in_every_way.args[1]:
        explainer, baseline = str(case.id).split("-")
        by_baseline.setdefault(baseline, set()).add(explainer)
    assert len(WAYS) == 4 and all(by_baseline[way] == by_baseline["mlm"] for way in WAYS)
    assert {"input_marginalization", "occlusion", "kernel_shap"} <= by_baseline["mlm"]


@pytest.mark.parametrize("cases", [pairs, in_every_way, pairs_of(has=OPEN)], ids=["pairs", "ways", "open"])
def test_by_default_every_explainer_and_every_baseline_is_tried(cases: Any):
    every = {tuple(str(case.id).split("-")) for case in cases.args[1]}
    by_default = {tuple(str(case.id).split("-")) for case in cases.args[1] if not case.marks}
    for side in (0, 1):
        assert {pair[side] for pair in by_default} == {pair[side] for pair in every}
    assert {(name, "mask") for name, baseline in every if baseline == "mask"} <= by_default
    assert len(by_default) < len(every) / 2


@pairs
def test_records_are_in_order_and_carry_their_example_and_target(explainer, baseline):
    requests = _requests()
    for asked, found in zip(requests, explain(explainer, smooth(), requests, baseline), strict=True):
        assert [record.target for record in found] == [2, 0]
        for record in found:
            assert record.example_id == asked.example.id
            assert record.tokens == asked.encoding.tokens
            assert record.scores.dtype == np.float32


@in_every_way
def test_batch_mates_order_and_budget_change_nothing(explainer, baseline):
    together = explain(explainer, smooth(), _requests(), baseline)
    alone = [explain(explainer, smooth(), [one], baseline)[0] for one in _requests()]
    _alike(together, alone)
    _alike(together, explain(explainer, smooth(), _requests()[::-1], baseline)[::-1])
    _alike(together, explain(explainer, smooth(), _requests(), baseline, budget=13))


@pairs_of(has=OPEN)
def test_batch_mates_change_nothing_on_a_float32_model(explainer, baseline, word_model, toy_task):
    model = word_model("cnn")
    encodings = model.encode([example.texts for example in toy_task.test[:4]])
    requests = [
        Request(e, encoding, np.arange(3)) for e, encoding in zip(toy_task.test, encodings, strict=False)
    ]
    texts = toy_task.train[:20]
    together = explain(explainer, model, requests, baseline, texts=texts)
    alone = [explain(explainer, model, [one], baseline, budget=64, texts=texts)[0] for one in requests]
    _alike(together, alone)


@in_every_way
def test_the_size_of_the_pool_changes_nothing(explainer, baseline, monkeypatch: pytest.MonkeyPatch):
    together = explain(explainer, smooth(), _requests(), baseline)
    monkeypatch.setattr(assay.explainers.perturbation.ask_tell, "POOL_TOKENS", 1)
    monkeypatch.setattr(assay.explainers.paths.path_gradients, "POOL_VALUES", 1)
    _alike(together, explain(explainer, smooth(), _requests(), baseline))


@pairs_of(lambda name, explainer: name not in ("gold", "random"), baselines=BASELINES | WAYS)
def test_renaming_the_classes_renames_the_scores(explainer, baseline):
    order = [2, 0, 1]
    plain = explain(
        explainer, smooth(), [replace(one, targets=np.array(order)) for one in _requests()], baseline
    )
    renamed = [replace(one, targets=np.arange(3)) for one in _requests()]
    texts = training_texts(order=order)
    _alike(plain, explain(explainer, smooth(order=order), renamed, baseline, texts=texts))


@in_every_way
def test_a_target_does_not_depend_on_which_others_are_asked(explainer, baseline):
    both = explain(explainer, smooth(), _requests(), baseline)
    single = [replace(one, targets=np.array([0])) for one in _requests()]
    nothing = [replace(one, targets=np.array([], dtype=np.intp)) for one in _requests()]
    for one, other in zip(both, explain(explainer, smooth(), single, baseline), strict=True):
        np.testing.assert_allclose(one[1].scores, other[0].scores, rtol=0, atol=1e-6)
    assert explain(explainer, smooth(), nothing, baseline) == [[]] * len(TEXTS)
    assert explain(explainer, smooth(), [], baseline) == []


@in_every_way
def test_the_same_seed_gives_the_same_bytes_and_another_seed_matters_if_declared(explainer, baseline):
    first, again, other = (
        [part.tobytes() for part in _all(explain(explainer, smooth(), _requests(seed), baseline))]
        for seed in (7, 7, 8)
    )
    assert first == again
    # Text 3 is too long to be enumerated.
    assert (first[3] != other[3]) == explainer.traits.stochastic
    assert (first != other) == explainer.traits.stochastic


@pairs
def test_traits_are_honest(explainer, baseline):
    records = [r for found in explain(explainer, smooth(), _requests(), baseline) for r in found]
    gaps = np.array([record.completeness_gap for record in records])
    if explainer.traits.additive:
        assert np.abs(gaps).max() < 1e-4
    else:
        assert np.isnan(gaps).all() or np.abs(gaps).max() > 1e-2
    lowest = min(float(record.scores.min()) for record in records)
    assert (lowest < 0) == explainer.traits.signed


@pairs
def test_the_cost_of_an_example_is_what_the_engine_counts_when_it_is_alone(explainer, baseline):
    together = explain(explainer, smooth(), _requests(), baseline)
    for asked, found in zip(_requests(), together, strict=True):
        engine = Engine(opened(smooth()))
        made = made_from(explainer, engine.model)
        (alone,) = averaging.explain(made, engine, [asked], fit(baseline, engine.model))
        for cost in (found[0].cost, found[1].cost, alone[0].cost):
            assert cost.forward_rows == engine.counters.forward_rows
            assert cost.backward_rows == engine.counters.backward_rows
            assert cost.tokens == engine.counters.forward_tokens
            assert (cost.seconds > 0) == (engine.counters.forward_rows > 0)


@pairs
@pytest.mark.parametrize(("classes", "multi_label"), [(2, False), (3, True), (1, True)])
def test_two_classes_and_several_labels(explainer, baseline, classes: int, multi_label: bool):
    model = smooth(classes, multi_label=multi_label)
    requests = [replace(one, targets=np.arange(classes)) for one in _requests()]
    for found in explain(explainer, model, requests, baseline):
        assert len(found) == classes


@pairs_of(lambda name, explainer: explainer.traits.additive)
def test_a_text_of_one_token_gets_all_the_difference(explainer, baseline):
    for record in explain(explainer, smooth(), [request((2, 9, 3), specials=(0, 2))], baseline)[0]:
        expected = [0, record.value_input - record.value_baseline, 0]
        np.testing.assert_allclose(record.scores, expected, atol=1e-5)


@pairs
def test_a_pair_of_texts_is_explained_in_both(explainer, baseline):
    asked = request((2, 4, 3, 9, 5, 3), specials=(0, 2, 5))
    asked.encoding.segments[3:] = 1
    for record in explain(explainer, smooth(), [asked], baseline)[0]:
        np.testing.assert_array_equal(record.segments, [0, 0, 0, 1, 1, 1])
        # These say of most tokens that nothing is needed of them.
        if explainer not in (EXPLAINERS["gold"], EXPLAINERS["exact_search"]):
            assert record.scores[[1, 3, 4]].all()


def _combinations() -> list[Any]:
    """Every explainer with every baseline; what is refused is quick."""
    taken = {
        (name, baseline_name): _refusal(explainer, baseline) is None
        for baseline_name, baseline in BASELINES.items()
        for name, explainer in EXPLAINERS.items()
    }
    by_default = representatives([pair for pair, able in taken.items() if able])
    return [pytest.param(*pair, marks=mark(not able or pair in by_default)) for pair, able in taken.items()]


@pytest.mark.parametrize(("name", "baseline_name"), _combinations())
def test_every_combination_works_or_is_refused_with_a_reason(name: str, baseline_name: str):
    explainer, baseline = EXPLAINERS[name], BASELINES[baseline_name]
    reason = _refusal(explainer, baseline)
    if reason is None:
        assert explain(explainer, smooth(), _requests(), baseline)
    else:
        able = explainer.traits.needs <= ABILITIES
        expected = {
            ("reference", "delete"): "baseline 'delete' changes",
            ("reference", "mlm"): "baseline 'mlm' stands for many texts",
            ("mixture", baseline_name): f"baseline {baseline_name!r} is no masked language model",
        }
        use = explainer.traits.baseline, baseline_name
        assert reason.startswith(expected[use] if able else "the model gives no")


@pairs
def test_model_rows_bound_the_cost_and_meet_it_where_nothing_repeats(explainer, baseline):
    asked = request((4, 9, 5, 12, 7, 20), [2, 0])
    (found,) = explain(explainer, smooth(), [asked], baseline)
    forward, backward, mlm = averaging.model_rows(explainer, baseline, 6, 2)
    cost = found[0].cost
    assert cost.forward_rows <= forward
    assert cost.backward_rows <= backward
    assert cost.mlm_rows <= mlm
    # These stop when they know enough.
    stops = isinstance(explainer, Owen | ExactSearch) or getattr(explainer, "until", None) is not None
    assert cost.backward_rows == backward or stops
    # The text itself is among the likely ones.
    repeats = baseline is not None and baseline.mixture
    assert cost.forward_rows == forward or stops or explainer.traits.stochastic or repeats
