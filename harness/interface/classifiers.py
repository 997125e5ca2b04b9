"""Classifiers to explain: trained here, or brought by the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from assay.harness.config.build import build
from assay.harness.config.choice import Choice
from assay.harness.config.keys import key
from assay.harness.interface.settings import settings_of, whole, with_options
from assay.harness.interface.tasks import as_examples
from assay.harness.interface.trials import run_config, trial_of
from assay.harness.storage.store import Store
from assay.harness.trials.trial import trained_model
from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.check import check_model
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.models.saving import weights_hash
from assay.models.training import fit as fit_spec
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Task

# Texts of different lengths on which a model brought by a user is checked.
PROBE = (("a",), ("one two three",), ("a few more words than that in one text",))
PAIR_PROBE = (("a", "b"), ("one two three", "four"), ("a few more words than", "that in one text"))


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A model at hand, with what names its explanations.

    Several threads may explain with one classifier at the same time.

    Attributes:
        name: of the model in tables.
        engine: what asks the model.
        settings: the configuration that it was trained with, or that stands for a model brought by a user.
        seed: the seed it was trained with.
        weights: the hash of its weights, or the fingerprint of a function; "" if unknown.
        task: the texts it was trained on; None for a model brought by a user.
    """

    name: str
    engine: Engine
    settings: dict[str, Any]
    seed: int
    weights: str
    task: Task | None = None

    @property
    def model(self) -> Model:
        """The model itself."""
        return self.engine.model

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.model.labels)

    def predict_proba(self, texts: object) -> NDArray[np.float64]:
        """Probabilities (N, K) of texts, pairs of texts or examples; one text is a list of one."""
        pairs = None if self.task is None else self.task.pairs
        encodings = self.model.encode([example.texts for example in as_examples(texts, pairs=pairs)])
        return self.engine.probabilities(encodings)

    def __repr__(self) -> str:
        return f"Classifier({self.name!r}, labels={list(self.labels)}, seed={self.seed})"


def fit(
    model: object,
    task: Task,
    *,
    seed: int = 0,
    store: str | None = None,
    device: str = "cpu",
    **options: Any,
) -> Classifier:
    """Train a classifier on a task.

    Args:
        model: a name of conf/model/ ("cnn", "minilm", ...), or an architecture such as Cnn(name="cnn").
        task: the texts.
        seed: of the initial weights and of training.
        store: a folder in which `assay run` and other calls find the trained model, or None to keep it in
            memory only.
        device: where the model runs, as torch names it.
        options: other settings of the model, such as training={"epochs": 3}.

    Returns:
        The trained classifier.

    Raises:
        InputError: an unknown model or option, or a task that the model cannot be trained on.

    Example:
        >>> fit("linear", task, training={"epochs": 1}).labels  # doctest: +SKIP
        ('negative', 'positive')
    """
    if not isinstance(task, Task):
        raise InputError(
            f"the task is a {type(task).__name__}; expected what assay.task or assay.texts returns"
        )
    seed = whole("seed", seed)
    check_device(device)
    settings = _settings(model, options)
    name = str(settings.get("name") or model)
    if store is None:
        spec = build(settings) if isinstance(model, str) else model
        trained: Model = fit_spec(cast(Any, spec), task, seed, device)[0]
        weights = weights_hash(cast(Any, trained))
    else:
        config = run_config(settings, seed, device, store)
        trained, weights = trained_model(trial_of(config, task, Choice((), ()), task), Store(store))
    return Classifier(name, Engine(trained, device=device), settings, seed, weights, task)


