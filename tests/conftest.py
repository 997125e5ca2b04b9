"""Small tasks and models with known causes, shared by all tests; everything is built in code, offline."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from slow_variants import SLOW_VARIANTS

from assay.tasks.auxiliary import Auxiliary
from assay.tasks.example import Example, Rationale, Span, Task

if TYPE_CHECKING:
    from assay.models.transformer_model import TransformerModel
    from assay.models.word_model import WordModel

# Two threads gain nothing on models this small, and lose much when something else keeps a core busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Few of their tests take long, as they run commands; where they come last, one worker waits for the other.
SLOW_FIRST = ("tests/test_", "tests/harness/", "tests/results/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of slow tests first; otherwise in their order. Long variants are slow."""
    for item in items:
        if item.nodeid.startswith(SLOW_VARIANTS):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW_FIRST))


FILLER = [
    *("the", "a", "film", "plot", "scene", "actor", "story", "music"),
    *("seems", "with", "about", "today", "really", "again", "very"),
]
KEYWORDS = {
    "negative": ("awful", "boring", "dreadful"),
    "neutral": ("ordinary", "plain", "average"),
    "positive": ("wonderful", "brilliant", "delightful"),
}
TOPICS = {"price": ("cheap", "costly"), "food": ("soup", "bread"), "staff": ("waiter", "chef")}


def _sentence(rng: np.random.Generator, keywords: list[str], length: int) -> tuple[str, list[Span]]:
    """A text of `length` filler words with the keywords put in at random places, and where they lie."""
    words = [str(word) for word in rng.choice(FILLER, size=length)]
    for keyword in keywords:
        words.insert(int(rng.integers(len(words) + 1)), keyword)
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    spans = [Span(int(starts[words.index(k)]), int(starts[words.index(k)]) + len(k)) for k in keywords]
    return " ".join(words), spans


def _single(rng: np.random.Generator, split: str, count: int) -> tuple[Example, ...]:
    examples = []
    for n in range(count):
        label = n % len(KEYWORDS)
        keyword = str(rng.choice(list(KEYWORDS.values())[label]))
        text, spans = _sentence(rng, [keyword], int(rng.integers(2, 9)))
        examples.append(Example(f"{split}-{n}", (text,), (label,), (Rationale(tuple(spans)),)))
    return tuple(examples)


def _multi(rng: np.random.Generator, split: str, count: int) -> tuple[Example, ...]:
    examples = []
    for n in range(count):
        labels = tuple(label for label in range(len(TOPICS)) if (n >> label) & 1)
        keywords = [str(rng.choice(list(TOPICS.values())[label])) for label in labels]
        text, spans = _sentence(rng, keywords, int(rng.integers(2, 7)))
        rationales = tuple(Rationale((span,), label=label) for label, span in zip(labels, spans, strict=True))
        examples.append(Example(f"{split}-{n}", (text,), labels, rationales))
    return tuple(examples)


def _pairs(rng: np.random.Generator, split: str, count: int) -> tuple[Example, ...]:
    """Label 1 where both texts hold a positive word, 0 where the second holds a negative one."""
    examples = []
    for n in range(count):
        label = n % 2
        first, first_spans = _sentence(rng, [str(rng.choice(KEYWORDS["positive"]))], int(rng.integers(2, 6)))
        second_word = str(rng.choice(KEYWORDS["positive" if label else "negative"]))
        second, second_spans = _sentence(rng, [second_word], int(rng.integers(1, 5)))
        spans = (*first_spans, *(Span(s.start, s.end, 1) for s in second_spans))
        examples.append(Example(f"{split}-{n}", (first, second), (label,), (Rationale(spans),)))
    return tuple(examples)


@pytest.fixture(scope="session")
def toy_task() -> Task:
    """Three classes, each with three keywords among filler; the keyword is the rationale."""
    rng = np.random.default_rng(11)
    train, dev, test = (_single(rng, name, n) for name, n in (("train", 90), ("dev", 24), ("test", 24)))
    return Task("toy", tuple(KEYWORDS), train, dev, test)


