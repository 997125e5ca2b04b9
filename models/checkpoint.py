"""Checkpoints: where they are, whether they hold all of their weights, and how many tokens they read."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as library

from assay.models.refused_paths import TOKENIZER_FILES, refuse_file
from assay.tasks.errors import InputError

NAMED = 3  # How many tensors a message names.
UNLIMITED = 10**6
# What peft writes beside the weights of an adapter.
ADAPTER_FILE = "adapter_config.json"

# What encoders are pretrained with. A classifier does without, so it may be left over beside a whole one.
PRETRAINING_HEADS = frozenset(
    {
        *("cls", "final_logits_bias", "lm_head", "lm_loss", "mlm", "pooler", "pred_layer", "predictions"),
        *("discriminator_predictions", "generator_predictions", "mask_predictions", "sop_classifier"),
        *("vocab_layer_norm", "vocab_projector", "vocab_transform"),
    }
)
# Their last layer has the name of a classifier's, and answers something else.
OTHER_HEADS = ("ForTokenClassification", "ForMultipleChoice")


def checkpoint_source(path: str, revision: str | None, option: str = "model") -> str:
    """The folder, or the hub name that has a fixed version.

    option: the group of settings that `path` and `revision` are of. Raises InputError on a file, a folder
    with an adapter, or a name whose version may move.
    """
    if Path(path).is_dir():
        _refuse_adapter(path, option)
        return path
    refuse_file(path, option)
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise InputError(
            f"{option}.path={path} is not a folder, so it is read as a hub name, which needs a fixed "
            f"version, but {option}.revision is {revision!r}; correct the path, or set "
            f"{option}.revision=<commit>, all 40 digits of it, because a branch or tag may move"
        )
    return path


def _refuse_adapter(folder: str, option: str) -> None:
    """Raise InputError on a folder with an adapter (LoRA and the like), whose base model lies elsewhere and,
    if peft is installed, would be loaded in place of weights in the folder."""
    path = Path(folder) / ADAPTER_FILE
    if not path.is_file():
        return
    try:
        base = json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = "not named"
    whole = any(Path(folder).glob("model*.safetensors"))
    merged = f"; if the weights beside it are the merged ones, delete {ADAPTER_FILE}" if whole else ""
    raise InputError(
        f"{option}.path={folder} holds an adapter such as LoRA ({ADAPTER_FILE}), not a model with all its "
        f"weights; load its base model ({base}) as `base`, with as many labels, merge the two by "
        f"peft.PeftModel.from_pretrained(base, {folder!r}).merge_and_unload().save_pretrained('merged'), "
        f"save the tokenizer there, too, and set {option}.path=merged{merged}"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from announcing what is expected here, such as a missing classification head."""
    verbosity, bar = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bar:
            library.enable_progress_bar()


def own_tokenizer(folder: str) -> PreTrainedTokenizerBase | None:
    """The tokenizer in a checkpoint's folder; None where there is none that can be read.

    Example:
        >>> own_tokenizer("no/such/folder")
    """
    if not any(any(Path(folder).glob(pattern)) for pattern in TOKENIZER_FILES):
        return None
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, KeyError, ValueError, RuntimeError):
        return None


def own_memory(network: PreTrainedModel) -> None:
    """Copy the weights out of the mapped file, whose odd alignment changes the last bits of some products:
    a model must answer alike before it is saved and after it is loaded."""
    for parameter in network.parameters():
        parameter.data = parameter.data.clone()


def has_trained_head(
    network: PreTrainedModel,
    report: Mapping[str, Any],
    architectures: Sequence[str],
    *,
    new_head: bool,
    path: str,
) -> bool:
    """Whether a loaded network's classification head is the checkpoint's own.

    Args:
        network: as it was loaded.
        report: the library's loading info: missing, unexpected and mismatched keys.
        architectures: of the checkpoint's config.json.
        new_head: whether a head drawn from the seed is wanted where the checkpoint has none.
        path: the checkpoint's, for messages.

    Raises:
        InputError: if weights would be random, or weights of the file unread, in what is used as trained.
    """
    missing = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    left_over = set(report["unexpected_keys"])
    in_encoder = {name for name in missing if _of_encoder(network, name)}
    if in_encoder:
        raise InputError(_broken(path, "the encoder", in_encoder, left_over))
    declared = any(name.endswith("ForSequenceClassification") for name in architectures)
    if declared and missing:
        raise InputError(
            _broken(path, "the classification head that its config.json names", missing, left_over)
        )
    if missing and not new_head:
        raise InputError(
            f"the checkpoint {path} has no trained classification head (it lacks {_some(missing)}), so its "
            "answers would be random; choose a finished classifier, or train it with model.training.epochs"
        )
    other = any(name.endswith(OTHER_HEADS) for name in architectures)
    if other and not missing and not new_head:
        raise InputError(
            f"the checkpoint {path} is a {', '.join(architectures)}, whose head does not classify texts; "
            "choose a finished classifier, or train it with model.training.epochs"
        )
    own_head = not missing and not other
    unread = {name for name in left_over if _of_encoder(network, name, bare=True)}
    if own_head:
        unread |= {name for name in left_over if name.split(".")[0] not in PRETRAINING_HEADS}
        unread = {name for name in unread if "pooler" not in name.split(".")}
    if unread:
        raise InputError(
            f"the checkpoint {path} has {_some(unread)}, which its network ({type(network).__name__}) does "
            "not read, so it would not answer as trained; expected weights and config.json of one model"
        )
    return own_head


def _of_encoder(network: PreTrainedModel, name: str, *, bare: bool = False) -> bool:
    """Whether a tensor is part of what every head stands on; a pooler belongs to the head.

    bare: whether the name may lack the encoder's prefix, as in the file of an encoder alone.
    """
    prefix = f"{network.base_model_prefix}."
    parts = name.removeprefix(prefix).split(".")
    children = {child for child, _ in network.base_model.named_children()}
    within = name.startswith(prefix) or (bare and parts[0] in children)
    return within and "pooler" not in parts


def _broken(path: str, part: str, missing: Collection[str], left_over: Collection[str]) -> str:
    rest = f", and it has {_some(left_over)}, which the network does not read" if left_over else ""
    return (
        f"the checkpoint {path} lacks weights of {part}, or has them in another shape: {_some(missing)}"
        f"{rest}; expected weights and config.json of one model, download or save it again"
    )


def _some(names: Iterable[str]) -> str:
    """A few names and how many there are."""
    named = sorted(names)
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"{', '.join(named[:NAMED])}{more}"


def most_tokens(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The most tokens a checkpoint reads, special tokens included.

    The smallest of what its tokenizer, its configuration and its position embeddings allow. A tokenizer
    that sets no limit gives an astronomical number, a model with relative positions -1 or nothing.
    """
    limits = [int(tokenizer.model_max_length), UNLIMITED]
    declared = getattr(network.config, "max_position_embeddings", None)
    if isinstance(declared, int) and declared > 0:
        limits.append(declared)
    for name, module in network.base_model.named_modules():
        if "position" in name.rpartition(".")[2] and hasattr(module, "padding_idx"):
            # RoBERTa counts from behind the padding's place in the table, BART from a fixed one.
            padding, offset = getattr(module, "padding_idx", None), getattr(module, "offset", 0)
            first = offset or (padding + 1 if isinstance(padding, int) else 0)
            limits.append(len(module.get_parameter("weight")) - first)
    return min(limits)