def _settings(model: object, options: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(model, str):
        return with_options("model", model, options)
    if options:
        raise InputError(f"{next(iter(options))}= only changes a model given by name; set it in the object")
    settings = settings_of("model", model)
    if not hasattr(model, "untrained"):
        raise InputError(f"a {type(model).__name__} is no architecture; expected one such as Cnn(name='cnn')")
    return settings


def check_classifier(classifier: object) -> None:
    """Raise InputError on anything but a classifier, such as a model that was not wrapped."""
    if not isinstance(classifier, Classifier):
        raise InputError(f"a {type(classifier).__name__} is no classifier; expected what fit or wrap returns")


def wrap(
    model: object,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    labels: Iterable[object] | None = None,
    multi_label: bool | None = None,
    pairs: bool = False,
    name: str | None = None,
    encode: Callable[[Sequence[tuple[str, ...]]], list[Encoding]] | None = None,
    max_tokens: int | None = None,
    over_limit: str = "error",
    fingerprint: str | None = None,
    device: str = "cpu",
    **parts: Any,
) -> Classifier:
    """A classifier of your own.

    Args:
        model: a Hugging Face sequence classifier (give its tokenizer), a torch module (give `encode` and
            `labels`), a function from n texts to (n, K) probabilities (give `labels`), or an object with the
            members of `assay.models.protocol.Model`. Networks are put in eval mode.
        tokenizer: the fast tokenizer of a Hugging Face model.
        labels: the names of the classes in the order of the outputs; by default a Hugging Face model's own.
        multi_label: whether a text may have any number of labels; by default what the model's configuration
            says, else False.
        pairs: whether a function or module reads pairs of texts and no single ones.
        name: of the model in tables.
        encode: of a torch module: texts or pairs to encodings.
        max_tokens: the most tokens that a Hugging Face model reads; by default what its configuration says.
        over_limit: what happens to longer texts, "error" or "truncate".
        fingerprint: of a function: any text that changes when the function does. Needed to store results.
        device: where the model runs, as torch names it.
        parts: more of `TorchAdapter`: pad_id, mask_id, unk_id, logits, embed, logits_from_embeddings,
            activations; of a function: pattern.

    Returns:
        The classifier. Baselines that are made from training texts (mean, negatives, random) need the
        argument `task` of `explain`.

    Raises:
        InputError: a model that cannot be read, or whose answers depend on padding or on the other texts of a
            batch; an option that this kind of model does not take.

    Example:
        >>> def predict_proba(texts):
        ...     good = np.array([0.9 if "good" in text else 0.2 for text in texts])
        ...     return np.stack([1 - good, good], axis=1)
        >>> wrap(predict_proba, labels=["bad", "good"]).predict_proba("a good film").round(1).tolist()
        [[0.1, 0.9]]
    """
    names = None if labels is None else _names(labels)
    check_device(device)
    given = {"tokenizer": tokenizer, "labels": labels, "multi_label": multi_label, "encode": encode}
    given |= {"max_tokens": max_tokens, "over_limit": None if over_limit == "error" else over_limit, **parts}
    _check_options(model, {option for option, value in given.items() if value is not None})
    if isinstance(model, PreTrainedModel):
        wrapped: Model = _hugging_face(model, tokenizer, names, multi_label, max_tokens, over_limit)
    elif isinstance(model, nn.Module):
        if encode is None or names is None:
            raise InputError("a torch module needs encode=(texts to encodings) and labels=[...]; give both")
        wrapped = TorchAdapter(model, labels=names, encode=encode, multi_label=bool(multi_label), **parts)
    elif isinstance(model, Model):
        wrapped = model
    else:
        if names is None:
            raise InputError("a function needs the names of its classes; give labels=[...]")
        predict = cast(Callable[[list[Any]], ArrayLike], model)
        multi = bool(multi_label)
        wrapped = BlackBox(predict, labels=names, multi_label=multi, fingerprint=fingerprint, **parts)
    kind = type(model).__name__ if name is None else name
    _check_place(wrapped, device)
    problems = check_model(wrapped, PAIR_PROBE if pairs else PROBE, tolerance=1e-4, device=device)
    if problems:
        raise InputError(f"{kind} cannot be explained: {problems[0]}; see assay.models.check")
    known = fingerprint or getattr(wrapped, "fingerprint", None)
    weights = str(known) if known else weights_hash(cast(Any, wrapped)) if hasattr(wrapped, "network") else ""
    settings = {"name": kind, "wrapped": weights, "reading": _reading(wrapped)}
    return Classifier(kind, Engine(wrapped, device=device), settings, 0, weights)


def _names(labels: Iterable[object]) -> tuple[str, ...]:
    """The names of the classes as texts; scikit-learn's `classes_` are numbers of numpy."""
    if isinstance(labels, str):
        raise InputError(f"labels is {labels!r}; expected a list of names, one for each class")
    names = tuple(map(str, labels))
    if len(set(names)) < len(names):
        raise InputError(f"labels names a class twice ({', '.join(names)}); expected different names")
    return names


def _check_options(model: object, given: set[str]) -> None:
    """Raise InputError on an object that is no model, and on options that its kind does not take."""
    if isinstance(model, PreTrainedModel):
        known = {"tokenizer", "labels", "multi_label", "max_tokens", "over_limit"}
    elif isinstance(model, nn.Module):
        known = {"labels", "multi_label", "encode", "pad_id", "mask_id", "unk_id", "logits", "embed"}
        known |= {"logits_from_embeddings", "activations"}
    elif isinstance(model, Model):
        known = set()
    elif callable(model):
        known = {"labels", "multi_label", "pattern"}
    else:
        raise InputError(
            f"a {type(model).__name__} cannot be wrapped; expected a Hugging Face or torch model, or a "
            "function from texts to probabilities such as a pipeline's predict_proba"
        )
    for option in sorted(given - known):
        takes = f"expected one of {', '.join(sorted(known))}" if known else "it has all that it needs"
        raise InputError(f"wrap does not take {option}= with a {type(model).__name__}; {takes}")


def check_device(device: str) -> None:
    """Raise InputError on a device that torch does not know, or that is not there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the device {device!r} cannot be used ({reason}); expected cpu or cuda") from error


def _check_place(model: Model, device: str) -> None:
    """Raise InputError where the network is on another kind of device than the one that is asked for."""
    network = getattr(model, "network", None)
    weight = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    if weight is not None and weight.device.type != torch.device(device).type:
        raise InputError(f"the network is on {weight.device}, not on {device}; give device={weight.device}")


def _reading(model: Model) -> str:
    """Names everything beside weights that decides what a model answers to a text, as far as it can be read.

    Two models of equal weights may cut texts at different lengths, or hide tokens in different ways; in a
    store their results must not be taken for each other's.
    """
    special = [getattr(model, name, None) for name in ("pad_id", "mask_id", "unk_id")]
    parts: list[Any] = [type(model).__qualname__, list(model.labels), model.multi_label, special]
    if isinstance(model, TransformerModel):
        config = model.network.config.to_dict()
        for name in ("_name_or_path", "id2label", "label2id", "transformers_version"):
            config.pop(name, None)
        parts += [config, cast(Any, model.tokenizer).backend_tokenizer.to_str(), asdict(model.limit)]
    elif isinstance(model, BlackBox):
        parts.append(model.pattern)
    elif hasattr(model, "network"):
        parts += [repr(cast(Any, model).network), [encoding.ids.tolist() for encoding in model.encode(PROBE)]]
    return key("reading", *parts)


def _hugging_face(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    labels: tuple[str, ...] | None,
    multi_label: bool | None,
    max_tokens: int | None,
    over_limit: str,
) -> Model:
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise InputError("a Hugging Face model needs its tokenizer; call wrap(model, tokenizer)")
    own = copy(network)
    own.config = deepcopy(network.config)
    id2label: dict[Any, str] = own.config.id2label or {}
    names = tuple(str(id2label[place]) for place in range(len(id2label)))
    if labels is not None:
        if len(labels) != len(names):
            raise InputError(f"labels names {len(labels)} classes, but the model has {len(names)} outputs")
        names = labels
        own.config.id2label = dict(enumerate(names))
        own.config.label2id = {label: place for place, label in enumerate(names)}
    if multi_label is None:
        multi_label = own.config.problem_type == "multi_label_classification"
    spec = Transformer(path=None, max_tokens=max_tokens, over_limit=over_limit)
    return spec.assemble(own, tokenizer, names, multi_label=multi_label)
