"""Masked language models: trained on texts, and read from checkpoints made here."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertModel

import assay.models.masked_lm
import assay.models.mlm_training
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.mlm_checkpoint import load_mlm
from assay.models.mlm_quality import Counts, find_gaps, predict
from assay.models.mlm_training import train_mlm
from assay.models.saving import load, save
from assay.models.seeding import seeded
from assay.models.trained_mlm import MLMNetwork, TrainedMLM
from assay.models.training import Training
from assay.tasks.errors import InputError
from assay.tasks.example import Task

if TYPE_CHECKING:
    from assay.models.transformer_model import TransformerModel
    from assay.models.word_model import WordModel

SMALL = TrainedMLM(
    dimensions=16,
    units=12,
    layers=1,
    dropout=0.0,
    training=Training(epochs=30, batch_size=16, learning_rate=0.02, patience=5, mask_rate=0.3),
)
# "a b" and "c d" belong together, and so do the words in front of and behind them.
PAIRS = ["one a b two", "one c d two", "three a b four", "three c d four"] * 12


@pytest.fixture(scope="module")
def model(word_model: Callable[..., WordModel]) -> WordModel:
    from assay.models.linear import Linear
    from assay.tasks.example import Example

    examples = tuple(Example(f"e{n}", (text,), (n % 2,)) for n, text in enumerate(PAIRS))
    return Linear(min_count=1).untrained(
        Task("pairs", ("x", "y"), examples, (), examples[:1], partial=True), 0
    )


def encode(model: Any, *texts: str) -> list[Any]:
    return model.encode([(text,) for text in texts])


def rows(model: Any, text: str, *masked: int) -> MaskedInputs:
    """A text with the words at some places masked."""
    (encoding,) = encode(model, text)
    ids = encoding.ids.copy()
    ids[list(masked)] = model.mask_id
    return MaskedInputs(ids[None], encoding.type_ids[None], np.array([len(ids)], dtype=np.int32))


def filled(model: Any, mlm: Any, pool: list[MaskedInputs], budget: int | None = None) -> list[np.ndarray]:
    """Per row in the order asked (P, C) probabilities at its masked places."""
    filling = Engine(model, budget=budget).fill(mlm, pool)
    found: dict[int, np.ndarray] = {}
    for batch in filling.batches:
        for row in np.unique(batch.rows).tolist():
            found[row] = np.exp(batch.log_probabilities[batch.rows == row])
    return [found[row] for row in filling.source.tolist()]


# Trained on texts


@pytest.fixture(scope="module")
def trained(model: WordModel):
    texts = encode(model, *PAIRS)
    return train_mlm(SMALL, model, texts, texts[:8])


def test_it_learns_what_stands_between_words(model: WordModel, trained) -> None:
    mlm, report = trained
    word = {int(number): model.vocabulary.words[number] for number in mlm.ids}
    (p,) = filled(model, mlm, [rows(model, "one a b two", 1)])
    assert word[int(mlm.ids[p[0].argmax()])] == "a" and p[0].max() > 0.9
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    # Of the first word nothing is known but that behind the second; the model sees both sides.
    (p,) = filled(model, mlm, [rows(model, "one a b two", 0)])
    assert {word[int(number)] for number in mlm.ids[np.argsort(-p[0])[:2]]} == {"one", "three"}
    assert report.model.perplexity < report.unigram.perplexity
    assert report.model.top_1 > report.unigram.top_1
    assert report.words == len(mlm.ids) == 8
    assert report.stopped in ("epochs", "perplexity") and 1 <= report.best_epoch <= len(report.epochs)


def test_the_references_are_counts(trained) -> None:
    _, report = trained
    # Each of "a", "b", "c", "d" is an eighth of the words, "one" and so on as well: 8 words of equal share.
    assert report.unigram.perplexity == pytest.approx(8)
    # Between its neighbours "a" is certain, but for the shares of what stood behind the left one, and at all.
    assert report.tokens == 32
    inner = 0.6 + 0.3 * np.array([0.5, 1.0]) + 0.1 / 8
    # A first word has the left neighbour "none" and a right one shared by two of them, and a last one alike.
    first = 0.6 * 0.5 + 0.3 * 0.5 + 0.1 / 8
    last = 0.6 * 0.5 + 0.3 * 0.5 + 0.1 / 8
    expected = np.exp(-np.mean(np.log([*inner, first, last])))
    assert report.trigram.perplexity == pytest.approx(expected)


def test_measuring_keeps_no_probabilities_of_all_words_for_all_gaps(word_model: Callable[..., Any]) -> None:
    from assay.models.linear import Linear
    from assay.tasks.example import Example

    words = [f"w{number}" for number in range(1000)]
    texts = [" ".join(words[start : start + 10]) for start in range(0, 1000, 10)] * 2
    examples = tuple(Example(f"e{n}", (text,), (n % 2,)) for n, text in enumerate(texts))
    task = Task("many", ("x", "y"), examples, (), examples[:1], partial=True)
    encodings = encode(Linear(min_count=1).untrained(task, 0), *texts)
    mlm = SMALL.untrained(Linear(min_count=1).untrained(task, 0), encodings)
    gaps = find_gaps(mlm, encodings)
    tracemalloc.start()
    try:
        ours, counts = predict(mlm, gaps), Counts(mlm, encodings)
        references = counts.unigram(gaps).mean(), counts.trigram(gaps).mean()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All of them in double precision would be 16 MB.
    assert (len(gaps.places), len(mlm.ids)) == (2000, 1000) and peak < 4e6
    assert ours.mean().perplexity > 500 and references[0].perplexity == pytest.approx(1000)
    # Every word has one left neighbour and one right one, or is at an end.
    assert references[1].top_1 == 1.0


def test_training_scores_no_more_places_at_once_than_memory_is_meant_for(
    model: WordModel, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = trained[0].network
    scored: list[int] = []
    scores = MLMNetwork.scores
    monkeypatch.setattr(
        MLMNetwork, "scores", lambda self, hidden: scored.append(len(hidden)) or scores(self, hidden)
    )
    weights = [network.embedding.weight, network.bias, network.dense.weight]
    places = torch.randn(20, len(weights[0][0]), generator=torch.Generator().manual_seed(0))
    choices = torch.arange(20) % len(network.choices)

    def gradients(values: int) -> tuple[float, list[torch.Tensor]]:
        monkeypatch.setattr(assay.models.masked_lm, "VALUES", values)
        for one in weights:
            one.requires_grad_(True).grad = None
        hidden = places @ weights[2][:, : places.shape[1]].T
        loss = assay.models.mlm_training._backward(network, hidden, choices)
        found = [one.grad for one in weights if one.grad is not None]
        for one in weights:
            one.requires_grad_(False).grad = None
        return loss, found

    whole, in_parts = gradients(2**24), gradients(6 * len(network.choices))
    assert scored == [20, 6, 6, 6, 2]
    assert whole[0] == pytest.approx(in_parts[0], rel=1e-6)
    assert len(whole[1]) == 3
    for one, other in zip(whole[1], in_parts[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_running_out_of_memory_in_training_is_said(model: WordModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(MLMNetwork, "hidden", full)
    texts = encode(model, *PAIRS)
    with pytest.raises(
        InputError, match=r"memory on a batch of 16 texts of up to 4 tokens; lower baseline\.mlm\.trained\.tr"
    ):
        train_mlm(SMALL, model, texts, texts[:8])


def test_special_tokens_and_unknown_words_are_never_expected(toy_pair_task: Task, word_model) -> None:
    classifier = word_model("linear", task=toy_pair_task)
    texts = classifier.encode([example.texts for example in toy_pair_task.train])
    mlm = SMALL.untrained(classifier, texts)
    assert not {classifier.pad_id, classifier.mask_id, classifier.unk_id, 3} & set(mlm.ids.tolist())
    # A word that no training text has is read as the unknown one.
    unseen = torch.tensor([[classifier.unk_id, 10**6]])
    assert len(set(mlm.rows_of(unseen).flatten().tolist())) == 1


def test_answers_depend_on_nothing_but_the_row(model: WordModel, trained) -> None:
    mlm, _ = trained
    texts = "one a b two", "a b", "three c d four one a b"
    pool = [rows(model, text, place) for text in texts for place in (0, 1)]
    together = filled(model, mlm, pool)
    for one, alone in zip(together, (filled(model, mlm, [row])[0] for row in pool), strict=True):
        np.testing.assert_allclose(one, alone, rtol=0, atol=1e-6)
    for one, again in zip(together, filled(model, mlm, pool, budget=5), strict=True):
        np.testing.assert_allclose(one, again, rtol=0, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_they_are_saved(model: WordModel, trained, tmp_path) -> None:
    mlm, report = trained
    texts = encode(model, *PAIRS)
    again, second = train_mlm(SMALL, model, texts, texts[:8])
    other, _ = train_mlm(replace(SMALL, seed=1), model, texts, texts[:8])
    assert replace(second, cpu_seconds=0.0) == replace(report, cpu_seconds=0.0)
    state, equal, different = (one.network.state_dict() for one in (mlm, again, other))
    assert all(torch.equal(state[name], equal[name]) for name in state)
    assert not torch.equal(state["dense.weight"], different["dense.weight"])
    save(mlm, tmp_path / "mlm")
    back = load(tmp_path / "mlm")
    assert back.tokens == mlm.tokens and back.spec == mlm.spec
    pool = [rows(model, "one a b two", 1)]
    np.testing.assert_array_equal(filled(model, back, pool), filled(model, mlm, pool))


def test_training_that_was_stopped_goes_on_to_the_same_weights(
    model: WordModel, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, resume = encode(model, *PAIRS), tmp_path / "state"
    epoch = assay.models.mlm_training._epoch

    def stop(*arguments: Any) -> Any:
        if arguments[4] == 5:
            raise KeyboardInterrupt
        return epoch(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(assay.models.mlm_training, "_epoch", stop)
        train_mlm(SMALL, model, texts, texts[:8], resume=resume)
    numbers: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(assay.models.mlm_training, "_epoch", lambda *a: numbers.append(a[4]) or epoch(*a))
        mlm, report = train_mlm(SMALL, model, texts, texts[:8], resume=resume)
    assert numbers[0] == 5 and len(report.epochs) == numbers[-1]
    assert replace(report, cpu_seconds=0.0) == replace(trained[1], cpu_seconds=0.0)
    whole, resumed = trained[0].network.state_dict(), mlm.network.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    # A file that is not whole is no state.
    resume.write_bytes(resume.read_bytes()[:100])
    again, _ = train_mlm(SMALL, model, texts, texts[:8], resume=resume)
    assert all(torch.equal(whole[name], value) for name, value in again.network.state_dict().items())


def test_training_ends_when_its_time_is_over(model: WordModel) -> None:
    texts = encode(model, *PAIRS)
    _, report = train_mlm(replace(SMALL, minutes=1e-9), model, texts, texts[:8])
    assert (report.stopped, len(report.epochs)) == ("time", 1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"units": 0}, "baseline.mlm.trained.units is 0; expected at least 1"),
        ({"minutes": 0.0}, "baseline.mlm.trained.minutes is 0.0; expected above 0"),
        ({"dropout": 1.0}, "baseline.mlm.trained.dropout is 1.0; expected 0 <= dropout < 1"),
        (
            {"training": Training(mask_rate=0.0)},
            "baseline.mlm.trained.training.mask_rate is 0.0; expected above",
        ),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainedMLM(**settings)
    assert str(caught.value).startswith(sentence)


def test_training_that_diverges_says_so(model: WordModel) -> None:
    texts = encode(model, *PAIRS)
    wild = replace(SMALL, training=replace(SMALL.training, learning_rate=1e30))
    with pytest.raises(InputError, match=r"diverged: in epoch 1 the loss is .*; lower baseline.mlm.trained"):
        train_mlm(wild, model, texts, texts[:8])


def test_texts_that_teach_nothing_are_refused(model: WordModel) -> None:
    texts = encode(model, *PAIRS)
    with pytest.raises(InputError, match="fewer than two different tokens"):
        train_mlm(SMALL, model, encode(model, "one one"), texts)
    with pytest.raises(InputError, match="no development text has a word of the training texts"):
        train_mlm(SMALL, model, texts, encode(model, "unheard"))


# Checkpoints


@pytest.fixture(scope="session")
def checkpoint(tiny_bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT's tokenizer, and a random network with a masked language model's head."""
    folder = tmp_path_factory.mktemp("tiny_mlm")
    with seeded(4):
        BertForMaskedLM(BertConfig.from_pretrained(tiny_bert_folder)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert_folder).save_pretrained(folder)
    return folder


