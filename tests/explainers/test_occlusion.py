from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation
from captum.attr import Occlusion as CaptumOcclusion
from explainer_models import conjunction, explain, request, scores, smooth, values

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.models.protocol import Batch, Model
from assay.tasks.errors import InputError
from assay.tasks.example import Task

BASELINES = [Pad(), Mask(), Zero(), Delete()]
MODELS = ["linear", "maxpool", "cnn", "lstm", "tiny_bert"]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    """The model named by the parameter."""
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=request.param == "linear")


def _requests(model: Model, task: Task, count: int) -> list[Request]:
    encodings = model.encode([example.texts for example in task.test[:count]])
    every = np.arange(len(model.labels))
    return [
        Request(example, encoding, every) for example, encoding in zip(task.test, encodings, strict=False)
    ]


def _brute_force(model, baseline, encoding) -> np.ndarray:
    """(T, K) drops, one substituted row after the other."""
    full = values(model, baseline, encoding, np.ones(len(encoding), dtype=bool))
    drops = np.zeros((len(encoding), len(model.labels)))
    for at in np.flatnonzero(encoding.content):
        keep = np.ones(len(encoding), dtype=bool)
        keep[at] = False
        drops[at] = full - values(model, baseline, encoding, keep)
    return drops


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_it_equals_brute_force_on_every_model(model, baseline, toy_task: Task):
    requests = _requests(model, toy_task, 3)
    for asked, found in zip(requests, explain(Occlusion(), model, requests, baseline), strict=True):
        np.testing.assert_allclose(scores(found).T, _brute_force(model, baseline, asked.encoding), atol=1e-5)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
@pytest.mark.parametrize("ids", [(4,), (6, 6, 6, 6), (4, 0, 1, 9)])
def test_short_repetitive_and_already_absent_tokens(ids: tuple[int, ...], baseline):
    asked, model = request(ids), smooth()
    found = scores(explain(Occlusion(), model, [asked], baseline)[0]).T
    np.testing.assert_allclose(found, _brute_force(model, baseline, asked.encoding), atol=1e-6)


@pytest.mark.parametrize("model", MODELS, indirect=True)
@pytest.mark.parametrize("baseline", [Pad(), Mask()], ids=lambda b: b.name)
def test_it_equals_captums_ablation_and_occlusion_of_ids(model, baseline, toy_task: Task):
    (asked,) = _requests(model, toy_task, 1)
    token = model.pad_id if baseline.name == "pad" else model.mask_id
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    segments = torch.from_numpy(asked.encoding.segments.astype(np.int64))[None]

    def forward(rows: torch.Tensor) -> torch.Tensor:
        return model.logits(Batch(rows, torch.ones_like(rows, dtype=torch.bool), segments.expand_as(rows)))

    content = asked.encoding.content
    found = scores(explain(Occlusion(), model, [asked], baseline)[0])
    with torch.no_grad():
        for target in range(3):
            ablation = FeatureAblation(forward).attribute(ids, baselines=token, target=target)
            occlusion = CaptumOcclusion(forward).attribute(
                ids, sliding_window_shapes=(1,), baselines=token, target=target
            )
            for theirs in (ablation, occlusion):
                np.testing.assert_allclose(found[target, content], theirs[0].numpy()[content], atol=1e-5)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (3, 3), (4, 3), (9, 1), (20, 7)])
@pytest.mark.parametrize("length", [1, 2, 7, 9])
def test_a_token_gets_the_mean_over_the_windows_that_cover_it(length: int, window: int, stride: int):
    asked, model = request((4, 9, 5, 12, 7, 20, 11, 6, 15)[:length]), smooth()
    full = values(model, Mask(), asked.encoding, np.ones(length, dtype=bool))
    total, count = np.zeros((length, 3)), np.zeros((length, 1))
    start = 0
    while not count.all():
        covered = np.zeros(length, dtype=bool)
        covered[start : start + window] = True
        total[covered] += full - values(model, Mask(), asked.encoding, ~covered)
        count[covered] += 1
        start += stride
    found = scores(explain(Occlusion(window=window, stride=stride), model, [asked], Mask())[0]).T
    np.testing.assert_allclose(found, total / count, atol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(2, 1), (3, 2), (4, 3), (5, 5)])
