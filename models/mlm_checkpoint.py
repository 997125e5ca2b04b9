"""A masked language model from a Hugging Face checkpoint with the tokenizer of a classifier."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from assay.models.batching import unpadded
from assay.models.checkpoint import checkpoint_source, most_tokens, own_memory, quiet
from assay.models.network_turn import turn
from assay.models.protocol import Batch, Model
from assay.models.refused_paths import refuse_folder
from assay.models.saving import check_finite
from assay.models.transformer_model import TransformerModel, pad_id
from assay.tasks.errors import InputError

OPTION = "baseline.mlm"


class CheckpointMLM:
    """A network with a masked language model's head (assay.models.masked_lm.MaskedLM)."""

    def __init__(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, mask_id: int, name: str
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self._name = name
        self._limit = most_tokens(network, tokenizer)
        self.mask_id, self.pad_id = mask_id, pad_id(network, tokenizer)
        special = set(tokenizer.all_special_ids)
        self.ids: NDArray[np.int32] = np.array(
            sorted(number for number in tokenizer.get_vocab().values() if number not in special),
            dtype=np.int32,
        )
        parameters = inspect.signature(network.forward).parameters
        self._takes_segments = (
            "token_type_ids" in tokenizer.model_input_names
            and "token_type_ids" in parameters
            and getattr(network.config, "type_vocab_size", 2) > 1
        )

    def log_probabilities(self, batch: Batch, masked: Tensor) -> Tensor:
        """(M, C) over the whole vocabulary, of which special tokens have a share.

        Raises InputError on a row that is longer than the network reads.
        """
        if batch.ids.shape[1] > self._limit:
            raise InputError(
                f"{self._name} reads at most {self._limit} tokens, but a text has {batch.ids.shape[1]}; "
                "lower model.max_tokens, or choose another one"
            )
        of_row = masked.nonzero()[:, 0]
        chosen = torch.from_numpy(self.ids.astype(np.int64)).to(batch.ids.device)
        answers = torch.empty(len(of_row), len(chosen), dtype=torch.float64, device=batch.ids.device)
        # Rows of one length at a time: some networks read padding.
        for rows, part in unpadded(batch):
            inputs = {"token_type_ids": part.segments} if self._takes_segments else {}
            with turn(self.network):
                output = self.network(part.ids, attention_mask=part.attention.long(), **inputs)
            logits = output.logits[masked[rows, : part.ids.shape[1]]].double()
            answers[torch.isin(of_row, rows)] = torch.log_softmax(logits, dim=-1)[:, chosen]
        return answers


def load_mlm(path: str, revision: str | None, model: Model, device: str = "cpu") -> CheckpointMLM:
    """The masked language model of a folder, or of a hub name at a revision, for a classifier.

    Weights are read from safetensors only and no code of a checkpoint is run. Raises InputError, with the
    reason, on what is none, is not whole, or has another vocabulary than the classifier.
    """
    name = f"the masked language model {path}"
    source = checkpoint_source(path, revision, OPTION)
    refuse_folder(path, OPTION)
    options = {"revision": revision, "trust_remote_code": False}
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            network, report = AutoModelForMaskedLM.from_pretrained(
                source, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
            )
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{OPTION}.path={path} is not a masked language model that can be loaded (a folder or hub name "
            f"with config.json, a tokenizer and safetensors weights): {reason}"
        ) from error
    lacking = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if lacking:
        raise InputError(
            f"{name} lacks trained weights of its network ({', '.join(lacking[:3])}), so it would answer at "
            "random; expected a checkpoint with a masked language model's head"
        )
    mask_id = tokenizer.mask_token_id
    if not isinstance(mask_id, int):
        raise InputError(
            f"{name} has no mask token, so it was not trained to fill masked places; choose another"
        )
    _check_vocabulary(tokenizer, model, name)
    own_memory(network)
    check_finite(network.state_dict(), f"the weights of {name}")
    known, highest = int(network.config.vocab_size), max(tokenizer.get_vocab().values())
    if highest >= known:
        raise InputError(
            f"{name} knows {known} tokens, but its tokenizer counts up to {highest}; save both anew"
        )
    return CheckpointMLM(network.to(device), tokenizer, mask_id, name)


def _check_vocabulary(tokenizer: PreTrainedTokenizerBase, model: Model, name: str) -> None:
    """Raise InputError unless the classifier reads the same tokens under the same numbers."""
    if not isinstance(model, TransformerModel):
        raise InputError(
            f"{name} reads pieces of words, but the classifier has a vocabulary of its own; leave out "
            f"{OPTION}.path to train one on the task's texts, or choose a transformer with that tokenizer"
        )
    theirs, ours = tokenizer.get_vocab(), model.tokenizer.get_vocab()
    different = sorted(token for token in {*theirs, *ours} if theirs.get(token) != ours.get(token))
    if different:
        token = different[0]
        raise InputError(
            f"{name} has another vocabulary than the classifier: {len(different):,} tokens differ, such as "
            f"{token!r} (number {theirs.get(token)} there, {ours.get(token)} in the classifier); choose one "
            f"with the classifier's tokenizer, or leave out {OPTION}.path to train one on the task's texts"
        )
