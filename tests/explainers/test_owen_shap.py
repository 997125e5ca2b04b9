"""Owen values against shap's PartitionExplainer with its own text masker, on its own tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assay.explainers.baselines import Mask
from assay.explainers.perturbation.owen import Owen
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.seeding import seeded
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Task

pytestmark = pytest.mark.slow

TEXTS = [
    "The film (a sequel) isn't bad, but the plot drags. Would I go again? No!",
    "it's good and it's cheap, or so they say (and say, again).",
    "unbelievably good",
    "one",
    "a fine, unpretentious comedy that knows what it wants and, for an hour or so, gets it; then the jokes "
    "run out, and the actors - who deserve better - run with them.",
]


def _wordpiece(folder: Path, tokenizer: Any) -> Any:
    from tokenizers import BertWordPieceTokenizer

    trained = BertWordPieceTokenizer()
    trained.train_from_iterator(TEXTS[:2] * 5, vocab_size=120, show_progress=False)
    trained.save_model(str(folder))
    return tokenizer(vocab=str(folder / "vocab.txt"), model_max_length=256)


def _byte_pairs(folder: Path, tokenizer: Any) -> Any:
    from tokenizers import ByteLevelBPETokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS[:2] * 5, vocab_size=350, special_tokens=special, show_progress=False)
    trained.save_model(str(folder))
    files = str(folder / "vocab.json"), str(folder / "merges.txt")
    return tokenizer(vocab=files[0], merges=files[1], model_max_length=256)


def _model(kind: str, folder: Path, task: Task) -> TransformerModel:
    """A random encoder of its kind, with a tokenizer trained on the first two texts."""
    import transformers as hf

    kinds: dict[str, tuple[Any, Any, Any, Any, dict[str, Any]]] = {
        "BERT": (hf.BertTokenizer, _wordpiece, hf.BertConfig, hf.BertModel, {}),
        "DistilBERT": (hf.DistilBertTokenizer, _wordpiece, hf.DistilBertConfig, hf.DistilBertModel, {}),
        "RoBERTa": (hf.RobertaTokenizer, _byte_pairs, hf.RobertaConfig, hf.RobertaModel, {"pad_token_id": 1}),
    }
    tokenizer_type, train, config_type, network_type, more = kinds[kind]
    tokenizer = train(folder, tokenizer_type)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    if kind == "DistilBERT":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}
    with seeded(0):
        config = config_type(vocab_size=len(tokenizer), max_position_embeddings=260, **sizes, **more)
        config.initializer_range = 0.5
        network_type(config).save_pretrained(folder)
    model = Transformer(path=str(folder), init_only=True).untrained(task, 0)
    # Single precision would move scores by more than 1e-6.
    model.network.double()
    return model


def _theirs(model: TransformerModel, text: str, rows: int) -> np.ndarray:
    """(T, K) of shap as its users call it, on rows of ids."""
    from shap import PartitionExplainer
    from shap.maskers import Text

    def logits(ids: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(np.array(ids, dtype=np.int64))
        with torch.no_grad():
            return model.network(input_ids=rows, attention_mask=torch.ones_like(rows)).logits.double().numpy()

    masker: Any = Text(model.tokenizer, output_type="token_ids")
    explainer: Any = PartitionExplainer(logits, masker)
    return explainer([text], max_evals=rows, batch_size=5, silent=True).values[0]


@pytest.mark.parametrize("kind", ["BERT", "RoBERTa", "DistilBERT"])
def test_scores_are_shaps_on_the_tree_that_shap_makes(kind: str, tmp_path: Path, toy_task: Task):
    model = _model(kind, tmp_path, toy_task)
    targets = np.arange(len(model.labels))
    lengths = []
    for rows in (60, 500):
        for text in TEXTS:
            (encoding,) = model.encode([(text,)])
            request = Request(Example(text, (text,), (0,)), encoding, targets)
            (found,) = Owen(rows=rows).explain(Engine(model), [request], Mask())
            ours, theirs = np.array([record.scores for record in found]), _theirs(model, text, rows).T
            np.testing.assert_allclose(ours, theirs, atol=1e-6 * max(1.0, np.abs(theirs).max()))
            lengths.append((len(encoding), np.abs(theirs).max()))
    # Some trees fit into the rows, others do not, and no score is small for want of a model's opinion.
    assert min(lengths)[0] < 6 and max(lengths)[0] > 40
    assert min(size for _, size in lengths) > 0.01
