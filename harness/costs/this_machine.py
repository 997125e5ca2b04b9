"""What an experiment needs and this machine lacks, which may be there where it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from omegaconf import DictConfig

from assay.models.pickles import refuse_file, refuse_folder
from assay.models.staging import check_device
from assay.tasks.errors import InputError

# Without one of these a path that does not exist may be a name of the Hugging Face hub.
OF_FILES = ("/", "./", "../", "~")


def lacking(configs: Iterable[DictConfig]) -> list[str]:
    """A sentence for every device and every folder of a checkpoint that a job here would not find or refuse.

    Args:
        configs: of the experiment's trials.
    """
    return list(dict.fromkeys(sentence for config in configs for sentence in _of(config)))


def _of(config: DictConfig) -> Iterator[str]:
    try:
        check_device(config.engine.device, "engine.device")
    except InputError as error:
        yield str(error)
    path = config.model.get("path")
    if not isinstance(path, str):
        return
    try:
        refuse_file(path)
        refuse_folder(path)
    except InputError as error:
        yield str(error)
    if path.startswith(OF_FILES) and not Path(path).expanduser().exists():
        yield f"model.path={path} does not exist here; expected the folder of a checkpoint"
