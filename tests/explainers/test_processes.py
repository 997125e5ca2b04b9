"""Explanations do not depend on how many processes they are made in, or in which."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from explainer_models import scores
from hydra.utils import instantiate
from omegaconf import OmegaConf

from assay.explainers import averaging
from assay.explainers.protocol import Request, fitted, incompatibility
from assay.explainers.sampled_baselines import RandomTokens
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.planted import planted

TEXTS = planted(train=80, dev=10, test=2).test
WORDS = sorted({word for example in TEXTS for word in example.texts[0].split()})
CONF = Path(__file__).parents[2] / "conf" / "explainer"


def explained(texts: tuple[int, ...], lexicon: str) -> dict[str, list[np.ndarray]]:
    """Every explainer's scores of these texts by an untrained cnn, made wherever this runs."""
    options: dict[str, dict[str, Any]] = {
        "lexicon": {"path": lexicon},
        "diffmask": {"steps": 3},
        "diffmask_per_example": {"steps": 8},
        "entropy_perturbation": {"steps": 4},
        "information_bottleneck": {"steps": 4},
    }
    task = planted(train=80, dev=10, test=2)
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
            explainer = instantiate(settings, **options.get(str(name), {}))
            if explainer.traits.fixed:  # its scores were computed elsewhere
                continue
            used = baseline if explainer.traits.baseline != "none" else None
            if incompatibility(explainer, used, capabilities=capabilities(model), rationales=True) is None:
                records = averaging.explain(fitted(explainer, engine, task.train), engine, requests, used)
                found[str(name)] = [scores(of_one) for of_one in records]
    return found


def test_two_processes_give_what_one_gives(tmp_path: Path):
    lexicon = tmp_path / "words.csv"
    lexicon.write_text("word,weight\n" + "".join(f"{word},{place + 1}\n" for place, word in enumerate(WORDS)))
    together = explained((0, 1), str(lexicon))
    assert np.ptp(np.concatenate([found.ravel() for found in together["lexicon"]])) > 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = pool.map(explained, [(1,), (0,)], [str(lexicon)] * 2)
    assert len(together) >= 25 and {"lexicon", "rare_words", "first_words"} <= together.keys()
    for name, found in together.items():
        for one, other in zip(found, (*second[name], *first[name]), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5, err_msg=name)
