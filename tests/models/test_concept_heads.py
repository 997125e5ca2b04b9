"""A head as a decision: what explains a model explains its concepts, against sums written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assay.explainers.baselines import Pad, Zero
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.harness.trials.ready_models import model_identity
from assay.models.backward_rule import AUTOGRAD
from assay.models.batching import pad
from assay.models.check import check_model
from assay.models.concept_heads import head, heads
from assay.models.concept_layer import side_by_side
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import ConceptModel, OpenModel, PoolingModel, capabilities
from assay.models.randomisation import randomised
from assay.models.saving import load, save
from assay.tasks.errors import InputError
from assay.tasks.example import Task

TEXTS = [("a boring plot with music",), ("wonderful",), ("the story seems ordinary again",)]
MODELS = ["concept_cnn", "bottleneck_cnn", "bottleneck_bert"]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    if request.param == "bottleneck_bert":
        return request.getfixturevalue("bottleneck_bert")
    return request.getfixturevalue("word_model")(request.param, trained=True)


def requests(model, task: Task) -> list[Request]:
    examples = task.test[:3]
    encodings = model.encode([example.texts for example in examples])
    every = np.arange(len(model.labels))
    return [Request(e, encoding, every) for e, encoding in zip(examples, encodings, strict=True)]


def written_out(model, question: int, embeddings: torch.Tensor, batch) -> torch.Tensor:
    """(B, answers) logits of a head: its own weights on the vector below, by the temperature."""
    return model.concept_logits_from_embeddings(embeddings, batch)[question]


def test_a_view_answers_as_its_head(model) -> None:
    batch = pad(model.encode(TEXTS), model.pad_id)
    for place, question in enumerate(model.questions):
        view = head(model, question.name)
        assert view.labels == question.labels and not view.multi_label
        assert isinstance(view, OpenModel) and not isinstance(view, ConceptModel)
        torch.testing.assert_close(view.logits(batch), model.concept_logits(batch)[place], atol=1e-5, rtol=0)
        assert check_model(view, TEXTS) == []


def test_a_view_can_do_what_the_plain_architecture_can(model, word_model, tiny_bert) -> None:
    plain = tiny_bert if "BertFor" in type(model.network).__name__ else word_model("cnn", trained=True)
    view = head(model, "length")
    assert capabilities(view) == capabilities(plain)
    assert capabilities(model) - capabilities(view) >= {"concepts"}
    if isinstance(view, PoolingModel):
        batch = pad(view.encode(TEXTS), view.pad_id)
        pools = view.pools(view.embed(batch.ids), batch)
        found = view.logits_from_pooled(torch.cat([pool.vector for pool in pools], dim=1))
        torch.testing.assert_close(found, view.logits(batch), atol=1e-5, rtol=0)


def test_all_heads_in_one_pass_give_the_probabilities_of_every_concept(model) -> None:
    view, encodings = heads(model), model.encode(TEXTS)
    assert view.labels[:3] == ("length: short", "length: long", "letter: a")
    engine = Engine(view)
    found = np.concatenate(engine.logits([full_rows(encoding) for encoding in encodings]))
    expected = model.concept_logits(pad(encodings, model.pad_id))
    np.testing.assert_allclose(found, torch.cat(expected, dim=1).numpy(), atol=1e-5)
    parts = torch.from_numpy(found).split([2, 6], dim=1)
    np.testing.assert_allclose(side_by_side(parts).sum(dim=1).numpy(), 2, atol=1e-9)


def test_saliency_of_a_concept_is_the_gradient_written_out(model, asked_task: Task) -> None:
    for asked, found in zip(
        requests(head(model, "letter"), asked_task), explanations(model, Saliency(), asked_task), strict=True
    ):
        batch, entry = entry_of(model, asked)
        logits = from_entry(model, entry.requires_grad_(True), batch)
        for answer, scores in enumerate(found):
            (gradient,) = torch.autograd.grad(logits[0, answer], entry, retain_graph=True)
            expected = gradient[0].norm(dim=-1).numpy()
            np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_integrated_gradients_of_a_concept_are_the_sum_written_out(model, asked_task: Task) -> None:
    """The midpoint rule in four steps from [PAD] to the text."""
    steps = 4
    explainer = IntegratedGradients(steps=steps, rule="riemann_middle")
    for asked, found in zip(
        requests(head(model, "letter"), asked_task), explanations(model, explainer, asked_task), strict=True
    ):
        batch, entry = entry_of(model, asked)
        _, start = entry_of(model, asked, absent=True)
        total = torch.zeros(len(found), *entry.shape[1:])
        for step in range(steps):
            point = (start + (step + 0.5) / steps * (entry - start)).detach().requires_grad_(True)
            logits = from_entry(model, point, batch)
            for answer in range(len(found)):
                (gradient,) = torch.autograd.grad(logits[0, answer], point, retain_graph=True)
                total[answer] += gradient[0] / steps
        expected = ((entry - start)[0].detach() * total).sum(dim=-1).numpy()
        np.testing.assert_allclose(found, expected * asked.encoding.content, atol=1e-5)


def test_occlusion_of_a_concept_is_the_difference_written_out(model, asked_task: Task) -> None:
    for asked, found in zip(
        requests(head(model, "letter"), asked_task), explanations(model, Occlusion(), asked_task), strict=True
    ):
        batch = pad([asked.encoding], model.pad_id)
        full = model.concept_logits(batch)[1]
        for at in np.flatnonzero(asked.encoding.content):
            embeddings = model.embed(batch.ids).clone()
            embeddings[0, at] = 0
            with torch.no_grad():
                without = written_out(model, 1, embeddings, batch)
            np.testing.assert_allclose(found[:, at], (full - without)[0].numpy(), atol=1e-5)


def explanations(model, explainer, task: Task) -> list[np.ndarray]:
    """(answers, T) scores of the concept "letter" for each text, of each answer's logit."""
    view = head(model, "letter")
    baseline = {"occlusion": Zero(), "integrated_gradients": Pad()}.get(explainer.name)
    found = explainer.explain(Engine(view), requests(view, task), baseline)
    return [np.stack([one.scores for one in of_text]) for of_text in found]


