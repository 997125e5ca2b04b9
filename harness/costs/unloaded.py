"""What the files of a model that is not loaded tell: no weights are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from assay.harness.config.build import build

if TYPE_CHECKING:
    from assay.models.transformer import Transformer

# Special tokens that are capabilities of a model.
ROLES = ("mask", "unk")


def checkpoint_here(model: DictConfig) -> tuple[Transformer, str] | None:
    """The setting of a model that is a checkpoint in a folder here, with the folder; None of others."""
    path = model.get("path")
    if not isinstance(path, str) or not (Path(path) / "config.json").is_file():
        return None
    from assay.models.transformer import Transformer  # which imports transformers

    spec = build(model)
    return (spec, path) if isinstance(spec, Transformer) else None


def absent_capabilities(model: DictConfig) -> frozenset[str]:
    """What a model will not have, by the tokenizer in its folder: a mask token, a token for unknown words.

    Args:
        model: the settings of a model.

    Returns:
        Names as of `assay.models.protocol.capabilities`; none where no file tells.
    """
    found = checkpoint_here(model)
    if found is None:
        return frozenset()
    from assay.models.checkpoint import own_tokenizer
    from assay.models.transformer_model import special_id

    tokenizer = own_tokenizer(found[1])
    if tokenizer is None:
        return frozenset()
    return frozenset(f"{role}_token" for role in ROLES if special_id(tokenizer, role) is None)
