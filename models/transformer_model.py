"""A Hugging Face sequence classifier as a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from assay.models.access import Access
from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.batching import rejoin, unpadded
from assay.models.concept_layer import offer_concepts, write_questions
from assay.models.encoder_reading import encoder_or_reason
from assay.models.encoding import Encoding, with_tokens
from assay.models.limit import Limit
from assay.models.network_turn import NETWORK_LOCK, turn
from assay.models.output_labels import columns
from assay.models.protocol import Batch
from assay.models.structure import Part, structure
from assay.models.tokenizer_files import write_tokenizer
from assay.models.tokenizing import encode_texts, own_inputs
from assay.models.word_mask import MaskedEmbedding, word_mask

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class TransformerModel:
    """A sequence classifier (assay.models.protocol: what `Access` allows of it, and maybe a mask token).

    It answers as the library's own call on a text alone does: rows of unequal length are asked one length
    after the other, because some networks (GPT-2, FNet) read padding, and some (BigBird) read long rows in
    another way than short ones. A network of the table in assay.models.layouts is run by
    `assay.models.encoder` except in training, and is an OpenModel; `closed` says why another is none.
    Training may pad.

    Embeddings are those of the tokens; positions and segments are added by the embedding block, behind which
    gradients are taken. Where a network can start from embeddings it always does, so positions never depend
    on which ids a text contains. Threads may share a model in eval mode: open networks run side by side,
    others one call after the other.

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
        access: Access | None = None,
    ) -> None:
        self.spec = spec
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.labels = labels
        self._columns = columns(network, labels)
        self.multi_label = multi_label
        self.pad_id = pad_id(network, tokenizer)
        self.mask_id = special_id(tokenizer, "mask")
        self.unk_id = special_id(tokenizer, "unk")
        self.limit = limit
        self.access = access = access or Access()
        end = None if access.embeddings else getattr(self._config, "eos_token_id", None)
        self.end_id = end if isinstance(end, int) else self.pad_id
        self._parameters = frozenset(inspect.signature(network.forward).parameters)
        self._takes_segments = (
            "token_type_ids" in tokenizer.model_input_names
            and "token_type_ids" in self._parameters
            and getattr(network.config, "type_vocab_size", 2) > 1
        )
        # What a model has is what it can do, so what the network does not allow is left unset.
        if access.activations:
            self.activations = self._activations
        if access.embeddings:
            self.embedding_rows = len(network.get_input_embeddings().get_parameter("weight"))
            self.embed = self._embed
            if isinstance(network.get_input_embeddings(), MaskedEmbedding):
                self.word_masks = self._word_masks
            self.logits_from_embeddings = self._logits_from_embeddings
        block = getattr(network.base_model, "embeddings", None)
        if access.entry and isinstance(block, nn.Module):
            self._block = block
            self.enter = self._enter
            self.logits_from_entry = self._logits_from_entry
            self.module_logits = self._module_logits
        self._open()

    def structure(self) -> tuple[Part, ...]:
        """The modules that the written-out pass was read from; none where the network runs itself."""
        with NETWORK_LOCK:  # or another thread's hook may be on one
            return structure(self.network) if hasattr(self, "encoder") else ()

    def refresh(self) -> None:
        """Forget what was made of weights that a user has written over since."""
        if hasattr(self, "encoder"):
            self.encoder.refresh()

    def _open(self) -> None:
        """Be an OpenModel, or say why not."""
        found = encoder_or_reason(self.network, enters=hasattr(self, "enter"))
        self.closed = found if isinstance(found, str) else None
        if isinstance(found, str):
            return
        self.encoder = found
        self.layers = found.token_layers
        self.text_layers = found.text_layers
        self.averages_tokens = found.head.mean
        self.steps = found.steps
        self.open_logits = self._open_logits
        offer_concepts(self)

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts or pairs, special tokens included."""
        return with_tokens(encode_texts(self.tokenizer, texts, self.limit), texts)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        if self.access.embeddings:
            return self._logits_from_embeddings(self._embed(batch.ids), batch)
        return self._by_length(batch.ids, batch, self._network_logits)

    def own_logits(self, texts: tuple[str, ...]) -> Tensor:
        """(1, K) what the network answers to the tokenizer's own output, called as the library shows it."""
        inputs = own_inputs(self.tokenizer, texts)
        if not self._takes_segments:
            inputs.pop("token_type_ids", None)
        known = {name: x.to(self.network.device) for name, x in inputs.items() if name in self._parameters}
        with turn(self.network):
            return self._in_order(self.network(**known).logits)

    def padded_logits(self, batch: Batch) -> Tensor:
        """(B, K) logits in one call, as in training: those of `logits` unless the network reads padding."""
        return self._network_logits(self._embed(batch.ids) if self.access.embeddings else batch.ids, batch)

    def _embed(self, ids: Tensor) -> Tensor:
        """(B, T, D) token embeddings of ids (B, T), masked where the model has a word mask."""
        return self.network.get_input_embeddings()(ids)

    def _logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from token embeddings (B, T, D)."""
        if self._is_open():
            return self._logits_from_entry(self._enter(embeddings, batch), batch)
        return self._by_length(embeddings, batch, self._network_logits)

    def _is_open(self) -> bool:
        return hasattr(self, "open_logits") and not self.network.training

    def _open_logits(self, entry: Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> Tensor:
        """(B, K) logits from the output of the embedding block, step by step."""
        return self._in_order(self.encoder.logits(entry, batch.attention, rule, hook, batch.lengths))

    def _in_order(self, logits: Tensor) -> Tensor:
        """(B, K) the network's outputs in the order of `labels`."""
        if self._columns is None:
            return logits
        # A list as an index would be copied to the device, which waits.
        return torch.stack([logits[:, column] for column in self._columns], dim=1)

    def _enter(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, T, D) the output of the embedding block: tokens, positions and segments, normalised."""
        if self._is_open():
            return self._block(input_ids=None, inputs_embeds=embeddings, **self._segments(batch))
        return self._by_length(embeddings, batch, self._entered, of_tokens=True)

    def _entered(self, embeddings: Tensor, batch: Batch) -> Tensor:
        entered: list[Tensor] = []

        def keep(output: Tensor) -> Tensor:
            entered.append(output[:, : embeddings.shape[1]])
            raise _Entered

        # The block is reached through the network, which knows how to call it; the layers are not run.
        with self._hook(keep), suppress(_Entered):
            self._forward(embeddings, batch)
        return entered[0]

    def _logits_from_entry(self, entry: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from the output of the embedding block."""
        if self._is_open():
            return self._open_logits(entry, batch, AUTOGRAD, no_hook)
        return self._module_logits(entry, batch)

    def _module_logits(self, entry: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from the output of the embedding block, by the network's modules."""
        return self._by_length(entry, batch, self._exchanged)

    def _exchanged(self, entry: Tensor, batch: Batch) -> Tensor:
        # The block is called as ever, on anything of the right shape, and its answer exchanged.
        unread = torch.zeros_like(self._embed(torch.zeros_like(batch.ids)))
        with self._hook(lambda output: torch.cat([entry, output[:, entry.shape[1] :]], dim=1)):
            return self._network_logits(unread, batch)

    def _by_length(
        self,
        values: Tensor,
        batch: Batch,
        call: Callable[[Tensor, Batch], Tensor],
        *,
        of_tokens: bool = False,
    ) -> Tensor:
        """The answers of `call` to ids (B, T) or embeddings (B, T, D), rows of one length at a time."""
        width = batch.ids.shape[1]
        parts = [(rows, call(values[rows, : part.ids.shape[1]], part)) for rows, part in self._parts(batch)]
        return rejoin(parts, width if of_tokens else None)

    def _parts(self, batch: Batch) -> list[tuple[Tensor, Batch]]:
        rows = torch.arange(len(batch.ids), device=batch.ids.device)
        if self.access.padding and (self.network.training or hasattr(self, "open_logits")):
            return [(rows, batch)]
        if self.access.embeddings:
            return unpadded(batch)
        if getattr(self._config, "pad_token_id", None) is None:
            return unpadded(batch, rows)
        # BART and T5 answer at the last end of a text and refuse rows that have it unequally often.
        return unpadded(batch, (batch.ids == self.end_id).sum(dim=1))

    @property
    def _config(self) -> PretrainedConfig:
        """The configuration of what reads texts."""
        return self.network.config.get_text_config()

    @contextmanager
    def _hook(self, exchange: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Exchange what the embedding block answers to the embeddings of a row."""

        def hook(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: Tensor):
            # BigBird and Longformer lengthen rows, for which they call the block on padding tokens.
            of_row = any(
                isinstance(value, Tensor) and value.is_floating_point() for value in (*args, *kwargs.values())
            )
            return exchange(output) if of_row else output

        with NETWORK_LOCK:
            handle = self._block.register_forward_hook(hook, with_kwargs=True)
            try:
                yield
            finally:
                handle.remove()

    def _activations(self, batch: Batch) -> dict[str, Tensor]:
        """The output of the embedding module and of each layer (B, T, D), and the logits."""
        values = self._embed(batch.ids) if self.access.embeddings else batch.ids
        layers: list[list[tuple[Tensor, Tensor]]] = []
        logits: list[tuple[Tensor, Tensor]] = []
        for rows, part in self._parts(batch):
            output = self._forward(values[rows, : part.ids.shape[1]], part, output_hidden_states=True)
            layers.append([(rows, layer) for layer in output.hidden_states])
            logits.append((rows, output.logits))
        first, *rest = (rejoin(parts, batch.ids.shape[1]) for parts in zip(*layers, strict=True))
        named = {"embedding": first, **{f"layer_{n}": layer for n, layer in enumerate(rest, start=1)}}
        return {**named, "logits": rejoin(logits)}

    def _word_masks(self) -> NDArray[np.float32]:
        return word_mask(self.network).masks()

    def word_names(self) -> dict[int, str]:
        special = set(self.tokenizer.all_special_ids)
        return {id: word for word, id in self.tokenizer.get_vocab().items() if id not in special}

    def write_files(self, folder: Path) -> None:
        """Write what `Transformer.restore` reads."""
        self.network.config.save_pretrained(folder)
        write_tokenizer(self.tokenizer, folder)
        self.access.write(folder)
        write_questions(folder, self)

    def _network_logits(self, values: Tensor, batch: Batch) -> Tensor:
        return self._forward(values, batch).logits

    def _forward(self, values: Tensor, batch: Batch, **options: bool):
        """The network's output for ids (B, T) or embeddings (B, T, D)."""
        inputs = {"inputs_embeds" if values.ndim == 3 else "input_ids": values, **self._segments(batch)}
        if "global_attention_mask" in self._parameters:
            # Longformer's own choice, which it makes from ids only.
            inputs["global_attention_mask"] = torch.zeros_like(batch.ids)
            inputs["global_attention_mask"][:, 0] = 1
        with turn(self.network, from_embeddings=values.ndim == 3):
            output = self.network(attention_mask=batch.attention.long(), **inputs, **options)
        output.logits = self._in_order(output.logits)
        return output

    def _segments(self, batch: Batch) -> dict[str, Tensor]:
        return {"token_type_ids": batch.segments} if self._takes_segments else {}


class _Entered(Exception):
    """The embedding block has answered; nothing behind it is needed."""


def pad_id(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token, of those who have none the end of a text."""
    config = network.config.get_text_config()
    found = (
        special_id(tokenizer, "pad"),
        getattr(config, "pad_token_id", None),
        special_id(tokenizer, "eos"),
    )
    return next((number for number in found if isinstance(number, int)), 0)


def special_id(tokenizer: PreTrainedTokenizerBase, role: str) -> int | None:
    """The number of a special token such as "mask"; None if the tokenizer has none."""
    number = getattr(tokenizer, f"{role}_token_id", None)
    return number if isinstance(number, int) else None
