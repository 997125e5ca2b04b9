"""The convolutional classifier with heads for the auxiliary questions of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import nn

from assay.models.cnn import Cnn, CnnNetwork
from assay.models.concept_layer import CONCEPTS, ConceptLayer, asked, check_concept_settings, read_questions
from assay.models.concept_training import train_concepts
from assay.models.report import TrainingReport
from assay.models.seeding import seeded
from assay.models.word_model import WordModel
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.example import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptCnn(Cnn):
    """`Cnn` whose pooled vector also answers the auxiliary questions of the task.

    decision: "text", linear in the pooled vector beside the heads; or "concepts", linear in the probabilities
    of all answers and in nothing else (a concept bottleneck).
    concept_training: of a bottleneck. "joint": all at once. "sequential": first the heads and what is below
    them, on the auxiliary labels alone; then the decision, on the probabilities that they give to the
    training texts. "independent": the same, but the decision on the auxiliary labels themselves.
    concept_weight: of the sum of the heads' losses beside the main loss, where both are trained at once.
    Raises InputError on a value out of range.
    """

    name: str = "concept_cnn"
    decision: str = "text"
    concept_training: str = "joint"
    concept_weight: float = 1.0

    def __post_init__(self) -> None:
        Cnn.__post_init__(self)
        check_concept_settings(self.decision, self.concept_training, self.concept_weight)

    def untrained(self, task: Task, seed: int) -> WordModel:
        """The model before training; raises InputError on a task without auxiliary labels."""
        questions = asked(task, self.name, self.concept_training)
        model = Cnn.untrained(self, task, seed)
        with seeded(seed):
            return self._with(model, questions)

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> WordModel:
        """The model of a saved folder, its weights still to be filled in."""
        model = Cnn.restore(self, folder, labels, multi_label=multi_label)
        with seeded(0):
            return self._with(model, read_questions(folder))

    def train_model(self, model: WordModel, task: Task, seed: int) -> TrainingReport:
        """Train in place."""
        return train_concepts(self, model, model, task, seed)

    def _with(self, model: WordModel, questions: Sequence[Auxiliary]) -> WordModel:
        """The model with a concept layer in place of its last, drawn from torch's default generator."""
        network = cast(CnnNetwork, model.network)
        through = self.decision == "concepts"
        width = cast(nn.Linear, network.dense).in_features
        network.dense = ConceptLayer(width, len(model.labels), questions, through=through)
        if through:
            network.text_layers = (*network.text_layers, CONCEPTS)
            network.steps = network.steps | {"softmax"}
        return WordModel(self, model.vocabulary, network, model.labels, multi_label=model.multi_label)
