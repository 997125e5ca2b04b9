"""The settings of the baseline `mlm`, and how it comes to its masked language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.marginal.candidates import Selection
from assay.explainers.marginal.mixture import Mixture, Mode, policy
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.masked_lm import MaskedLM
from assay.models.mlm_training import MLMReport, train_mlm
from assay.models.protocol import Model
from assay.models.trained_mlm import TrainedMLM, WordMLM
from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Example
from assay.tasks.sampling import rank

# Of training texts alone, one in so many is not trained on but measures the model.
HELD_OUT = 10


@dataclass(frozen=True, slots=True)
class MaskedLanguageModel(Selection, Baseline):
    """Absent tokens become what a masked language model expects there; outputs are means over these texts.

    sigma, top_k, mc_samples, draws, include_original, renormalise: as in `Selection`. seed: of draws.
    mode: joint, all absent tokens of a row are masked at once; independent, each is predicted from the text
    with it alone masked, so that its absent neighbours leak. Both agree where one token is absent.
    path: the folder of a masked language model with the classifier's tokenizer, or its hub name with
    `revision`; null for one that is trained on the task's training texts, as `trained` says.
    Source: Kim et al., EMNLP 2020 (Input Marginalization).
    """

    path: str | None = None
    revision: str | None = None
    mode: Mode = "joint"
    seed: int = 0
    trained: TrainedMLM = field(default_factory=TrainedMLM)
    # 2: texts to measure with are drawn by the seed of training, not by that of draws.
    version: ClassVar[int] = 2
    name: ClassVar[str] = Mixture.name
    needs: ClassVar[frozenset[str]] = Mixture.needs
    references: ClassVar[bool] = Mixture.references
    mixture: ClassVar[bool] = Mixture.mixture

    def __post_init__(self) -> None:
        # Slots make a new class, which `super()` does not know.
        Selection.__post_init__(self)
        check_choice("baseline.mlm.mode", self.mode, get_args(Mode))

    @property
    def policy(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """With the mode."""
        return policy(self.mode)

    @property
    def from_texts(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where no checkpoint is given."""
        return self.path is None

    def using(self, model: Model, mlm: MaskedLM) -> Mixture:
        """The baseline with a masked language model. Raises InputError where it is not the classifier's."""
        if mlm.mask_id != model.mask_id:
            raise InputError(
                f"the masked language model masks with token {mlm.mask_id}, the classifier with "
                f"{model.mask_id}, so they have different vocabularies; choose one with the classifier's "
                "tokenizer"
            )
        if not len(mlm.ids):
            raise InputError(
                "the masked language model has no token to put in: all of its vocabulary is special; choose "
                "another one"
            )
        return Mixture(mlm, self.mode, self, self.seed)

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Baseline:
        """Raises InputError without texts to train on, or on a folder that holds no model that fits."""
        if self.path is not None:
            # Slow to import, for the networks of transformers.
            from assay.models.mlm_checkpoint import load_mlm

            return self.using(engine.model, load_mlm(self.path, self.revision, engine.model, engine.device))
        return self.using(engine.model, self.train(engine, *self.split(sample, ()))[0])

    def split(
        self, train: Sequence[Example], dev: Sequence[Example]
    ) -> tuple[Sequence[Example], Sequence[Example]]:
        """Texts to train on and to measure with; where there are no others some of the training texts, by the
        seed of training, so that baselines which differ in draws alone share one training."""
        if dev:
            return train, dev
        ranked = sorted(train, key=lambda example: rank(example.id, self.trained.seed))
        held_out = -(-len(ranked) // HELD_OUT)
        return ranked[held_out:], ranked[:held_out]

    def train(
        self, engine: Engine, texts: Sequence[Example], dev: Sequence[Example], resume: Path | None = None
    ) -> tuple[WordMLM, MLMReport]:
        """A masked language model of training texts, and how good it is on development texts.

        resume: see assay.models.mlm_training.train_mlm. Raises InputError where there are no texts.
        """
        if not texts or not dev:
            raise InputError(
                "baseline 'mlm' trains a masked language model on the training texts, but there are too few; "
                "give the task some, or set baseline.mlm.path to the folder of one"
            )
        model = engine.model
        first, second = (model.encode([example.texts for example in part]) for part in (texts, dev))
        return train_mlm(self.trained, model, first, second, engine.device, resume)

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> MaskedInputs:
        raise InputError(
            "baseline 'mlm' has no masked language model yet; use what its `fitted(engine, examples)` returns"
        )
