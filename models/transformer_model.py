"""A Hugging Face sequence classifier as a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.encoder import read_encoder
from assay.models.encoding import Encoding
from assay.models.limit import Limit
from assay.models.protocol import Batch
from assay.models.tokenizing import encode_texts
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# While it collects hidden states the library exchanges methods of its modules, and a hook here changes what a
# module answers: another thread's call of the same network must wait.
_NETWORK_LOCK = RLock()


class TransformerModel:
    """A sequence classifier (assay.models.protocol: gradients, embeddings, activations, maybe a mask token).

    Embeddings are those of the tokens; positions and segments are added by the embedding block, behind which
    gradients are taken. All ways in take the same path through the network, so positions never depend on
    which ids a text contains. A network laid out like BERT is run by `assay.models.encoder` except in
    training, and is an OpenModel. Threads may share a model in eval mode: networks
    like BERT run side by side, others one call after the other.

    The network's outputs may be in another order than `labels`; its configuration's id2label says in which.
    They are put in the order of `labels` here, where they leave the network, and its weights stay as they
    are: everything that reads classes by their place (targets, gold labels, stored scores, pairs of models,
    names in the report) then knows one order only, the task's. Were the task's order to follow the
    checkpoint, it would be another for every model, and not known before a model is loaded.
    """

    def __init__(
        self,
        spec: DataclassInstance,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        labels: tuple[str, ...],
        *,
        multi_label: bool,
        limit: Limit,
    ) -> None:
        self.spec = spec
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.labels = labels
        self._columns = _columns(network, labels)
        self.multi_label = multi_label
        self.pad_id = _special_id(tokenizer, "pad") or 0
        self.mask_id = _special_id(tokenizer, "mask")
        self.unk_id = _special_id(tokenizer, "unk")
        self.limit = limit
        self.embedding_rows = int(network.get_input_embeddings().get_parameter("weight").shape[0])
        self._takes_segments = (
            "token_type_ids" in tokenizer.model_input_names
            and "token_type_ids" in inspect.signature(network.forward).parameters
            and getattr(network.config, "type_vocab_size", 2) > 1
        )
        block = getattr(network.base_model, "embeddings", None)
        if isinstance(block, nn.Module):
            self._block = block
            # Left unset where there is no such block, because what a model has is what it can do.
            self.enter = self._enter
            self.logits_from_entry = self._logits_from_entry
            encoder = read_encoder(network)
            if encoder is not None:
                self._encoder = encoder
                self.layers = ("embedding", *(f"layer_{n}" for n in range(1, len(encoder.layers))))
                self.steps = encoder.steps
                self.open_logits = self._open_logits

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts or pairs, special tokens included."""
        return encode_texts(self.tokenizer, texts, self.limit)

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T, D) token embeddings of ids (B, T)."""
        return self.network.get_input_embeddings()(ids)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from token embeddings (B, T, D)."""
        if self._is_open():
            return self._logits_from_entry(self._enter(embeddings, batch), batch)
        return self._forward(embeddings, batch).logits

    def _is_open(self) -> bool:
        return hasattr(self, "open_logits") and not self.network.training

    def _open_logits(self, entry: Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> Tensor:
        """(B, K) logits from the output of the embedding block, step by step."""
        return self._in_order(self._encoder.logits(entry, batch.attention, rule, hook))

    def _in_order(self, logits: Tensor) -> Tensor:
        """(B, K) the network's outputs in the order of `labels`."""
        return logits if self._columns is None else logits[:, self._columns]

    def _enter(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, T, D) the output of the embedding block: tokens, positions and segments, normalised."""
        if self._is_open():
            return self._block(inputs_embeds=embeddings, **self._segments(batch))
        entered: list[Tensor] = []

        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            entered.append(output)
            raise _Entered

        # The block is reached through the network, which knows how to call it; the layers are not run.
        with self._hook(keep), suppress(_Entered):
            self._forward(embeddings, batch)
        return entered[0]

    def _logits_from_entry(self, entry: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from the output of the embedding block."""
        if self._is_open():
            return self._open_logits(entry, batch, AUTOGRAD, no_hook)
        # The block is called as ever, on anything of the right shape, and its answer exchanged.
        unread = torch.zeros_like(
            self.embed(torch.zeros(entry.shape[:2], dtype=torch.long, device=entry.device))
        )
        with self._hook(lambda module, inputs, output: entry):
            return self._forward(unread, batch).logits

    @contextmanager
    def _hook(self, hook: Callable[..., object]) -> Iterator[None]:
        with _NETWORK_LOCK:
            handle = self._block.register_forward_hook(hook)
            try:
                yield
            finally:
                handle.remove()

    def activations(self, batch: Batch) -> dict[str, Tensor]:
        """The output of the embedding module and of each layer (B, T, D), and the logits."""
        output = self._forward(self.embed(batch.ids), batch, output_hidden_states=True)
        first, *rest = output.hidden_states
        layers = {"embedding": first, **{f"layer_{n}": layer for n, layer in enumerate(rest, start=1)}}
        return {**layers, "logits": output.logits}

    def write_files(self, folder: Path) -> None:
        """Write what `Transformer.restore` reads."""
        self.network.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _forward(self, embeddings: Tensor, batch: Batch, **options: bool):
        with _NETWORK_LOCK:
            output = self.network(
                inputs_embeds=embeddings,
                attention_mask=batch.attention.long(),
                **self._segments(batch),
                **options,
            )
        output.logits = self._in_order(output.logits)
        return output

    def _segments(self, batch: Batch) -> dict[str, Tensor]:
        return {"token_type_ids": batch.segments} if self._takes_segments else {}


class _Entered(Exception):
    """The embedding block has answered; nothing behind it is needed."""


def _columns(network: PreTrainedModel, labels: tuple[str, ...]) -> list[int] | None:
    """Which output of the network each label is; None where they are in the same order."""
    names = {int(at): str(name) for at, name in (network.config.id2label or {}).items()}
    outputs = [names[at] for at in range(len(names))]
    if sorted(outputs) != sorted(labels):
        raise InputError(
            f"the network's id2label names {', '.join(outputs)}; expected the labels {', '.join(labels)}, "
            "each once"
        )
    return None if outputs == list(labels) else [outputs.index(label) for label in labels]


def _special_id(tokenizer: PreTrainedTokenizerBase, role: str) -> int | None:
    number = getattr(tokenizer, f"{role}_token_id", None)
    return number if isinstance(number, int) else None
