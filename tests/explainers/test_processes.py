"""Explanations do not depend on how many processes they are made in, or in which."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from explainer_models import scores
from hydra.utils import instantiate
from omegaconf import OmegaConf

from assay.explainers import averaging
from assay.explainers.protocol import Request, incompatibility
from assay.explainers.sampled_baselines import RandomTokens
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.planted import planted

CONF = Path(__file__).parents[2] / "conf" / "explainer"


def explained(texts: tuple[int, ...]) -> dict[str, list[np.ndarray]]:
    """Every explainer's scores of these texts by an untrained cnn, made wherever this runs."""
    task = planted(train=80, dev=10, test=4)
    model = Cnn(min_count=1).untrained(task, 0)
    model.network.requires_grad_(False)
    engine = Engine(model)
    baseline = RandomTokens(draws=2).fitted(engine, task.train)
    examples = [task.test[text] for text in texts]
    requests = [
        Request(example, encoding, np.array([1, 0]))
        for example, encoding in zip(
            examples, model.encode([example.texts for example in examples]), strict=True
        )
    ]
    found = {}
    for path in sorted(CONF.glob("*.yaml")):
        for name, settings in OmegaConf.load(path).items():
            explainer = instantiate(settings)
            if explainer.traits.fixed:  # its scores were computed elsewhere
                continue
            used = baseline if explainer.traits.baseline != "none" else None
            if incompatibility(explainer, used, capabilities=capabilities(model), rationales=True) is None:
                records = averaging.explain(explainer, engine, requests, used)
                found[str(name)] = [scores(of_one) for of_one in records]
    return found


def test_two_processes_give_what_one_gives():
    together = explained((0, 1, 2, 3))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = pool.map(explained, [(3, 1), (0, 2)])
    assert len(together) >= 25
    for name, found in together.items():
        for one, other in zip(
            found, (second[name][0], first[name][1], second[name][1], first[name][0]), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5, err_msg=name)
