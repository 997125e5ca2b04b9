"""Models that a configuration hands over as they are, such as a user's black box, and what names a model."""

from __future__ import annotations

from typing import Any, cast

from omegaconf import DictConfig
from torch import nn

from assay.harness.config.build import build
from assay.harness.config.keys import content, key
from assay.harness.config.variants import model_name
from assay.models.adapters import TELL_BLACK_BOX, BlackBox, from_estimator
from assay.models.protocol import Model
from assay.models.saving import weights_hash
from assay.models.training import Trainable
from assay.tasks.errors import InputError
from assay.tasks.example import Task

# Architectures, which are built only to be trained or loaded.
OWN = "assay.models."
# Short texts whose encodings, and answers, tell models apart.
PROBE = (("a",), ("one two three",), ("a few more words than that in one text",))
PAIR_PROBE = (("a", "b"), ("one two three", "four"), ("a few more words than", "that in one text"))


def ready_model(config: DictConfig, task: Task) -> tuple[Model, str] | None:
    """The model that a trial's configuration returns, and what stands for its weights; None for a spec.

    An estimator with `predict_proba` is wrapped. A `fingerprint` stands for the weights; a torch model
    without one is named by the weights themselves. Raises InputError on anything that is no model, and on
    other labels than the task's.
    """
    if str(config.model.get("_target_", "")).startswith(OWN):
        return None
    name, model = model_name(config), build(config.model)
    if not isinstance(model, Model):
        if hasattr(model, "untrained"):
            return None
        if isinstance(model, type) or not hasattr(model, "predict_proba"):
            raise InputError(
                f"model {name!r} is a {type(model).__name__} and no classifier; {_advice(model)}"
            )
        model = from_estimator(model, multi_label=task.multi_label)
    if tuple(model.labels) != task.labels:
        raise InputError(
            f"model {name!r} has the labels {', '.join(model.labels)}, but task {task.name!r} has "
            f"{', '.join(task.labels)}; expected the same in the same order"
        )
    if bool(model.multi_label) != task.multi_label:
        raise InputError(
            f"model {name!r} has multi_label={bool(model.multi_label)}, but task {task.name!r} has "
            f"{task.multi_label}; expected the same"
        )
    return model, model_identity(model, name)


def _advice(model: object) -> str:
    """How to make a model of what a configuration returned."""
    # Slow to import, for the networks of transformers; so below.
    from transformers import PreTrainedModel

    if isinstance(model, PreTrainedModel):
        return "set model=transformer model.path=<its folder>, or give a TorchAdapter around it"
    if isinstance(model, nn.Module):
        return "give TorchAdapter(network, labels=[...], encode=...)"
    if hasattr(model, "decision_function"):
        return (
            "its decisions are no probabilities; fit it inside scikit-learn's CalibratedClassifierCV, or "
            f"give {TELL_BLACK_BOX}"
        )
    return f"give {TELL_BLACK_BOX}, TorchAdapter(...), or a fitted estimator with predict_proba"


def model_identity(model: Model, name: str) -> str:
    """What stored results of a model are named by. Raises InputError where there is nothing."""
    fingerprint = getattr(model, "fingerprint", None)
    if fingerprint is not None:
        version = getattr(model, "version", None)
        return str(fingerprint) if version is None else f"{fingerprint} (version {version})"
    if not hasattr(model, "network"):
        raise InputError(
            f"model {name!r} has neither a `network` nor a `fingerprint`; give it a fingerprint (any text "
            "that changes when the model does), because stored results are named by it"
        )
    return weights_hash(cast(Trainable, model))


def model_content(config: DictConfig, task: Task) -> list[str]:
    """What names a trial's model beside its settings: the content of its files, and of a ready one itself."""
    ready = ready_model(config, task)
    named = [] if ready is None else [ready[1], reading(ready[0], pairs=task.pairs)]
    return [*content(config.model), *named]


def reading(model: Model, *, pairs: bool = False) -> str:
    """Names everything beside weights that decides what a model answers to a text, as far as it can be read.

    Two models of equal weights may cut texts at different lengths, or hide tokens in different ways; in a
    store their results must not be taken for each other's.
    """
    from assay.models.tokenizer_files import tokenizer_content
    from assay.models.transformer_model import TransformerModel

    special = [getattr(model, name, None) for name in ("pad_id", "mask_id", "unk_id")]
    parts: list[Any] = [type(model).__qualname__, list(model.labels), model.multi_label, special]
    if isinstance(model, TransformerModel):
        config = model.network.config.to_dict()
        for name in ("_name_or_path", "id2label", "label2id", "transformers_version"):
            config.pop(name, None)
        parts += [config, tokenizer_content(model.tokenizer), model.limit.identity]
    elif isinstance(model, BlackBox):
        parts += [model.pattern, model.version]
    elif hasattr(model, "network"):
        network = cast(Any, model).network
        # Other objects are written with their place in memory.
        parts += [repr(network) if isinstance(network, nn.Module) else type(network).__qualname__]
        parts += [[encoding.ids.tolist() for encoding in model.encode(PAIR_PROBE if pairs else PROBE)]]
    return key("reading", *parts)
