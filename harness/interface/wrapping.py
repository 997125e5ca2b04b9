"""Classifiers that a user brings: a Hugging Face model, a torch module, or a function of texts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import fields
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import Classifier
from assay.harness.trials.ready_models import PAIR_PROBE, PROBE, reading
from assay.models.adapters import BlackBox, TorchAdapter, from_estimator
from assay.models.check import check_model
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.limit import Limit
from assay.models.output_labels import check_head
from assay.models.protocol import Model
from assay.models.saving import weights_hash
from assay.models.staging import check_device
from assay.models.transformer import Transformer
from assay.tasks.errors import InputError, is_writable, shown
from assay.tasks.labels import plain_text

# What a model is checked on beside short texts, if it reads texts so long.
LONG = "Don't  stop: naïve 中文 🙂, 3.5 %! " + "and more of the words of a longer text " * 6
# What may stand around a network of Hugging Face's, and the attribute that holds the network.
AROUND = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "TextClassificationPipeline": "model",
}


@checked
def wrap(
    model: object,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    labels: object = None,
    multi_label: bool | None = None,
    pairs: bool = False,
    name: str | None = None,
    encode: Callable[[Sequence[tuple[str, ...]]], list[Encoding]] | None = None,
    max_tokens: int | None = None,
    over_limit: str = "error",
    truncate: str = "longest_first",
    truncate_side: str = "right",
    fingerprint: str | None = None,
    device: str = "cpu",
    **parts: Any,
) -> Classifier:
    """A classifier of your own.

    Args:
        model: a Hugging Face sequence classifier (give its tokenizer), a torch module (give `encode` and
            `labels`), a fitted estimator with `predict_proba` such as a scikit-learn pipeline, a function
            from n texts to (n, K) probabilities (give `labels`), or an object with the members of
            `assay.models.protocol.Model`. Networks are put in eval mode.
        tokenizer: that of a Hugging Face model.
        labels: the names of the classes in the order of the outputs; by default the own ones of a Hugging
            Face model or an estimator.
        multi_label: whether a text may have any number of labels; by default what the model's configuration
            says, else False.
        pairs: whether a function or module reads pairs of texts and no single ones.
        name: of the model in tables.
        encode: of a torch module: texts or pairs to encodings.
        max_tokens: the most tokens that a Hugging Face model reads; by default what its configuration says.
        over_limit: what happens to longer texts, "error" or "truncate".
        truncate: which text of a pair is cut, "longest_first", "only_first" or "only_second".
        truncate_side: the end of a text that is cut off, "right" or "left".
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
    names = None if labels is None else _class_names(labels)
    check_device(device)
    options = {"tokenizer": tokenizer, "labels": names, "encode": encode, "max_tokens": max_tokens, **parts}
    options["multi_label"] = None if multi_label is None else bool(multi_label)
    cutting = {"over_limit": over_limit, "truncate": truncate, "truncate_side": truncate_side}
    usual = {field.name: field.default for field in fields(Limit)}
    options |= {name: value for name, value in cutting.items() if value != usual[name]}
    given = {option: value for option, value in options.items() if value is not None}
    wrapped = _as_model(model, given, fingerprint)
    # A bound method is called as what it is bound to.
    title = type(model.__self__ if inspect.ismethod(model) else model).__name__ if name is None else name
    _check_place(wrapped, device)
    _check_numbers(wrapped)
    problems = check_model(wrapped, _probe(wrapped, pairs=pairs), tolerance=1e-4, device=device)
    if problems:
        raise InputError(f"{title} cannot be explained: {problems[0]}; see assay.models.check")
    weights = str(fingerprint or getattr(wrapped, "fingerprint", None) or "")
    hashed = not weights and hasattr(wrapped, "network")
    if hashed:
        weights = weights_hash(cast(Any, wrapped))
    settings = {"name": title, "wrapped": weights, "reading": reading(wrapped, pairs=pairs)}
    # What a tokenizer or a model of a user's own reads is theirs to say.
    either = isinstance(model, (PreTrainedModel, Model)) and not pairs
    engine = Engine(wrapped, device=device)
    return Classifier(title, engine, settings, 0, weights, pairs=None if either else pairs, hashed=hashed)


def _as_model(model: object, options: dict[str, Any], fingerprint: str | None) -> Model:
    """The model, adapted by what it is. Raises InputError on options that its kind does not take."""
    attribute = AROUND.get(type(model).__name__)
    inner = getattr(model, attribute, None) if attribute else None
    if isinstance(inner, PreTrainedModel):
        raise InputError(
            f"this {type(model).__name__} is around the network; give wrap the network itself, "
            f"its .{attribute}"
        )
    if isinstance(model, PreTrainedModel):
        adapt, known = _from_hugging_face, _keywords(_from_hugging_face)
    elif isinstance(model, nn.Module):
        adapt, known = _from_module, _keywords(TorchAdapter)
    elif isinstance(model, Model):
        adapt, known = _as_it_is, set()
    elif hasattr(model, "predict_proba"):
        adapt, known = partial(from_estimator, fingerprint=fingerprint), _keywords(from_estimator)
        known -= {"fingerprint"}
    elif callable(model):
        adapt, known = partial(_from_function, fingerprint=fingerprint), _keywords(BlackBox) - {"fingerprint"}
    else:
        raise InputError(
            f"a {type(model).__name__} cannot be wrapped; expected a Hugging Face or torch model, a fitted "
            "estimator with predict_proba, or a function from texts to probabilities"
        )
    for option in sorted(options.keys() - known):
        takes = f"expected one of {', '.join(sorted(known))}" if known else "it has all that it needs"
        raise InputError(f"wrap does not take {option}= with a {type(model).__name__}; {takes}")
    return adapt(cast(Any, model), **options)


