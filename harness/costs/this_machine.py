"""What an experiment needs and this machine lacks, which may be there where it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from assay.harness.costs.unloaded import checkpoint_here
from assay.harness.trials.census import TrialPreview
from assay.models.refused_paths import refuse_folder
from assay.models.staging import check_device
from assay.tasks.errors import InputError

# Without one of these a path that does not exist may be a name of the Hugging Face hub.
OF_FILES = ("/", "./", "../", "~")


def lacking(configs: Iterable[DictConfig], previews: Sequence[TrialPreview]) -> list[str]:
    """A sentence for every device and every folder of a checkpoint that a job here would not find or refuse.

    Args:
        configs: of the experiment's trials.
        previews: of those trials whose texts can be read.
    """
    told = [sentence for config in configs for sentence in _of(config)]
    return list(dict.fromkeys([*told, *(sentence for each in previews for sentence in _of_head(each))]))


def _of(config: DictConfig) -> Iterator[str]:
    try:
        check_device(config.engine.device, "engine.device")
    except InputError as error:
        yield str(error)
    path = config.model.get("path")
    if not isinstance(path, str):
        return
    if path.startswith(OF_FILES) and not Path(path).expanduser().exists():
        yield f"model.path={path} does not exist here; expected the folder of a checkpoint"
        return
    from assay.models.checkpoint import checkpoint_source  # which imports transformers

    try:
        checkpoint_source(path, config.model.get("revision"))
        refuse_folder(path, weights=config.model.get("pretrained", True))
    except InputError as error:
        yield str(error)


def _of_head(preview: TrialPreview) -> Iterator[str]:
    """What a checkpoint in a folder answers that its task does not ask, or reads otherwise than texts."""
    found = checkpoint_here(preview.trial.config.model)
    if found is None:
        return
    spec, path = found
    from transformers import AutoConfig

    from assay.models.checkpoint import own_tokenizer, quiet
    from assay.models.transformer import check_vocabulary

    try:
        with quiet():
            config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        spec.check_config(config, preview.trial.task)
        if (tokenizer := own_tokenizer(path)) is not None:
            check_vocabulary(config, tokenizer, f"the checkpoint {path}")
    except InputError as error:
        yield str(error)
    except (OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        yield f"model.path={path} is not a checkpoint that can be loaded: {reason}"
