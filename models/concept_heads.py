"""Concepts as decisions: a model whose classifier is one of the heads, to be explained like any other."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import fields
from typing import Any, TypeVar, cast

from torch import nn

from assay.models.cnn import Cnn
from assay.models.concept_layer import find_concept_layer
from assay.models.protocol import EmbeddingModel, Model
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.models.word_model import WordModel
from assay.tasks.errors import InputError, did_you_mean

Module = TypeVar("Module", bound=nn.Module)


def head(model: Model, question: str) -> EmbeddingModel:
    """The model that answers one auxiliary question with a model's head for it.

    Its labels are the answers and its probabilities the calibrated ones of the head. It can do what the same
    architecture without concepts can, shares all weights below the head, and may be saved.

    Args:
        model: of concept_cnn, concept_minilm or another with a concept layer of Assay's.
        question: the name of one of its `questions`.

    Raises:
        InputError: the model has no heads, or none for this question.

    Example:
        >>> engine = Engine(head(model, "body_part"))  # doctest: +SKIP
        >>> engine.probabilities(engine.model.encode([("he hurt his back",)]))  # doctest: +SKIP
        array([[0.97, 0.01, 0.02]])
    """
    names = [asked.name for asked in _questions(model)]
    if question not in names:
        raise InputError(f"the model has no head for {question!r}; {did_you_mean(question, names)}")
    place = names.index(question)
    return _with_heads(model, [place], _questions(model)[place].labels, question)


def heads(model: Model) -> EmbeddingModel:
    """The model whose logits are those of all heads side by side, its labels "question: answer".

    For the concepts of many texts in one pass of each. Only a softmax over the answers of one question gives
    probabilities (`assay.models.concept_layer.side_by_side`), so its own are of no use. Args and errors as of
    `head`.
    """
    asked = _questions(model)
    labels = tuple(f"{question.name}: {label}" for question in asked for label in question.labels)
    return _with_heads(model, range(len(asked)), labels, "all questions")


def _questions(model: Model) -> Sequence[Any]:
    network = getattr(model, "network", None)
    layer = find_concept_layer(network) if isinstance(network, nn.Module) else None
    if layer is None:
        raise InputError(
            "the model has no heads for auxiliary questions; train one that has, such as concept_cnn or "
            "concept_minilm"
        )
    return layer.questions


def _with_heads(model: Model, places: Sequence[int], labels: tuple[str, ...], name: str) -> EmbeddingModel:
    layer = find_concept_layer(cast(Any, model).network)
    assert layer is not None
    linear = layer.head(places)
    owner = next(part for part, module in cast(Any, model).network.named_modules() if module is layer)
    if isinstance(model, WordModel):
        network = _exchanged(model.network, owner, linear)
        # The concepts are no layer of it.
        for part in ("text_layers", "steps"):
            network.__dict__.pop(part, None)
        return WordModel(_plain(model.spec, Cnn, name), model.vocabulary, network, labels, multi_label=False)
    if isinstance(model, TransformerModel):
        network = _exchanged(model.network, owner, linear)
        network.config = deepcopy(network.config)
        network.config.num_labels = len(labels)
        network.config.id2label = dict(enumerate(labels))
        network.config.label2id = {label: at for at, label in enumerate(labels)}
        network.config.problem_type = "single_label_classification"
        return TransformerModel(
            _plain(model.spec, Transformer, name),
            network,
            model.tokenizer,
            labels,
            multi_label=False,
            limit=model.limit,
            access=model.access,
        )
    raise InputError(
        f"the heads of a {type(model).__name__} cannot be explained by themselves; expected a model of "
        "concept_cnn or concept_minilm"
    )


def _exchanged(network: Module, name: str, module: nn.Module) -> Module:
    """A network that shares all modules with another but the one of that name."""
    view = copy(network)
    first, _, rest = name.partition(".")
    inside = _exchanged(network.get_submodule(first), rest, module) if rest else module
    view.__dict__["_modules"] = {**network._modules, first: inside}
    return view


def _plain(spec: Any, kind: Any, name: str) -> Any:
    """The settings of the same architecture without concepts."""
    settings = {part.name: getattr(spec, part.name) for part in fields(kind)}
    return kind(**{**settings, "name": f"{spec.name}: {name}"})
