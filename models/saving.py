"""Models on disk: a folder that is complete or absent, verified when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor

from assay.models.training import Trainable
from assay.tasks.errors import InputError
from assay.tasks.trust import is_inside

WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.json"
# Packages whose architectures may be built from a folder: classifiers, and what explainers train.
TRUSTED = ("assay.models", "assay.explainers.masks")


class Saveable(Trainable, Protocol):
    """A model that can be rebuilt: `spec` is a dataclass with `training` and a method
    `restore(folder, labels, *, multi_label)`, `write_files` writes what that method reads."""

    @property
    def spec(self) -> Any: ...
    def write_files(self, folder: Path) -> None: ...


def weights_hash(model: Trainable) -> str:
    """Hex sha256 over the names, types, shapes and bytes of all weights: equal prints mean equal models."""
    return _hash(model.network.state_dict())


def save(model: Saveable, folder: str | Path) -> None:
    """Write the model so that `load` rebuilds it without its training data or original checkpoint.

    The folder appears under its name only when everything is in it; one that exists is replaced.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu().clone().contiguous() for name, tensor in model.network.state_dict().items()}
    spec = model.spec
    description = {
        "spec": f"{type(spec).__module__}.{type(spec).__qualname__}",
        "settings": asdict(spec),
        "labels": list(model.labels),
        "multi_label": model.multi_label,
        "weights_sha256": _hash(state),
    }
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        model.write_files(unfinished)
        description["files"] = _file_digests(unfinished)
        # Not by `save_file`, whose errors, such as of a full disk, have no number.
        (unfinished / WEIGHTS_FILE).write_bytes(serialised(state))
        description["checksum"] = _checksum(description)
        text = json.dumps(description, indent=2, ensure_ascii=False, default=list)
        (unfinished / MODEL_FILE).write_text(text + "\n", encoding="utf-8")
        _put_in_place(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def load(folder: str | Path, device: str = "cpu", trusted: Sequence[str] = TRUSTED) -> Any:
    """The model of a folder, frozen and in eval mode.

    trusted: packages whose architectures may be built; name your own if you saved one of them. Raises
    InputError on a missing or altered file, and on weights that are not finite.
    """
    folder = Path(folder)
    description = _read_description(folder)
    for name, digest in description.get("files", {}).items():
        if not (folder / name).is_file() or _file_digest(folder / name) != digest:
            raise InputError(f"{folder / name} does not have the hash that {MODEL_FILE} names; train again")
    state = _read_weights(folder / WEIGHTS_FILE)
    if _hash(state) != description["weights_sha256"]:
        raise InputError(
            f"{folder / WEIGHTS_FILE} does not have the hash that {MODEL_FILE} names; train again"
        )
    check_finite(state, f"the weights in {folder}")
    spec = _build_spec(description, folder, trusted)
    model = spec.restore(folder, tuple(description["labels"]), multi_label=description["multi_label"])
    try:
        model.network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"the weights in {folder} do not fit the settings in {MODEL_FILE}; train again"
        ) from error
    # After the checks that say more precisely what does not fit.
    if description.get("checksum") != _checksum(description):
        raise InputError(f"{folder / MODEL_FILE} is not what was written (wrong checksum); train again")
    model.network.to(device).eval().requires_grad_(False)
    return model


def check_finite(state: Mapping[str, Tensor], what: str) -> None:
    """Raise InputError, naming the tensor, on a weight that is NaN or infinite."""
    for name, tensor in _tensors(state).items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            kind = "NaN" if torch.isnan(tensor).any() else "infinity"
            raise InputError(f"{what} contain {kind} in {name}; the training diverged or the file is broken")


def _hash(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(_tensors(state)):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _tensors(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The state of a network. Raises InputError, naming the part, where it is not made of tensors."""
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise InputError(
                f"the network's {name} is a {type(tensor).__name__}, not a tensor, as that of a quantised "
                "network; give the network before it was quantised, or a function from texts to probabilities"
            )
    return state


def _checksum(description: Mapping[str, Any]) -> str:
    """Hex sha256 over the content of a model's description."""
    content = {name: value for name, value in description.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()


def _file_digests(folder: Path) -> dict[str, str]:
    """Hex sha256 of every file in a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _file_digest(path) for path in files}


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _put_in_place(unfinished: Path, folder: Path) -> None:
    for file in unfinished.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    unfinished.chmod(0o755)
    if folder.exists():
        # A folder with content cannot be replaced in one step; the old one steps aside first.
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
        folder.replace(aside)
        shutil.rmtree(aside)
    unfinished.replace(folder)


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / MODEL_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        missing = {"spec", "settings", "labels", "multi_label", "weights_sha256"} - set(description)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"there is no model in {folder}: {MODEL_FILE} is missing") from error
    except (IsADirectoryError, UnicodeDecodeError, json.JSONDecodeError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not the JSON that a saved model has; train again") from error
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; train again")
    return description


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); train again") from error


def _build_spec(description: dict[str, Any], folder: Path, trusted: Sequence[str]) -> Any:
    module, _, name = str(description["spec"]).rpartition(".")
    if not is_inside(module, trusted):
        raise InputError(
            f"the model in {folder} is of {description['spec']}, outside the trusted packages "
            f"({', '.join(trusted)}); pass trusted=[...] if you know where it comes from"
        )
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the model in {folder} is of {description['spec']}, which does not exist"
        ) from error
    if not (isinstance(kind, type) and is_dataclass(kind) and hasattr(kind, "restore")):
        raise InputError(f"the model in {folder} is of {description['spec']}, which is not an architecture")
    settings = dict(description["settings"])
    for field in fields(kind):
        # Settings of their own, such as those of training.
        default = field.default_factory() if field.default_factory is not MISSING else None
        if is_dataclass(default) and field.name in settings:
            settings[field.name] = type(default)(**settings[field.name])
    unknown = set(settings) - {field.name for field in fields(kind)}
    if unknown:
        raise InputError(
            f"the settings of the model in {folder} are of another version: {', '.join(unknown)}"
        )
    return kind(**settings)
