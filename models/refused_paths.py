"""Paths that cannot be loaded: files that may run any code, and folders that are no checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from assay.tasks.errors import InputError

ESTIMATORS = frozenset({".cloudpickle", ".dill", ".joblib", ".pickle", ".pk", ".pkl", ".sav"})
NETWORKS = frozenset({".bin", ".ckpt", ".pt", ".pth"})
# What files of tokenizers are called, by transformers' own and by those of single networks.
TOKENIZER_FILES = ("tokenizer*", "*vocab*", "*.model", "*.spm", "bpe.codes", "dict.txt", "merges.txt")
# Names the files of weights that are cut into several.
INDEX = "model.safetensors.index.json"
# So many folders are named where several are checkpoints.
SHOWN = 5


def refuse_file(path: str, option: str = "model") -> None:
    """Raise InputError on a file where the folder of a checkpoint belongs, saying what to do instead."""
    suffix = Path(path).suffix.lower()
    if suffix in ESTIMATORS:
        advice = "load it in a function of your own and name that in a model's _target_"
    else:
        advice = (
            "save the network with save_pretrained as safetensors and give that folder, or load it by "
            "torch.load(..., weights_only=True) in a function of your own that returns a TorchAdapter"
        )
    if suffix in ESTIMATORS | NETWORKS:
        raise InputError(
            f"{option}.path={path} is a pickle, which may run any code when it is loaded, so Assay loads "
            f"none; {advice} (docs/own_data_and_model.md)"
        )
    if Path(path).is_file():
        raise InputError(f"{option}.path={path} is a file; expected the folder of a checkpoint")


def refuse_folder(path: str, option: str = "model", *, weights: bool = True) -> None:
    """Raise InputError on a folder that is no checkpoint, saying what it lacks; on anything else do nothing.

    weights: whether it must have weights, which are looked at but not read.
    """
    folder = Path(path)
    if not folder.is_dir():
        return
    if weights:
        _check_weights(folder, option)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{option}.path={path} has no config.json; expected the folder of a checkpoint, as "
            "save_pretrained writes it"
        )
    if not any(any(folder.glob(pattern)) for pattern in TOKENIZER_FILES):
        # transformers would make up a tokenizer that knows no words.
        raise InputError(
            f"{option}.path={path} has no tokenizer; put its files (tokenizer.json) beside the weights, as "
            "its save_pretrained does"
        )


def _check_weights(folder: Path, option: str) -> None:
    """Raise InputError on several checkpoints, and on weights that are pickles, torn or not there."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{file} cannot be read as safetensors, so it is not whole; download or save the checkpoint "
                "again"
            ) from error
    if _names_weights(folder) or (folder / "model.safetensors").is_file():
        return
    if (folder / INDEX).is_file():
        _check_shards(folder, option)
        return
    below = sorted(file.parent.name for file in folder.glob("*/config.json"))
    if below and not (folder / "config.json").exists():
        several = f"{', '.join(below[:SHOWN])}{', ...' if len(below) > SHOWN else ''}"
        raise InputError(
            f"{option}.path={folder} is no checkpoint, as it has no config.json, but folders in it are: "
            f"{several}; give one of them, such as {option}.path={folder / below[-1]}"
        )
    written = [*sorted(folder.glob("pytorch_model*")), *sorted(folder.glob("model*"))]
    pickled = [file.name for file in written if file.suffix.lower() in NETWORKS]
    if pickled:
        raise InputError(
            f"{option}.path={folder} holds its weights as a pickle ({pickled[0]}), which may run any code "
            "when it is loaded, so Assay loads none; if you trust it, load it with transformers elsewhere, "
            "write it with save_pretrained, which makes safetensors, and give that folder "
            "(docs/own_data_and_model.md)"
        )
    if (folder / "config.json").is_file():
        stray = next((file.name for file in sorted(folder.glob("*.safetensors"))), None)
        if stray is not None:
            raise InputError(
                f"{option}.path={folder} has weights in {stray}, which is not read; expected "
                "model.safetensors, as save_pretrained writes it, so save the checkpoint again"
            )
        raise InputError(
            f"{option}.path={folder} has no weights (*.safetensors); expected the folder of a checkpoint, as "
            "save_pretrained writes it"
        )


def _names_weights(folder: Path) -> bool:
    """Whether a configuration says by which other name transformers reads the weights."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("transformers_weights") is not None


def _check_shards(folder: Path, option: str) -> None:
    """Raise InputError on an index of weights that names files which are not there."""
    index = folder / INDEX
    try:
        named = sorted(
            {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{index} cannot be read as an index of weights; download or save the checkpoint again"
        ) from error
    missing = [name for name in named if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{option}.path={folder} lacks {len(missing)} of its {len(named)} files of weights, such as "
            f"{missing[0]}; download or save the checkpoint again"
        )
