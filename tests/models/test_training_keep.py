"""The last epoch's weights instead of the best one's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.models.cnn import Cnn
from assay.models.prediction import encode_split, predict_logits, split_quality
from assay.models.saving import weights_hash
from assay.models.training import Training, fit
from assay.tasks.errors import InputError


def test_the_last_weights_are_kept_where_another_epoch_was_better(toy_task):
    """A rate so high that quality jumps about; the seed is one where the last epoch is not the best."""
    training = Training(epochs=12, batch_size=16, learning_rate=0.6, patience=12)
    spec = Cnn(dimensions=12, channels=6, widths=(2, 3), training=training)
    for seed in range(8):
        best, of_best = fit(spec, toy_task, seed)
        if of_best.best_epoch < len(of_best.epochs):
            break
    else:
        pytest.fail("every run ended with its best epoch, so this test would show nothing")
    last, of_last = fit(replace(spec, training=replace(training, keep="last")), toy_task, seed)
    assert of_last.epochs == of_best.epochs
    assert of_last.best_epoch == len(of_last.epochs)
    assert weights_hash(last) != weights_hash(best)
    split = encode_split(last, toy_task.dev)
    assert split_quality(last, split, predict_logits(last, split)).macro_f1 == of_last.epochs[-1].dev_macro_f1


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match=r"training\.keep is 'lats'; did you mean 'last'"):
        Training(keep="lats")
