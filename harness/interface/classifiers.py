"""Classifiers to explain, and training one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from assay.harness.config.build import build
from assay.harness.config.choice import Choice
from assay.harness.interface.arguments import checked
from assay.harness.interface.settings import settings_of, with_options
from assay.harness.interface.tasks import as_examples
from assay.harness.interface.trials import run_config, training_data, trial_of
from assay.harness.storage.store import Store
from assay.harness.trials.checks import require_sound
from assay.harness.trials.trial import trained_model
from assay.models.engine import Engine
from assay.models.protocol import MaskedModel, Model
from assay.models.saving import weights_hash
from assay.models.staging import check_device, own_modes
from assay.models.structure import Part, changed_part
from assay.models.training import fit as fit_spec
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

if TYPE_CHECKING:
    import pandas as pd


# For fewer texts, reading all weights of a network takes long beside asking it.
WORTH_READING = 8


@dataclass(slots=True)
class Soundness:
    """known: whether a model was seen to answer to each text for itself."""

    known: bool = False


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
        data: what names these texts, from `training_data`; reading them anew takes long.
        pairs: whether it reads pairs of texts and no single ones; None if it may read both.
        hashed: whether `weights` is the hash of the network's weights as they were.
        sound: whether a model brought by a user was checked on texts whose answers differ.
    """

    name: str
    engine: Engine
    settings: dict[str, Any]
    seed: int
    weights: str
    task: Task | None = None
    data: tuple[Any, ...] = ()
    pairs: bool | None = None
    hashed: bool = False
    sound: Soundness = field(default_factory=Soundness, repr=False)
    _structure: tuple[Part, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_structure", _structure(self.model))

    @property
    def model(self) -> Model:
        """The model itself."""
        return self.engine.model

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.model.labels)

    @own_modes()
    def predict_proba(self, texts: object) -> NDArray[np.float64]:
        """Probabilities (N, K) of texts, pairs of texts or examples; one text is a list of one."""
        examples = as_examples(texts, pairs=self.pairs)
        check_classifier(self, refresh=len(examples) >= WORTH_READING)
        encodings = self.model.encode([example.texts for example in examples])
        return self.engine.probabilities(encodings)

    def word_masks(self) -> pd.DataFrame:
        """The words of the vocabulary by their mask, of a model with a word-mask layer such as vmask_cnn.

        Returns:
            One row per word (of an encoder: piece), special tokens left out, the largest mask first: `word`,
            `mask` (0 to 1) and `count`, how often it stands in the training texts.

        Raises:
            InputError: the model has no word masks.

        Example:
            >>> fit("vmask_cnn", task).word_masks().head(10)  # doctest: +SKIP
        """
        import pandas as pd

        if not isinstance(self.model, MaskedModel):
            raise InputError(
                f"the model {self.name!r} has no word masks; train one that has, such as vmask_cnn"
            )
        masks, names = self.model.word_masks(), self.model.word_names()
        texts = [example.texts for example in self.task.train] if self.task else []
        read = [encoding.ids for encoding in self.model.encode(texts)]
        counts = np.bincount(np.concatenate([np.empty(0, int), *read]), minlength=len(masks))
        ids = np.array(sorted(names))
        ids = ids[np.argsort(-masks[ids], kind="stable")]
        return pd.DataFrame(
            {"word": [names[id] for id in ids.tolist()], "mask": masks[ids], "count": counts[ids]}
        )

    def __repr__(self) -> str:
        return f"Classifier({self.name!r}, labels={list(self.labels)}, seed={self.seed})"


@checked
def fit(
    model: object,
    task: Task,
    *,
    seed: int = 0,
    store: str | Path | None = None,
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
    check_device(device)
    settings = _settings(model, options)
    name, data = str(settings.get("name") or model), training_data(task)
    if store is None:
        spec = build(settings) if isinstance(model, str) else model
        trained: Model = fit_spec(cast(Any, spec), task, seed, device)[0]
        weights = weights_hash(cast(Any, trained))
    else:
        config = run_config(settings, seed, {"device": device}, store, task={"name": task.name})
        trained, weights = trained_model(trial_of(config, task, Choice((), ()), task, data), Store(store))
    engine = Engine(trained, device=device)
    return Classifier(name, engine, settings, seed, weights, task, data, task.pairs, hashed=True)


def _settings(model: object, options: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(model, str):
        return with_options("model", model, options)
    if options:
        raise InputError(f"{next(iter(options))}= only changes a model given by name; set it in the object")
    settings = settings_of("model", model)
    if not hasattr(model, "untrained"):
        raise InputError(f"a {type(model).__name__} is no architecture; expected one such as Cnn(name='cnn')")
    return settings


def check_answers(classifier: Classifier, examples: Sequence[Example]) -> None:
    """Raise InputError on a user's model that mixes up its answers to these texts; asked until it was seen to
    tell texts apart. The texts on which `wrap` checks it may all be the same to it."""
    if classifier.task is None and not classifier.sound.known:
        texts = [example.texts for example in examples]
        if require_sound(classifier.name, classifier.engine, texts):
            classifier.sound.known = True


def check_classifier(classifier: object, *, refresh: bool = True) -> None:
    """Raise InputError on anything but a classifier, such as a model that was not wrapped, and on one whose
    network is in training mode or has other modules.

    refresh: whether weights that a user has written over, value by value, are read anew; writes to whole rows
    or columns are seen in any case.
    """
    if not isinstance(classifier, Classifier):
        raise InputError(f"a {type(classifier).__name__} is no classifier; expected what fit or wrap returns")
    network = getattr(classifier.model, "network", None)
    if isinstance(network, torch.nn.Module) and any(part.training for part in network.modules()):
        raise InputError(
            "the classifier's network is in training mode, in which dropout makes answers random; call its "
            "eval() first"
        )
    part = changed_part(classifier._structure, _structure(classifier.model))
    if part is not None:
        raise InputError(
            f"the classifier's network was changed since it was wrapped (its module {part!r} is another one, "
            "or has other hooks); wrap it again"
        )
    if refresh and hasattr(classifier.model, "refresh"):
        cast(Any, classifier.model).refresh()


def _structure(model: Model) -> tuple[Part, ...]:
    """The modules that a network's parts were read from, if there are such."""
    read = getattr(model, "structure", None)
    return () if read is None else read()


def check_weights(classifier: Classifier) -> None:
    """Raise InputError on weights that were changed, of which a store has no results: those under their name
    are of the weights before."""
    if classifier.hashed and weights_hash(cast(Any, classifier.model)) != classifier.weights:
        raise InputError(
            "the classifier's weights were changed since it was made, so a store would give what it has of "
            "the weights before; wrap the network again, or leave out store="
        )


def default_baseline(model: Model) -> str:
    """What "absent" means where a user says nothing."""
    return "delete" if model.mask_id is None else "mask"