def entry_of(model, asked: Request, *, absent: bool = False) -> tuple[Any, torch.Tensor]:
    """A text, or with [PAD] for its words, as a batch and as what the first layer reads."""
    batch = pad([asked.encoding], model.pad_id)
    ids = batch.ids.clone()
    if absent:
        ids[0, torch.from_numpy(asked.encoding.content)] = model.pad_id
    embeddings = model.embed(ids)
    entry = model.enter(embeddings, batch) if hasattr(model, "enter") else embeddings
    return batch, entry.detach().clone()


def from_entry(model, entry: torch.Tensor, batch) -> torch.Tensor:
    """(1, answers) logits of the concept "letter"."""
    below = [name for name in model.text_layers if name != "concepts"][-1]
    seen: list[torch.Tensor] = []

    def hook(name: str, value: torch.Tensor) -> torch.Tensor:
        seen.extend([value] if name == below else [])
        return value

    model.open_logits(entry, batch, AUTOGRAD, hook)
    layer = next(m for m in model.network.modules() if hasattr(m, "temperatures"))
    return (seen[0] @ layer.heads.weight[2:].T + layer.heads.bias[2:]) / layer.temperatures[1]


def test_a_view_shares_the_encoder_and_leaves_the_model_as_it_is(model) -> None:
    batch = pad(model.encode(TEXTS), model.pad_id)
    before = model.logits(batch)
    view: Any = head(model, "letter")
    tables = [
        next(m for m in part.network.modules() if isinstance(m, torch.nn.Embedding)) for part in (view, model)
    ]
    assert tables[0] is tables[1]
    assert torch.equal(model.logits(batch), before) and isinstance(model, ConceptModel)
    # Stored results are named by what is explained.
    names = {model_identity(found, "") for found in (model, view, head(model, "length"))}
    assert len(names) == 3


def test_a_view_can_be_saved_and_drawn_anew(model, tmp_path) -> None:
    view: Any = head(model, "letter")
    save(view, tmp_path / "view")
    again = load(tmp_path / "view")
    batch = pad(view.encode(TEXTS), view.pad_id)
    assert torch.equal(again.logits(batch), view.logits(batch)) and again.labels == view.labels
    drawn = randomised(view, 1, 0)
    assert not torch.allclose(drawn.logits(batch), view.logits(batch))


def test_a_copy_of_a_model_asks_its_own_heads(model) -> None:
    batch = pad(model.encode(TEXTS), model.pad_id)
    before = model.concept_logits(batch)
    copy: Any = randomised(model, 3, 0)
    assert not torch.allclose(copy.concept_logits(batch)[1], before[1])
    assert torch.equal(model.concept_logits(batch)[1], before[1])


def test_what_has_no_head_is_refused(model, word_model) -> None:
    with pytest.raises(InputError, match=r"no head for 'lenght'; did you mean 'length'"):
        head(model, "lenght")
    with pytest.raises(InputError, match="no heads for auxiliary questions; train one that has"):
        heads(word_model("cnn", trained=True))