@pytest.fixture(scope="session")
def toy_multi_label_task() -> Task:
    """Three labels that occur in all eight combinations; each label's keyword is its rationale."""
    rng = np.random.default_rng(12)
    train, dev, test = (_multi(rng, name, n) for name, n in (("train", 96), ("dev", 24), ("test", 24)))
    return Task("toy_multi_label", tuple(TOPICS), train, dev, test, multi_label=True)


@pytest.fixture(scope="session")
def toy_pair_task() -> Task:
    """Pairs of texts with two classes; the rationale has a span in each text."""
    rng = np.random.default_rng(13)
    train, dev, test = (_pairs(rng, name, n) for name, n in (("train", 60), ("dev", 20), ("test", 20)))
    return Task("toy_pairs", ("different", "same"), train, dev, test)


def with_questions(task: Task) -> Task:
    """The toy task with two questions, the second without an answer on every fourth training text: how long a
    text is, and the first letter of its keyword."""
    letters = tuple(sorted({word[0] for words in KEYWORDS.values() for word in words}))
    questions = (Auxiliary("length", ("short", "long")), Auxiliary("letter", letters))

    def asked(examples: tuple[Example, ...], every: int) -> tuple[Example, ...]:
        found = []
        for at, example in enumerate(examples):
            ((span,),) = (rationale.spans for rationale in example.rationales)
            letter = None if every and at % every == 0 else letters.index(example.texts[0][span.start])
            found.append(replace(example, auxiliary=(int(len(example.texts[0].split()) > 5), letter)))
        return tuple(found)

    train, dev, test = asked(task.train, 4), asked(task.dev, 0), asked(task.test, 0)
    return replace(task, name=f"{task.name}_asked", train=train, dev=dev, test=test, auxiliary=questions)


@pytest.fixture(scope="session")
def asked_task(toy_task: Task) -> Task:
    """`toy_task` with two auxiliary questions."""
    return with_questions(toy_task)


@pytest.fixture(scope="session")
def word_model(toy_task: Task) -> Callable[..., WordModel]:
    """`word_model(name, trained=False, task=toy_task, seed=0)`: a small "linear", "maxpool",
    "meanpool", "cnn", "lstm", "vmask_cnn", "vmask_lstm", "concept_cnn" or "bottleneck_cnn"; the last two on
    the task with questions.

    Built once per distinct request. The untrained `linear` has weights of 0; ask for it trained.
    """
    from assay.models.cnn import Cnn
    from assay.models.concept_cnn import ConceptCnn
    from assay.models.linear import Linear
    from assay.models.lstm import Lstm
    from assay.models.maxpool import MaxPool
    from assay.models.meanpool import MeanPool
    from assay.models.training import Training, fit
    from assay.models.vmask import VmaskCnn, VmaskLstm
    from assay.models.word_mask import Bottleneck
    from assay.models.word_model import WordSpec

    training = Training(epochs=15, batch_size=16, learning_rate=0.02, patience=15, mask_rate=0.1)
    specs: dict[str, WordSpec] = {
        "linear": Linear(training=replace(training, learning_rate=0.1)),
        "maxpool": MaxPool(dimensions=12, training=training),
        "meanpool": MeanPool(dimensions=12, training=training),
        "cnn": Cnn(dimensions=12, channels=6, widths=(2, 3), training=training),
        "lstm": Lstm(dimensions=12, units=8, hidden=6, training=training),
    }
    masked: dict[str, Any] = {"base_training": training, "bottleneck": Bottleneck(units=8, beta_step=0.2)}
    specs["vmask_cnn"] = VmaskCnn(dimensions=12, channels=12, widths=(2, 3), training=training, **masked)
    specs["vmask_lstm"] = VmaskLstm(dimensions=12, units=8, hidden=6, training=training, **masked)
    concepts = ConceptCnn(dimensions=12, channels=6, widths=(2, 3), training=training)
    specs["concept_cnn"] = concepts
    specs["bottleneck_cnn"] = replace(concepts, decision="concepts", concept_training="sequential")
    made: dict[tuple[str, bool, str, int], WordModel] = {}

    def factory(name: str, *, trained: bool = False, task: Task = toy_task, seed: int = 0) -> WordModel:
        key = (name, trained, task.name, seed)
        if key not in made:
            task = with_questions(task) if isinstance(specs[name], ConceptCnn) else task
            made[key] = fit(replace(specs[name], init_only=not trained), task, seed)[0]
        return made[key]

    return factory


