"""The metrics as coded against the study's scripts, transcribed line by line (transcription.py)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import transcription
from metrics_world import World, keyword_examples, keyword_model, oracle, scored, value
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from study_world import Explained, explained
from transcription import Reader

from assay.explainers.controls.controls import Random
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Explainer
from assay.metrics.as_coded.confidence_indication import (
    ConfidenceIndicationAsCoded,
    ConfidenceIndicationMaxAsCoded,
)
from assay.metrics.as_coded.dataset_consistency import DatasetConsistencyAsCoded
from assay.metrics.as_coded.faithfulness import FaithfulnessAsCoded
from assay.metrics.as_coded.human_agreement import HumanAgreementAsCoded
from assay.metrics.as_coded.rationale_consistency import RationaleConsistencyAsCoded
from assay.metrics.model_pairs import LayerDistances, layer_distances
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.randomisation import depth, randomised
from assay.models.training import Training, fit
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.planted import planted
from assay.tasks.sampling import limit
from assay.tasks.tweet_sentiment import tweet_sentiment

EXPLAINERS: dict[str, Explainer] = {
    "random": Random(),
    "saliency_l1": Saliency("l1"),
    "input_x_gradient_mean": InputXGradient("mean"),
    "occlusion": Occlusion(),
}
TEXTS = 200


def tweets() -> Task:
    """The real ones. Their rationales often begin or end within a word."""
    folder = Path(os.environ.get("ASSAY_DATA", "")) / "tweet_sentiment_extraction"
    if not (folder / "train.csv").is_file():
        pytest.skip("set ASSAY_DATA to the folder that holds tweet_sentiment_extraction/")
    return limit(tweet_sentiment(path=str(folder)), train=1500, dev=150, test=TEXTS)


def tweet_like() -> Task:
    """Planted ones, in which words repeat; few labels are wrong, so that the model is not sure of all."""
    return planted(classes=3, train=300, dev=60, test=TEXTS, length=(4, 20), noise=0.1)


@pytest.fixture(scope="module", params=[tweet_like, pytest.param(tweets, marks=pytest.mark.data)])
def task(request: pytest.FixtureRequest) -> Task:
    make: Callable[[], Task] = request.param
    return make()


@pytest.fixture(scope="module")
def models(task: Task) -> list[Any]:
    """Two trained models and two untrained ones."""
    training = Training(epochs=4, batch_size=16, learning_rate=0.005, patience=4)
    small = Cnn(dimensions=12, channels=8, widths=(2, 3), min_count=1, training=training)
    specs = [(small, 0), (small, 1), (replace(small, init_only=True), 0), (replace(small, init_only=True), 1)]
    return [fit(spec, task, seed)[0] for spec, seed in specs]


@pytest.fixture(scope="module", params=EXPLAINERS)
def cell(request: pytest.FixtureRequest, task: Task, models: list[Any]) -> Explained:
    return explained(models[0], task.test, EXPLAINERS[request.param])


def check_single_text_metrics(cell: Explained) -> None:
    subject, instances = cell.subject(), cell.reader().instances
    assert scored(HumanAgreementAsCoded(), subject) == pytest.approx(
        transcription.human_agreement(instances), abs=1e-6
    )
    assert scored(FaithfulnessAsCoded(), subject) == pytest.approx(
        transcription.faithfulness(instances, cell.predict, cell.model.mask_id), abs=1e-6
    )
    found = scored(ConfidenceIndicationAsCoded(), subject), scored(ConfidenceIndicationMaxAsCoded(), subject)
    assert found == pytest.approx(transcription.confidence(instances), abs=1e-6)


def test_metrics_of_single_texts(cell: Explained) -> None:
    assert len(cell.examples) == TEXTS
    check_single_text_metrics(cell)


def test_special_tokens_and_word_pieces(tiny_bert: Any, toy_task: Task) -> None:
    cell = explained(tiny_bert, [*toy_task.test, *_renamed(toy_task.dev)], InputXGradient("mean"))
    assert (cell.scores[0][:, 0] != 0).all(), "special tokens have scores"
    assert any(token.startswith("##") for token in cell.encodings[0].tokens)
    check_single_text_metrics(cell)


def _renamed(examples: tuple[Example, ...]) -> list[Example]:
    return [replace(example, id=f"more-{example.id}") for example in examples]


def without_embedding(cell: Explained) -> Reader:
    """As the scripts read a BERT: its encoder's layers and the classifier, not the embeddings below."""
    return Reader(cell.reader().instances, lambda ids, width: cell.layers(ids, width)[1:])


