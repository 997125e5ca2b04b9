"""The scores of every additive method sum to what they explain, on every model and for every baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from open_models import OPEN, requests_for
from representative_pairs import mark, representatives

from assay.explainers import averaging
from assay.explainers.peers.peer import Peer
from assay.explainers.protocol import incompatibility
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.example import Task

CONF = Path(__file__).parents[2] / "conf"
# Fewer steps, rows and draws than are shipped; what is exact is so with any number.
FEW: dict[str, dict[str, Any]] = {
    "baseline random": {"draws": 2},
    "baseline mlm": {"sigma": None, "top_k": 2, "trained": {"training": {"epochs": 1}}},
    "layer_conductance": {"steps": 100},
    "owen": {"rows": 30},
    "kernel_shap": {"rows": 40},
    "shapley_gp": {"rows": 40},
    "shapley_sampling": {"permutations": 3},
}
# The error of an integration rule, as a share of the largest change of an output; the models with maxima
# have kinks on the way. All other methods are exact up to float32.
STATED = {
    "integrated_gradients": 0.05,
    "integrated_gradients_until": 0.011,
    "layer_integrated_gradients": 0.05,
    "layer_conductance": 0.05,
}


def _chosen(group: str) -> dict[str, Any]:
    found = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        for name, settings in OmegaConf.load(path).items():
            few = FEW.get(str(name), {}) if group == "explainer" else FEW.get(f"{group} {name}", {})
            found[str(name)] = instantiate(settings, **few)
    return found


# What a library's own code leaves open is measured in every report (metric `completeness`), not promised.
ADDITIVE = {
    name: explainer
    for name, explainer in _chosen("explainer").items()
    if explainer.traits.additive and not isinstance(explainer, Peer)
}
BASELINES = _chosen("baseline")


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param.endswith("_bert"):
        return request.getfixturevalue(request.param)
    return request.getfixturevalue("word_model")(request.param, trained=True)


def test_every_additive_method_is_tried():
    assert len(ADDITIVE) >= 10 and STATED.keys() <= ADDITIVE.keys() and len(BASELINES) == 9


def _cases() -> list[Any]:
    """Every additive method with every baseline; pairs that are possible and stand for no other are slow."""
    needs = [*(each.traits.needs for each in ADDITIVE.values()), *(each.needs for each in BASELINES.values())]
    able = frozenset().union(*needs)
    taken = {
        (name, baseline_name): incompatibility(explainer, baseline, capabilities=able, rationales=False)
        is None
        for baseline_name, baseline in BASELINES.items()
        for name, explainer in ADDITIVE.items()
    }
    by_default = representatives([pair for pair, possible in taken.items() if possible])
    return [
        pytest.param(*pair, marks=mark(not possible or pair in by_default))
        for pair, possible in taken.items()
    ]


@pytest.mark.parametrize(("name", "baseline_name"), _cases())
@pytest.mark.parametrize("model", OPEN, indirect=True)
def test_scores_sum_to_the_change_of_the_output(model, baseline_name: str, name: str, toy_task: Task):
    explainer, baseline = ADDITIVE[name], BASELINES[baseline_name]
    reason = incompatibility(explainer, baseline, capabilities=capabilities(model), rationales=False)
    if reason is not None:
        assert not baseline.references or name in ("deep_lift", "pooled_ig", "pooled_shapley"), reason
        return
    engine = Engine(model)
    fitted = baseline.fitted(engine, toy_task.train)
    records = averaging.explain(explainer, engine, requests_for(model, toy_task, count=3), fitted)
    changes = [abs(r.value_input - r.value_baseline) for of_one in records for r in of_one]
    tolerance = STATED.get(name, 1e-5)
    for record in (record for of_one in records for record in of_one):
        assert abs(record.completeness_gap) <= tolerance * max(changes) + 1e-5, record.example_id