@pytest.fixture(scope="session")
def tiny_bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: a random BERT encoder (hidden 32, 2 layers, 2 heads) and a WordPiece tokenizer.

    The words of the toy tasks are in its vocabulary, longer keywords in two pieces; any other lower-case
    word falls apart into letters.
    """
    from transformers import BertConfig, BertModel, BertTokenizer

    from assay.models.seeding import seeded

    words = {*FILLER, *(w for group in (*KEYWORDS.values(), *TOPICS.values()) for w in group)}
    pieces = [p for word in sorted(words) for p in ([word] if len(word) < 8 else [word[:4], "##" + word[4:]])]
    letters = [prefix + letter for prefix in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    vocabulary = list(
        dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,!?'-", *letters, *pieces])
    )
    folder = tmp_path_factory.mktemp("tiny_bert")
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.1,
    )
    with seeded(0):
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_classifier_folder(tiny_bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as a finished classifier of two labels without names."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from assay.models.seeding import seeded

    folder = tmp_path_factory.mktemp("tiny_classifier")
    with seeded(0):
        network = AutoModelForSequenceClassification.from_pretrained(tiny_bert_folder, num_labels=2)
    network.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert_folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def vmask_bert(tiny_bert_folder: Path, toy_task: Task) -> TransformerModel:
    """The tiny BERT with a word-mask layer, fine-tuned on the toy task in both stages."""
    from assay.models.training import Training, fit
    from assay.models.vmask_minilm import VmaskTransformer
    from assay.models.word_mask import Bottleneck

    training = Training(epochs=2, batch_size=16, learning_rate=0.002)
    return fit(
        VmaskTransformer(
            path=str(tiny_bert_folder),
            base_training=training,
            training=training,
            bottleneck=Bottleneck(units=8, beta_step=0.5),
        ),
        toy_task,
        0,
    )[0]


@pytest.fixture(scope="session")
def open_network(
    tiny_bert_folder: Path, toy_task: Task, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], TransformerModel]:
    """`open_network(name)`: a tiny random classifier for the toy task, one of `OPEN_NETWORKS`."""
    from open_networks import OPEN_NETWORKS

    made: dict[str, TransformerModel] = {}

    def factory(name: str) -> TransformerModel:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = OPEN_NETWORKS[name].model(folder, tiny_bert_folder, toy_task)
        return made[name]

    return factory


@pytest.fixture(scope="session")
def bottleneck_bert(tiny_bert_folder: Path, asked_task: Task) -> TransformerModel:
    """The frozen tiny BERT with a concept bottleneck, its top trained on the toy task with questions."""
    from assay.models.concept_minilm import ConceptTransformer
    from assay.models.training import Training, fit

    spec = ConceptTransformer(
        path=str(tiny_bert_folder),
        decision="concepts",
        training=Training(epochs=5, batch_size=16, learning_rate=0.02),
    )
    return fit(spec, asked_task, 0)[0]


@pytest.fixture(scope="session")
def tiny_bert(tiny_bert_folder: Path, toy_task: Task) -> TransformerModel:
    """The tiny BERT with a random classification head for the toy task."""
    from assay.models.training import fit
    from assay.models.transformer import Transformer

    return fit(Transformer(path=str(tiny_bert_folder), init_only=True), toy_task, 0)[0]