def test_a_checkpoint_says_what_the_library_says(tiny_bert: TransformerModel, checkpoint: Path) -> None:
    mlm = load_mlm(str(checkpoint), None, tiny_bert)
    pool = [rows(tiny_bert, "the film seems wonderful", 2, 4), rows(tiny_bert, "a plot", 1)]
    network = BertForMaskedLM.from_pretrained(checkpoint).eval()
    for asked, found in zip(pool, filled(tiny_bert, mlm, pool), strict=True):
        with torch.inference_mode():
            logits = network(torch.from_numpy(asked.ids).long()).logits[0].double()
        places = np.flatnonzero(asked.ids[0] == tiny_bert.mask_id)
        expected = torch.softmax(logits[places], dim=-1).numpy()[:, mlm.ids]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    special = tiny_bert.tokenizer.all_special_ids
    assert not set(special) & set(mlm.ids.tolist())
    assert len(mlm.ids) == len(tiny_bert.tokenizer.get_vocab()) - len(special)


def changed(checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
    return folder


def test_another_vocabulary_is_refused_with_the_token(
    tiny_bert: TransformerModel, checkpoint: Path, tmp_path: Path
) -> None:
    folder = changed(checkpoint, tmp_path / "mlm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["zebra"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"another vocabulary than the classifier: 1 tokens differ, .* 'zebra'"
    ):
        load_mlm(str(folder), None, tiny_bert)


def test_a_classifier_of_words_is_refused(word_model, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="reads pieces of words, but the classifier has a vocabulary"):
        load_mlm(str(checkpoint), None, word_model("linear"))


def test_no_mask_token_is_said(tiny_bert: TransformerModel, checkpoint: Path, tmp_path: Path) -> None:
    folder = changed(checkpoint, tmp_path / "mlm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="has no mask token, so it"):
        load_mlm(str(folder), None, tiny_bert)


def test_broken_weights_are_said(tiny_bert: TransformerModel, checkpoint: Path, tmp_path: Path) -> None:
    folder = changed(checkpoint, tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("query.weight"))
    weights[name][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="contain NaN in"):
        load_mlm(str(folder), None, tiny_bert)


def test_an_encoder_without_a_head_is_refused(tiny_bert: TransformerModel, tiny_bert_folder: Path) -> None:
    assert BertModel.from_pretrained(tiny_bert_folder)
    with pytest.raises(InputError, match=r"lacks trained weights of its network .* at random"):
        load_mlm(str(tiny_bert_folder), None, tiny_bert)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("no/such/model", "baseline.mlm.path=no/such/model is not a folder, so it is read as a hub name"),
        ("weights.bin", "baseline.mlm.path=weights.bin is a pickle"),
    ],
)
def test_other_paths_are_refused(tiny_bert: TransformerModel, path: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        load_mlm(path, None, tiny_bert)
    assert str(caught.value).startswith(sentence)


def test_a_text_longer_than_it_reads_is_refused(
    tiny_bert: TransformerModel, tiny_bert_folder: Path, tmp_path: Path
) -> None:
    config = BertConfig.from_pretrained(tiny_bert_folder)
    config.max_position_embeddings = 8
    BertForMaskedLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_bert_folder).save_pretrained(tmp_path)
    mlm = load_mlm(str(tmp_path), None, tiny_bert)
    with pytest.raises(InputError, match="reads at most 8 tokens, but a text has 12"):
        filled(tiny_bert, mlm, [rows(tiny_bert, "the film " * 5, 1)])
