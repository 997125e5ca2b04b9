"""Every file of conf/model builds what it names and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import assay.conf as conf

FILES = sorted(Path(conf.__file__).parent.joinpath("model").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_build_with_their_defaults_spelled_out(file: Path):
    text = file.read_text(encoding="utf-8")
    settings = OmegaConf.create(text)
    spec = instantiate(settings)
    assert text.startswith("# ") and spec.name == file.stem
    assert set(settings) - {"_target_"} == set(type(spec).__dataclass_fields__)


def test_all_models_are_there():
    names = {file.stem for file in FILES}
    assert names >= {"linear", "maxpool", "cnn", "lstm", "transformer", "minilm"}
