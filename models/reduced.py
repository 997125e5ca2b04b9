"""A copy of a Hugging Face classifier whose encoder computes in bfloat16."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from assay.models.budget import out_of_memory
from assay.models.dense import bfloat16_is_native
from assay.models.protocol import Batch, EmbeddingModel, Model
from assay.models.transformer_model import TransformerModel
from assay.models.weight_state import WeightState, weight_states
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)

# Of a network whether it trains, and the state of each of its tensors.
State = tuple[bool, tuple[WeightState, ...]]


class Reduced:
    """The model as it is now, its encoder in bfloat16; it answers in float32.

    The pooler and the head stay in float32: they read one vector per text, so they cost nothing, and
    bfloat16 would round the logits to two or three digits. Softmax and normalisation sum in float32, as
    torch's kernels do. The model's own weights stay as they are.

    Attributes:
        copy: What answers.
        state: The weights that it is a copy of.

    Raises:
        InputError: A model that is no network of Hugging Face's.
    """

    def __init__(self, model: Model) -> None:
        check_reducible(model)
        assert isinstance(model, TransformerModel)
        tokenizer: Any = model.tokenizer
        self.state = _state(model)
        self.copy = deepcopy(model, {id(tokenizer): tokenizer})
        network = self.copy.network.requires_grad_(False)
        network.bfloat16()
        for part in _kept(network):
            part.float()
            for leaf in part.modules():
                if not any(True for _ in leaf.children()):
                    leaf.register_forward_pre_hook(_widen)
        # Rounding to bfloat16 and back is no way to the weights.
        for part, own in zip(_kept(network), _kept(model.network), strict=True):
            part.load_state_dict(own.state_dict())
        self.labels, self.multi_label = model.labels, model.multi_label
        self.pad_id, self.mask_id, self.unk_id = model.pad_id, model.mask_id, model.unk_id
        self.encode = model.encode
        self.network = network
        if isinstance(model, EmbeddingModel):
            self.embed = self._embed
            self.logits_from_embeddings = self._logits_from_embeddings

    def is_copy_of(self, model: Model) -> bool:
        """Whether the model is the one that was copied and has not been changed since."""
        return isinstance(model, TransformerModel) and self.state == _state(model)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits, float32. Raises InputError on a network that does not run in bfloat16."""
        with self._running():
            return self.copy.logits(batch).float()

    def _embed(self, ids: Tensor) -> Tensor:
        return self.copy.embed(ids)

    def _logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        with self._running():
            return self.copy.logits_from_embeddings(embeddings.bfloat16(), batch).float()

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, TypeError, NotImplementedError) as error:
            if out_of_memory(error):
                raise
            raise InputError(
                f"engine.precision: {type(self.network).__name__} does not run in bfloat16 "
                f"({str(error).splitlines()[0][:100]}); set engine.precision=float32"
            ) from error


def check_reducible(model: Model) -> None:
    """Raise InputError unless `Reduced` can copy the model; warn where the processor has no bfloat16."""
    if not isinstance(model, TransformerModel):
        raise InputError(
            f"engine.precision: {type(model).__name__} cannot be asked in bfloat16, only networks of Hugging "
            "Face can; set engine.precision=float32"
        )
    if model.network.device.type == "cpu" and not bfloat16_is_native():
        log.warning(
            "engine.precision: this processor has no instructions for bfloat16, so that it is slower in it "
            "than in float32"
        )


def _state(model: TransformerModel) -> State:
    """What changes when the weights do."""
    tensors = (*model.network.parameters(), *model.network.buffers())
    return model.network.training, tuple(weight_states(tensors, every=True))


def _kept(network: Any) -> list[nn.Module]:
    """The parts that stay in float32: all behind the encoder."""
    base = network.base_model
    beside = [part for part in network.children() if part is not base]
    pooler = getattr(base, "pooler", None)
    return [*beside, pooler] if isinstance(pooler, nn.Module) else beside


def _widen(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value
        for value in inputs
    )