def test_windows_are_captums(window: int, stride: int):
    asked, model = request((4, 9, 5, 12, 7, 20, 11, 6, 15)), smooth()
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]

    def forward(rows: torch.Tensor) -> torch.Tensor:
        return model.logits(Batch(rows, torch.ones_like(rows, dtype=torch.bool), torch.zeros_like(rows)))

    found = scores(explain(Occlusion(window=window, stride=stride), model, [asked], Mask())[0])
    for target in range(3):
        theirs = CaptumOcclusion(forward).attribute(
            ids, sliding_window_shapes=(window,), strides=stride, baselines=model.mask_id, target=target
        )
        np.testing.assert_allclose(found[target], theirs[0].numpy(), atol=1e-6)


def test_words_go_as_a_whole_and_share_their_score():
    asked, model = request((4, 9, 5, 12)), smooth()
    asked.encoding.word_ids[:] = [0, 0, 1, 2]
    full = values(model, Pad(), asked.encoding, np.ones(4, dtype=bool))
    drop = full - values(model, Pad(), asked.encoding, np.array([False, False, True, True]))
    found = scores(explain(Occlusion(unit="word"), model, [asked], Pad())[0]).T
    np.testing.assert_allclose(found[0], drop / 2, atol=1e-6)
    np.testing.assert_allclose(found[1], drop / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, r"occlusion\.window is 0; expected at least 1"),
        ({"window": 2, "stride": 3}, r"occlusion\.stride is 3; expected 1 to the window \(2\)"),
        ({"stride": 0}, r"occlusion\.stride is 0"),
        ({"unit": "tokens"}, r"occlusion\.unit is 'tokens'; did you mean 'token'"),
    ],
)
def test_impossible_windows_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        Occlusion(**options)


def test_either_of_two_necessary_words_takes_all_the_credit():
    found = explain(Occlusion(), conjunction(4, 9), [request((4, 7, 9), [0, 1])], Pad())[0]
    np.testing.assert_allclose(scores(found), [[0, 0, 0], [1, 0, 1]])


def test_the_record_tells_the_values_of_the_full_and_the_empty_text():
    asked, model = request((2, 4, 9, 3), specials=(0, 3)), smooth()
    content = asked.encoding.content
    for record in explain(Occlusion(), model, [asked], Mask())[0]:
        full, empty = (values(model, Mask(), asked.encoding, keep) for keep in (content | True, ~content))
        assert record.value_input == pytest.approx(full[record.target], abs=1e-12)
        assert record.value_baseline == pytest.approx(empty[record.target], abs=1e-12)


@pytest.mark.parametrize("multi_label", [False, True])
def test_outputs_are_logits_probabilities_or_log_odds(multi_label: bool):
    asked, model = request((4, 9, 5)), smooth(multi_label=multi_label)
    logit, probability, odds = (
        explain(Occlusion(output=output), model, [asked], Pad())[0]
        for output in ("logit", "probability", "log_odds")
    )
    raw = np.array([record.value_input for record in logit])
    share = 1 / (1 + np.exp(-raw)) if multi_label else np.exp(raw) / np.exp(raw).sum()
    np.testing.assert_allclose([record.value_input for record in probability], share, atol=1e-12)
    np.testing.assert_allclose([r.value_input for r in odds], np.log(share / (1 - share)), atol=1e-9)
    if not multi_label:
        # A token moves probability between the classes, it makes none.
        np.testing.assert_allclose(scores(probability).sum(axis=0), 0, atol=1e-6)


def test_an_unknown_output_is_refused():
    options: dict = {"output": "logits"}
    with pytest.raises(InputError, match=r"occlusion\.output is 'logits'; did you mean 'logit'"):
        Occlusion(**options)


def test_a_baseline_is_needed():
    with pytest.raises(InputError, match="explainer 'occlusion' needs a baseline"):
        explain(Occlusion(), smooth(), [request((4, 9))], None)
