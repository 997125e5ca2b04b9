"""A tiny random network for every row of the table of layouts, and for settings that change how it runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from assay.models.seeding import seeded
from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Task

SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "dim"), 16),
    **dict.fromkeys(("num_hidden_layers", "n_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_heads"), 2),
    **dict.fromkeys(("intermediate_size", "hidden_dim"), 24),
    **{"max_position_embeddings": 40, "initializer_range": 0.3, "pad_token_id": 0, "type_vocab_size": 2},
}


@dataclass(frozen=True, eq=False)
class OpenNetwork:
    """An architecture by its name in transformers, and settings that differ from the usual small ones."""

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path, tokenizer_folder: Path, task: Task) -> Path:
        """A folder with weights, configuration and tokenizer of a finished classifier."""
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
        usual = AutoConfig.for_model(self.architecture)
        known = {name: value for name, value in SMALL.items() if hasattr(usual, name)} | self.options
        config = AutoConfig.for_model(self.architecture, vocab_size=len(tokenizer), **known)
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: at for at, label in enumerate(task.labels)}
        with seeded(3):
            network = AutoModelForSequenceClassification.from_config(config)
            # So that no bias is 0, no weight of a norm 1, and no head answers 0 to everything.
            for parameter in network.parameters():
                parameter.data += 0.1 * torch.randn_like(parameter)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    def model(self, folder: Path, tokenizer_folder: Path, task: Task) -> TransformerModel:
        """The model of that folder, its weights frozen."""
        path = str(self.save(folder, tokenizer_folder, task))
        made = Transformer(path=path, training=Training(epochs=0)).untrained(task, 0)
        made.network.requires_grad_(False)
        return made


# More groups of layers than one, each layer used twice or several in a group; another function.
_GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 1, "hidden_act": "gelu"}
# Buckets so few that distances share them in short texts.
_DEBERTA: dict[str, Any] = {
    **{"relative_attention": True, "position_buckets": 6, "pos_att_type": ["p2c", "c2p"]},
    **{"share_att_key": True, "norm_rel_ebd": "layer_norm", "position_biased_input": False},
}
# Without buckets, and further texts than distances.
_SEPARATE = {
    "share_att_key": False,
    "norm_rel_ebd": "none",
    "position_buckets": -1,
    "max_relative_positions": 5,
}
# Of three layers the first reads all tokens and the others two to either side.
_MODERN: dict[str, Any] = {"num_hidden_layers": 3, "local_attention": 4, "max_position_embeddings": 64}
_MODERN |= dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 2)
_BIASES = {**dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), True)}
OPEN_NETWORKS = {
    "bert": OpenNetwork("bert"),
    "roberta": OpenNetwork("roberta"),
    "xlm_roberta": OpenNetwork("xlm-roberta"),
    "electra": OpenNetwork("electra", {"embedding_size": 8}),
    "electra_unprojected": OpenNetwork("electra", {"embedding_size": 16}),
    "distilbert": OpenNetwork("distilbert"),
    "albert": OpenNetwork("albert", {"embedding_size": 8, "inner_group_num": 2, "hidden_act": "gelu_new"}),
    "albert_groups": OpenNetwork("albert", {"embedding_size": 8} | _GROUPS),
    "deberta_v3": OpenNetwork("deberta-v2", _DEBERTA),
    "deberta_v2": OpenNetwork("deberta-v2", _DEBERTA | _SEPARATE),
    "deberta_v2_c2p": OpenNetwork("deberta-v2", _DEBERTA | {"pos_att_type": ["c2p"]}),
    "modernbert": OpenNetwork("modernbert", _MODERN),
    "modernbert_mean": OpenNetwork("modernbert", _MODERN | {"classifier_pooling": "mean", **_BIASES}),
}
# Those that vary the settings of another, or whose layers are another's: the slow tests have them.
VARIANTS = {
    *("roberta", "xlm_roberta", "electra_unprojected", "albert_groups"),
    *("deberta_v2", "deberta_v2_c2p", "modernbert"),
}
# Those that differ most from BERT, for tests that take long.
USUAL = ("deberta_v3", "modernbert_mean")


def networks(quick: Collection[str]) -> list[Any]:
    """All names as parameters of a test, those that are not quick marked as slow."""
    slow = pytest.mark.slow
    return [name if name in quick else pytest.param(name, marks=slow) for name in OPEN_NETWORKS]