@pytest.mark.parametrize("name", ["saliency_l1", "occlusion"])
def test_pairs_of_models_without_the_embedding_as_of_bert(name: str, tiny_bert: Any, toy_task: Task) -> None:
    other = randomised(tiny_bert, depth(tiny_bert), seed=3)
    examples = [*toy_task.test, *_renamed(toy_task.dev)]
    cells = [explained(model, examples, EXPLAINERS[name]) for model in (tiny_bert, other)]
    found = {}
    for embedding in (True, False):
        metric, tables = RationaleConsistencyAsCoded(runs=6, embedding=embedding), []
        for i, j in metric.pairs(2, None):
            layers = layer_distances(Engine(cells[i].model), Engine(cells[j].model), cells[i].encodings)
            assert layers.names[0] == "embedding" and layers.names[-1] == "logits"
            near = dict(zip([e.id for e in examples], metric.activation_distance(layers), strict=True))
            table = metric.score_pair(cells[i].shards(), cells[j].shards(), near)
            tables.append(table.assign(unit=f"{i}-{j}|" + table["unit"]))
        found[embedding] = value(metric, pd.concat(tables))
    for embedding, read in ((True, Explained.reader), (False, without_embedding)):
        expected = transcription.rationale_consistency([read(cell) for cell in cells], [], range(1, 7))
        assert found[embedding] == pytest.approx(expected, abs=1e-6)


def test_the_mean_over_layers_leaves_the_embedding_out() -> None:
    names = ("embedding", "layer_1", "logits")
    layers = LayerDistances(names, np.zeros((1, 3)), np.array([[-2.0, 1.0, 4.0]]))
    assert RationaleConsistencyAsCoded().activation_distance(layers) == pytest.approx([1.0])
    assert RationaleConsistencyAsCoded(embedding=False).activation_distance(layers) == pytest.approx([2.5])


def test_pairs_of_texts_without_the_embedding(task: Task, cell: Explained) -> None:
    reader = without_embedding(cell)
    pairs = transcription.pairs_of_texts(reader.instances, ENGLISH_STOP_WORDS)
    metric = DatasetConsistencyAsCoded(embedding=False)
    found = scored(metric, cell.subject())
    expected = transcription.dataset_consistency(reader, pairs, cell.model.embedding_rows)
    assert found == pytest.approx(expected, abs=1e-5)
    assert abs(found - scored(DatasetConsistencyAsCoded(), cell.subject())) > 1e-4


def test_an_embedding_that_is_not_there_cannot_be_left_out() -> None:
    layers = LayerDistances(("tokens", "logits"), np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"embedding=false leaves out .*available: tokens, logits"):
        RationaleConsistencyAsCoded(embedding=False).activation_distance(layers)
    subject = World(keyword_examples(9), keyword_model()).subject(oracle)
    with pytest.raises(InputError, match=r"dataset_consistency_as_coded\.embedding=false leaves out"):
        DatasetConsistencyAsCoded(embedding=False).score(subject)


def test_pairs_of_texts(task: Task, cell: Explained) -> None:
    reader = cell.reader()
    pairs = transcription.pairs_of_texts(reader.instances, ENGLISH_STOP_WORDS)
    table = DatasetConsistencyAsCoded().score(cell.subject())
    names = table.loc[table["part"] == "overlap", "unit"].tolist()
    assert names == [f"{task.test[i].id}|{task.test[j].id}" for i, j in pairs]
    expected = transcription.dataset_consistency(reader, pairs, cell.model.embedding_rows)
    # Near ties change ranks with the last digit of float32 activations, which depends on the batch.
    assert value(DatasetConsistencyAsCoded(), table) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["saliency_l1", "occlusion"])
def test_pairs_of_models(name: str, task: Task, models: list[Any]) -> None:
    metric = RationaleConsistencyAsCoded(runs=6)
    cells = [explained(model, task.test, EXPLAINERS[name]) for model in models]
    trained, untrained = cells[:2], cells[2:]
    tables, identical = [], 0
    for kind, (first, second) in enumerate(((trained, None), (untrained, None), (untrained, trained))):
        for i, j in metric.pairs(len(first), None if second is None else len(second)):
            a, b = first[i], (first if second is None else second)[j]
            identical += a is b
            layers = layer_distances(Engine(a.model), Engine(b.model), a.encodings)
            near = dict(zip([e.id for e in task.test], metric.activation_distance(layers), strict=True))
            table = metric.score_pair(a.shards(), b.shards(50), near)
            tables.append(table.assign(unit=f"{kind} {i}-{j}|" + table["unit"]))
    assert identical, "the runs draw a model with itself"
    found = value(metric, pd.concat(tables))
    readers = [[of_one.reader() for of_one in of_kind] for of_kind in (trained, untrained)]
    expected = transcription.rationale_consistency(readers[0], readers[1], range(1, 7))
    assert found == pytest.approx(expected, abs=1e-6)
    assert not np.isnan(found)
