"""Any Hugging Face network with a sequence-classification head."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from assay.models.access import ODD_TEXTS, Access, access_texts, find_access, read_access
from assay.models.checkpoint import (
    checkpoint_source,
    has_trained_head,
    most_tokens,
    own_memory,
    quiet,
)
from assay.models.limit import Limit
from assay.models.output_labels import check_head, output_labels
from assay.models.refused_paths import refuse_folder
from assay.models.saving import check_finite
from assay.models.seeding import seeded
from assay.models.tokenizing import check_tokenizer
from assay.models.training import Training
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A checkpoint to fine-tune, from a folder or by its hub name with a pinned `revision`.

    Weights are read from safetensors only and no code of a checkpoint is run. A checkpoint with a
    classification head keeps it if it has as many labels as the task; others get a new head drawn from the
    seed, to be trained, or with init_only. A file of other weights than the network's is refused.
    pretrained: false draws everything from the seed, a control. init_only: do not train (with `pretrained`,
    the encoder as it is). max_tokens: null for the checkpoint's own limit.
    over_limit, truncate, truncate_side: see assay.models.limit.Limit.
    """

    name: str = "transformer"
    path: str | None = None
    revision: str | None = None
    pretrained: bool = True
    max_tokens: int | None = None
    over_limit: str = "error"
    truncate: str = "longest_first"
    truncate_side: str = "right"
    labels: Sequence[str | int | float | bool] | None = None
    training: Training = field(
        default_factory=lambda: Training(
            epochs=3, batch_size=16, learning_rate=2e-5, warmup=0.1, schedule="linear", patience=3
        )
    )
    init_only: bool = False

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before fine-tuning."""
        if self.path is None:
            raise InputError("model.path is not set; set model.path=<checkpoint folder or hub name>")
        source = checkpoint_source(self.path, self.revision)
        refuse_folder(self.path, weights=self.pretrained)
        try:
            with quiet(), seeded(seed):
                config = AutoConfig.from_pretrained(source, revision=self.revision, trust_remote_code=False)
                tokenizer = AutoTokenizer.from_pretrained(
                    source, revision=self.revision, trust_remote_code=False
                )
                problem = config.problem_type
                self.check_config(config, task)
                self._set_size(config, task.labels, multi_label=task.multi_label)
                network, has_head = self._network(source, config)
                if has_head and self._as_it_is:
                    name, outputs = f"the checkpoint {self.path}", len(task.labels)
                    check_head(problem, outputs, multi_label=task.multi_label, model=name)
                names = self._output_labels(source, task.labels) if has_head else task.labels
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split())
            raise InputError(
                f"model.path={self.path} is not a checkpoint that can be loaded (a folder or hub name with "
                f"config.json, a tokenizer and safetensors weights): {reason}"
            ) from error
        network.config.id2label = dict(enumerate(names))
        network.config.label2id = {label: at for at, label in enumerate(names)}
        own_memory(network)
        check_finite(network.state_dict(), f"the weights of {self.path}")
        return self.assemble(
            network, tokenizer, task.labels, multi_label=task.multi_label, probe=access_texts(task)
        )

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> TransformerModel:
        """The model of a saved folder, its weights still to be filled in."""
        with quiet(), seeded(0):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            network = _from_config(config)
        return self.assemble(network, tokenizer, labels, multi_label=multi_label, access=read_access(folder))

    @property
    def _as_it_is(self) -> bool:
        return self.init_only or self.training.epochs == 0

    def check_config(self, config: PretrainedConfig, task: Task) -> None:
        """Raise InputError on a checkpoint whose head, by its configuration, does not fit the task."""
        if not (self.pretrained and _has_head(config)):
            return
        name, labels = f"the checkpoint {self.path}", task.labels
        if config.num_labels == 1 < len(labels):
            check_head(None, 1, multi_label=False, model=name)
        if config.num_labels != len(labels):
            raise InputError(
                f"{name} classifies into {config.num_labels} labels, the task has {len(labels)} "
                f"({', '.join(labels)}); choose a checkpoint that fits, or one without a head"
            )
        if self._as_it_is:
            check_head(config.problem_type, len(labels), multi_label=task.multi_label, model=name)

    def _set_size(self, config: PretrainedConfig, labels: tuple[str, ...], *, multi_label: bool) -> None:
        config.num_labels = len(labels)
        config.problem_type = "multi_label_classification" if multi_label else "single_label_classification"

    def _network(self, source: str, config: PretrainedConfig) -> tuple[PreTrainedModel, bool]:
        """The network, and whether its classification head is the checkpoint's own."""
        if not self.pretrained:
            return _from_config(config), False
        network, report = AutoModelForSequenceClassification.from_pretrained(
            source,
            config=config,
            revision=self.revision,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
        new_head = self.init_only or self.training.epochs > 0
        architectures = config.architectures or ()
        return network, has_trained_head(
            network, report, architectures, new_head=new_head, path=str(self.path)
        )

    def _output_labels(self, source: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        # The configuration as an object has put generic names where the file has none.
        config, _ = PretrainedConfig.get_config_dict(source, revision=self.revision)
        return output_labels(labels, config, self.labels, source)

    def assemble(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        labels: tuple[str, ...],
        *,
        multi_label: bool,
        probe: Sequence[tuple[str, ...]] = tuple((text,) for text in ODD_TEXTS),
        access: Access | None = None,
    ) -> TransformerModel:
        """The model around a network whose id2label names its outputs by the labels.

        access: None to find it out with the texts `probe`. Raises InputError on a tokenizer that cannot be
        read or of more tokens than the network knows, on a limit above the network's, and on a network that
        cannot be asked.
        """
        name = "the model" if self.path is None else f"the checkpoint {self.path}"
        check_tokenizer(tokenizer, name)
        check_vocabulary(network.config, tokenizer, name)
        longest = most_tokens(network, tokenizer)
        max_tokens = longest if self.max_tokens is None else self.max_tokens
        if max_tokens > longest:
            raise InputError(f"model.max_tokens is {max_tokens}, but {name} reads at most {longest} tokens")
        # A local path says nothing to another machine and is not needed to restore.
        spec = replace(self, path=None) if self.revision is None else self
        limit = Limit(max_tokens, self.over_limit, self.truncate, self.truncate_side)
        own_side = tokenizer.truncation_side
        if self.over_limit == "truncate" and own_side != self.truncate_side:
            _warn_once(
                f"the tokenizer of {name} cuts long texts on the {own_side}, but they are cut on the "
                f"{self.truncate_side}; if that is wrong, set model.truncate_side={own_side}"
            )
        network.config.return_dict = True

        def build(access: Access) -> TransformerModel:
            return TransformerModel(
                spec, network, tokenizer, labels, multi_label=multi_label, limit=limit, access=access
            )

        if access is None:
            with quiet():
                access = find_access(build, probe, name)
        return build(access)


def check_vocabulary(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Raise InputError on a tokenizer of no words, or of numbers for which the network has no embedding."""
    numbers = set(tokenizer.get_vocab().values())
    if not numbers - set(tokenizer.all_special_ids):
        # transformers invents such a tokenizer where a folder has none.
        raise InputError(
            f"the tokenizer of {name} knows no words but special tokens, so all texts would be alike; "
            "put the tokenizer's files (tokenizer.json) beside the weights, as save_pretrained does"
        )
    known = getattr(config.get_text_config(), "vocab_size", None)
    highest = max(numbers)
    if known is not None and highest >= known:
        raise InputError(
            f"{name} knows {known} tokens, but its tokenizer counts up to {highest}; resize the "
            "network's embeddings (resize_token_embeddings) and save both together"
        )


def _from_config(config: PretrainedConfig) -> PreTrainedModel:
    return AutoModelForSequenceClassification.from_config(
        config, trust_remote_code=False, dtype=torch.float32
    )


def _has_head(config: PretrainedConfig) -> bool:
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or ())


@cache
def _warn_once(message: str) -> None:
    log.warning("%s", message)