def _keywords(function: Callable[..., object]) -> set[str]:
    """The options that a function takes by keyword only."""
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _from_hugging_face(
    network: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    labels: tuple[str, ...] | None = None,
    multi_label: bool | None = None,
    max_tokens: int | None = None,
    over_limit: str = "error",
    truncate: str = "longest_first",
    truncate_side: str = "right",
) -> Model:
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise InputError("a Hugging Face model needs its tokenizer; call wrap(model, tokenizer)")
    # The user's own keeps its configuration.
    network, config = copy(network.eval()), deepcopy(network.config)
    network.config = config
    id2label: dict[Any, str] = config.id2label or {}
    if labels is None:
        if set(id2label) != set(range(len(id2label))):
            raise InputError(
                f"the model's id2label names the outputs {', '.join(map(str, id2label))}; expected numbers "
                f"from 0 to {len(id2label) - 1}, give labels=[...]"
            )
        names = _class_names([str(id2label[at]) for at in sorted(id2label)], "the model's id2label")
    else:
        names = labels
    if len(names) != len(id2label):
        raise InputError(f"labels names {len(names)} classes, but the model has {len(id2label)} outputs")
    if labels is not None:
        config.id2label = dict(enumerate(names))
        config.label2id = {label: place for place, label in enumerate(names)}
    if multi_label is None:
        multi_label = config.problem_type == "multi_label_classification"
    problem = config.problem_type if config.problem_type == "regression" else None
    check_head(problem, len(names), multi_label=multi_label, model="the model")
    spec = Transformer(
        path=None,
        max_tokens=max_tokens,
        over_limit=over_limit,
        truncate=truncate,
        truncate_side=truncate_side,
    )
    return spec.assemble(network, tokenizer, names, multi_label=multi_label)


def _from_module(network: nn.Module, *, encode: Any = None, labels: Any = None, **parts: Any) -> Model:
    if encode is None or labels is None:
        raise InputError("a torch module needs encode=(texts to encodings) and labels=[...]; give both")
    return TorchAdapter(network, encode=encode, labels=labels, **parts)


def _as_it_is(model: Model) -> Model:
    return model


def _from_function(predict_proba: Callable[..., Any], *, labels: Any = None, **options: Any) -> Model:
    if labels is None:
        raise InputError("a function needs the names of its classes; give labels=[...]")
    return BlackBox(predict_proba, labels=labels, **options)


def _class_names(labels: object, source: str = "labels") -> tuple[str, ...]:
    """The names of the classes as texts; scikit-learn's `classes_` are numbers of numpy."""
    # Sets have no order, and mappings and tables would give their keys.
    unordered = isinstance(labels, (str, bytes, Mapping, Set)) or getattr(labels, "ndim", 1) != 1
    given = list(labels) if isinstance(labels, Iterable) and not unordered else []
    if not given or not all(isinstance(name, (str, int, float, np.generic)) for name in given):
        raise InputError(f"labels is {shown(labels)}; expected a list of names, in the order of the outputs")
    names = tuple(plain_text(name.item() if isinstance(name, np.generic) else name) for name in given)
    if not all(map(is_writable, names)):
        raise InputError(
            f"{source} is {shown(labels)}; a name holds half of a surrogate pair, write it whole"
        )
    if len(set(names)) < len(names):
        raise InputError(f"{source} names a class twice ({', '.join(names)}); expected different names")
    return names


def _check_numbers(model: Model) -> None:
    """Raise InputError on a network with weights of 16 bits, whose answers would pass for those of 32, and on
    one with weights that torch does not differentiate through."""
    network = getattr(model, "network", None)
    if not isinstance(network, nn.Module):
        return
    for name, weight in network.named_parameters():
        if weight.is_inference():
            raise InputError(
                f"the network's weights ({name}) were made inside torch.inference_mode, so no gradient can "
                "be taken; make the network outside of it"
            )
        if weight.is_floating_point() and weight.dtype.itemsize < 4:
            raise InputError(
                f"the network's weights are {weight.dtype} ({name}), so its answers would be rounded to it; "
                "call the network's float() first (its precision while it explains is a setting of its own, "
                "docs/precision.md)"
            )


def _check_place(model: Model, device: str) -> None:
    """Raise InputError where the network is on another kind of device than the one that is asked for."""
    network = getattr(model, "network", None)
    weight = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    if weight is not None and weight.device.type != torch.device(device).type:
        raise InputError(f"the network is on {weight.device}, not on {device}; give device={weight.device}")


def _probe(model: Model, *, pairs: bool) -> list[tuple[str, ...]]:
    """Texts of different lengths on which a model is checked, without a long one that it does not read."""
    long = [(LONG, LONG[::2]) if pairs else (LONG,)]
    with suppress(InputError):
        model.encode(long)
        return [*(PAIR_PROBE if pairs else PROBE), *long]
    return list(PAIR_PROBE if pairs else PROBE)
