"""Compare every explainer with what captum, shap, lime and transformers compute on the same model and text.

    python scripts/parity.py [--quick]

Families: maxpool, cnn and lstm (trained briefly on generated texts), a tiny random BERT, and MiniLM with a
random head. Each method is run on every text alone, and on all texts at once, where the shorter ones are
padded. "difference": the largest absolute difference to the peer over texts, classes and tokens, in units of
the peer's largest score (of 1 if that is less). "standard errors": for methods that draw, the largest
distance to the exact value by enumeration, in the standard errors that Assay records ("of both": times the
root of 2, for two draws). "Spearman": where the
peer draws too, the least rank correlation of a text and class. Peers run on a pass of their own:
transformers' modules for BERT, modules that captum can find for the others.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import captum.attr as captum
import numpy as np
import shap
import torch
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn
from transformers import BertConfig, BertModel, BertTokenizer

from explainers.attention import Attention
from explainers.baselines import Baseline, Mask
from explainers.deep_lift import DeepLift
from explainers.expected_gradients import ExpectedGradients
from explainers.explanation import Explanation
from explainers.gradients import InputXGradient, Saliency
from explainers.guided_backprop import GuidedBackprop
from explainers.integrated_gradients import IntegratedGradients
from explainers.kernel_shap import KernelShap
from explainers.layer_conductance import LayerConductance
from explainers.lime import Lime
from explainers.occlusion import Occlusion
from explainers.owen import Owen
from explainers.protocol import Explainer, Request
from explainers.shapley_gp import ShapleyGP
from explainers.shapley_sampling import ShapleySampling
from explainers.smooth_grad import SmoothGrad
from explainers.token_tree import token_tree
from explainers.units import units_of
from models.arithmetic import Arithmetic, untapped
from models.cnn import Cnn
from models.encoding import Encoding
from models.engine import Engine
from models.lstm import Lstm
from models.maxpool import MaxPool
from models.minilm import MiniLM
from models.protocol import Batch
from models.seeding import seeded
from models.tensors import enter
from models.training import Training, fit
from models.transformer import Transformer
from models.transformer_model import TransformerModel
from tasks.example import Example, Task
from tasks.planted import planted

# No word twice: where two tokens tie for a maximum, its gradient is split here, and is one token's in captum.
TEXTS = (
    "a good film",
    "not bad at all , really good",
    "the plot is thin but its cast really very good",
    "good",
)
CLOSE = 1e-5
FAR = 4.0  # standard errors
ALIKE = 0.8  # Spearman


class Steps(Arithmetic):
    """Every ReLU and every maximum a module of its own, where captum's hooks can find it."""

    def __init__(self, relus: nn.ModuleList, pools: nn.ModuleList) -> None:
        self.relus, self.pools = iter(relus), pools

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return next(self.relus)(x) if name == "relu" else super().elementwise(name, x)

    def maximum(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        moved = x.movedim(dim, -1)
        return self.pools[moved.shape[-1] - 1](moved).squeeze(-1)


class WordPass(nn.Module):
    """A word model from its embeddings to its logits, of modules."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(8))
        self.pools = nn.ModuleList(nn.MaxPool1d(width) for width in range(1, 40))

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        rows, tokens, _ = entry.shape
        real = torch.ones(rows, tokens, dtype=torch.bool)
        nothing = torch.zeros(rows, tokens, dtype=torch.long)
        steps = Steps(self.relus, self.pools)
        return self.model.open_logits(entry, Batch(nothing, real, nothing), steps, untapped)


class BertPass(nn.Module):
    """transformers' own encoder, pooler and classifier, from the output of the embedding block."""

    def __init__(self, model: TransformerModel) -> None:
        super().__init__()
        self.network: Any = model.network

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        states = self.network.bert.encoder(entry)[0]
        return self.network.classifier(self.network.bert.pooler(states))


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One text as the peers see it.

    entry, start: (1, T, D) what the first layer reads, of the text and of the text masked. exact: (T, K)
    Shapley values by enumeration.
    """

    request: Request
    forward: nn.Module
    entry: torch.Tensor
    start: torch.Tensor
    ids: torch.Tensor
    masked: torch.Tensor
    logits: Callable[[torch.Tensor], torch.Tensor]
    memory: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def content(self) -> NDArray[np.bool_]:
        return self.request.encoding.content

    @property
    def players(self) -> torch.Tensor:
        """(1, T) captum's feature mask; special tokens, which are the same when masked, share a feature."""
        numbers = np.cumsum(self.content) - 1
        return torch.from_numpy(numbers.clip(0))[None]

    def keep(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R, K) logits when only so many content tokens (R, n) are kept."""
        kept = np.ones((len(rows), len(self.content)), dtype=bool)
        kept[:, self.content] = rows
        ids = torch.where(torch.from_numpy(kept), self.ids, self.masked)
        with torch.no_grad():
            return self.logits(ids).double().numpy()

    @property
    def exact(self) -> NDArray[np.float64]:
        if "exact" not in self.memory:
            self.memory["exact"] = self._enumerate()
        return self.memory["exact"]

    def _enumerate(self) -> NDArray[np.float64]:
        n = int(self.content.sum())
        rows = np.array(list(product([False, True], repeat=n)), dtype=bool)
        worth, size = self.keep(rows), rows.sum(axis=1)
        found = np.zeros((len(self.content), worth.shape[1]))
        for player, place in enumerate(np.flatnonzero(self.content)):
            having = rows[:, player]
            without = np.flatnonzero(having) - 2 ** (n - 1 - player)
            share = 1 / (n * np.array([comb(n - 1, s - 1) for s in size[having]]))
            found[place] = share @ (worth[having] - worth[without])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    name: str
    model: Any
    texts: tuple[Text, ...]

    @property
    def inner(self) -> str | None:
        """A layer above the first, where captum can find it."""
        return "layer_1" if isinstance(self.model, TransformerModel) else None


Peer = Callable[[Text, int], NDArray[np.floating]]  # text and class to (T,)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A line of the table. measure: as the table says. note: why it deviates, if it may.

    only: families that have what the peer needs, None for all. bar: the largest difference or distance, or
    the least correlation.
    """

    method: str
    ours: Explainer
    baseline: Baseline | None
    peer_name: str
    peer: Peer
    measure: str = "difference"
    bar: float = CLOSE
    only: tuple[str, ...] | None = None
    note: str = ""


def at_entry(
    explainer: Callable[[nn.Module], Any], reduce: str, *, start: bool = False, **options: Any
) -> Peer:
    """A captum method where the first layer reads."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        point = text.entry.clone().requires_grad_(True)
        if start:
            options["baselines"] = text.start
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = explainer(text.forward).attribute(point, target=target, **options)
        return reduced(found.detach()[0], reduce)

    return peer


def reduced(values: torch.Tensor, how: str) -> NDArray[np.floating]:
    """(T,) from (T, D)."""
    if how == "l2":
        return values.norm(dim=-1).numpy()
    return (values.mean(dim=-1) if how == "mean" else values.sum(dim=-1)).numpy()


def at_layer(explainer: Callable[[Any, nn.Module], Any], **options: Any) -> Peer:
    """A captum method at BERT's first layer."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        layer = text.forward.get_submodule("network.bert.encoder.layer.0")
        found = explainer(text.forward, layer).attribute(
            text.entry, baselines=text.start, target=target, **options
        )
        return reduced((found[0] if isinstance(found, tuple) else found).detach()[0], "sum")

    return peer


def on_tokens(method: Callable[[Any], Any], **options: Any) -> Peer:
    """A captum method that removes tokens."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(text.logits).attribute(
                text.ids, baselines=text.masked, target=target, feature_mask=text.players, **options
            )
        return np.where(text.content, found[0].numpy(), 0)

    return peer


def window(text: Text, target: int) -> NDArray[np.floating]:
    """captum's Occlusion of two tokens at a time, special tokens apart."""
    content = torch.from_numpy(text.content)
    scores = np.zeros(len(text.content))
    if text.content.sum() < 2:  # captum refuses a window longer than the text
        ends = text.keep(np.array([[True], [False]]))
        scores[text.content] = ends[0, target] - ends[1, target]
        return scores

    def forward(inner: torch.Tensor) -> torch.Tensor:
        ids = text.ids.expand(len(inner), -1).clone()
        ids[:, content] = inner
        return text.logits(ids)

    with torch.no_grad():
        found = captum.Occlusion(forward).attribute(
            text.ids[:, content],
            sliding_window_shapes=(2,),
            baselines=text.masked[:, content],
            target=target,
        )
    scores[text.content] = found[0].numpy()
    return scores


def shap_kernel(text: Text, target: int) -> NDArray[np.floating]:
    """shap's KernelExplainer with every coalition."""
    n = int(text.content.sum())
    explainer = shap.KernelExplainer(lambda rows: text.keep(rows > 0.5)[:, target], np.zeros((1, n)))
    scores = np.zeros(len(text.content))
    scores[text.content] = explainer.shap_values(np.ones((1, n)), nsamples=2**n, silent=True, l1_reg=0)[0]
    return scores


def exact(text: Text, target: int) -> NDArray[np.floating]:
    """Shapley values by the sum over all subsets."""
    return text.exact[:, target]


def lime(text: Text, target: int) -> NDArray[np.floating]:
    """lime's own explainer over the tokens, as words of one letter each, with its own draws."""
    n = int(text.content.sum())
    words = " ".join(f"w{player}" for player in range(n))

    def predict(texts: list[str]) -> NDArray[np.float64]:
        rows = np.array([[f"w{player}" in one.split() for player in range(n)] for one in texts])
        return text.keep(rows)

    explainer = LimeTextExplainer(random_state=0, split_expression=r"\s+", feature_selection="none")
    found = explainer.explain_instance(words, predict, labels=(target,), num_features=n, num_samples=4000)
    scores = np.zeros(len(text.content))
    for feature, weight in found.local_exp[target]:
        at = int(found.domain_mapper.indexed_string.word(feature)[1:])
        scores[np.flatnonzero(text.content)[at]] = weight
    return scores


def attention(text: Text, target: int) -> NDArray[np.floating]:
    """transformers' attention of the last layer, from the first token, mean over heads."""
    network: Any = text.forward.network
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    with torch.no_grad():
        found = network(input_ids=text.ids, output_attentions=True).attentions[-1]
    network.set_attn_implementation(before)
    return found[0, :, 0].mean(dim=0).numpy()


def cases(family: Family, *, draws: int) -> Iterator[Case]:
    """Every line for a family."""
    berts = ("tiny BERT", "MiniLM")
    for how in ("mean", "l2"):
        yield Case(
            f"saliency ({how})", Saliency(how), None, "captum Saliency", at_entry(captum.Saliency, how)
        )
        yield Case(
            f"input x gradient ({how})",
            InputXGradient(how),
            None,
            "captum InputXGradient",
            at_entry(captum.InputXGradient, how),
        )
    yield Case(
        "guided backprop (l2)",
        GuidedBackprop("l2"),
        None,
        "captum GuidedBackprop",
        at_entry(captum.GuidedBackprop, "l2"),
        only=("cnn", "lstm"),
        note="captum gates ReLU modules only; Assay gates GELU too, and refuses models with neither",
    )
    yield Case(
        "integrated gradients",
        IntegratedGradients(50),
        Mask(),
        "captum IntegratedGradients",
        at_entry(captum.IntegratedGradients, "sum", start=True, n_steps=50),
    )
    yield Case(
        "DeepLift",
        DeepLift(),
        Mask(),
        "captum DeepLift",
        at_entry(captum.DeepLift, "sum", start=True),
        only=("maxpool", "cnn"),
        bar=1e-4,
        note="captum takes the gradient where inputs differ by less than 1e-6, Assay where by less",
    )
    yield Case(
        "smooth grad (mean)",
        SmoothGrad(samples=draws, noise_level=0.1, aggregation="mean"),
        None,
        "captum NoiseTunnel",
        noise_tunnel(draws),
        "standard errors of both",
        bar=FAR,
        note="both draw, captum with noise of a tenth of the text's range; with l2 the two differ, because "
        "Assay averages lengths and captum absolute gradients",
    )
    yield Case(
        "expected gradients",
        ExpectedGradients(samples=draws),
        Mask(),
        "integrated gradients",
        at_entry(captum.IntegratedGradients, "sum", start=True, n_steps=200, method="riemann_middle"),
        "standard errors",
        FAR,
        note="where maxima make the integrand jump, few draws meet a jump, and their error seems 0",
    )
    if family.inner:
        yield Case(
            "layer integrated gradients",
            IntegratedGradients(50, layer=family.inner),
            Mask(),
            "captum LayerIntegratedGradients",
            at_layer(captum.LayerIntegratedGradients, n_steps=50),
            only=berts,
        )
        yield Case(
            "layer conductance",
            LayerConductance(family.inner, steps=100),
            Mask(),
            "captum LayerConductance",
            at_layer(captum.LayerConductance, n_steps=400, method="riemann_middle"),
            bar=1e-2,
            only=berts,
            note="two quadratures of one integral: captum's error falls with 1/steps, trapezoids' faster",
        )
    yield Case("attention", Attention(), None, "transformers", attention, only=berts)
    yield Case("occlusion", Occlusion(), Mask(), "captum FeatureAblation", on_tokens(captum.FeatureAblation))
    yield Case("occlusion (window 2)", Occlusion(window=2), Mask(), "captum Occlusion", window)
    yield Case("KernelSHAP, all rows", KernelShap(rows=2**12), Mask(), "shap KernelExplainer", shap_kernel)
    yield Case("KernelSHAP, all rows", KernelShap(rows=2**12), Mask(), "enumeration", exact)
    yield Case("Shapley GP, all rows", ShapleyGP(rows=2**12), Mask(), "enumeration", exact)
    yield Case("Owen values, all rows", Owen(rows=2**14), Mask(), "shap PartitionExplainer", partition)
    for name, ours in (
        ("KernelSHAP, 200 rows", KernelShap(rows=200)),
        ("Shapley sampling", ShapleySampling(draws)),
    ):
        yield Case(name, ours, Mask(), "enumeration", exact, "standard errors", FAR)
    yield Case(
        "Shapley sampling",
        ShapleySampling(draws),
        Mask(),
        "captum ShapleyValueSampling",
        on_tokens(captum.ShapleyValueSampling, n_samples=draws, perturbations_per_eval=8),
        "Spearman",
        ALIKE,
        note="both draw",
    )
    yield Case("LIME", Lime(rows=4000), Mask(), "lime", lime, "Spearman", ALIKE, note="both draw")


def noise_tunnel(samples: int) -> Peer:
    """captum's NoiseTunnel of Saliency."""

    def peer(text: Text, target: int) -> NDArray[np.floating]:
        torch.manual_seed(0)
        spread = float(text.entry.max() - text.entry.min())
        found: Any = captum.NoiseTunnel(captum.Saliency(text.forward)).attribute(
            text.entry.clone().requires_grad_(True),
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=10,
            stdevs=0.1 * spread,
            target=target,
        )
        return reduced(found.detach()[0], "mean")

    return peer


def partition(text: Text, target: int) -> NDArray[np.floating]:
    """shap's PartitionExplainer on the tree that Assay builds from the tokens."""
    tree = token_tree(units_of(text.request, "token"))
    n = int(text.content.sum())
    scores = np.zeros(len(text.content))
    if n == 1:
        rows = text.keep(np.array([[False], [True]]))
        scores[text.content] = rows[1, target] - rows[0, target]
        return scores

    sizes = tree.members[n:].sum(axis=1)

    class Masker:
        shape = (1, n)
        clustering = np.column_stack([tree.children, np.arange(1.0, n), sizes])

        def __call__(self, mask: NDArray[np.bool_], row: NDArray[np.floating]) -> Any:
            return np.asarray(mask, dtype=float)[None]

    explainer: Any = shap.PartitionExplainer(lambda rows: text.keep(rows > 0.5), Masker())
    found = explainer(np.ones((1, n)), max_evals=2**14, silent=True)
    scores[text.content] = found.values[0][:, target]
    return scores


def explained(family: Family, case: Case, texts: Sequence[Text]) -> list[list[Explanation]]:
    return case.ours.explain(Engine(family.model), [text.request for text in texts], case.baseline)


def worst(family: Family, case: Case) -> tuple[float, float]:
    """The largest difference or distance, or the least correlation, over texts and classes: of each text
    alone, and of all at once."""
    alone = [explained(family, case, [text])[0] for text in family.texts]
    padded = explained(family, case, family.texts)
    found: tuple[list[float], list[float]] = ([], [])
    for text, *sides in zip(family.texts, alone, padded, strict=True):
        for nth, record in enumerate(sides[0]):
            theirs = case.peer(text, record.target)
            for side, records in zip(found, sides, strict=True):
                side.append(_apart(text, case, records[nth], theirs))
    extreme = np.nanmin if case.measure == "Spearman" else np.nanmax
    return float(extreme(found[0])), float(extreme(found[1]))


def _apart(text: Text, case: Case, record: Explanation, theirs: NDArray[np.floating]) -> float:
    ours = record.scores.astype(np.float64)
    if case.measure == "difference":
        return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))
    if case.measure == "Spearman":
        ranks: Any = spearmanr(ours[text.content], theirs[text.content])
        # The ranks of a few tokens say little.
        return float(ranks.statistic) if text.content.sum() > 4 else float("nan")
    assert record.standard_error is not None
    both = np.sqrt(2) if case.measure == "standard errors of both" else 1.0
    error = both * record.standard_error.astype(np.float64)
    # Where nothing is left to chance the error is 0, and the scores are equal up to rounding.
    return float(((np.abs(ours - theirs) - 1e-5).clip(0) / np.maximum(error, 1e-9)).max())


def families(texts: Sequence[str], *, minilm: bool) -> Iterator[Family]:
    """The models, smallest first."""
    task = planted(train=600, dev=60, test=20)
    training = Training(epochs=3, mask_rate=0.1)
    for name, spec in (("maxpool", MaxPool), ("cnn", Cnn), ("lstm", Lstm)):
        model = fit(spec(training=training, min_count=1), _with(task, texts), 0)[0]
        yield family(name, model, texts)
    with TemporaryDirectory() as folder:
        yield family("tiny BERT", tiny_bert(folder, task, texts), texts)
    if minilm:
        yield family("MiniLM", MiniLM(init_only=True).untrained(task, 0), texts)


def _with(task: Task, texts: Sequence[str]) -> Task:
    """The task with the texts among its training texts, so that their words are known."""
    more = tuple(
        Example(f"parity {n}", (text,), (n % len(task.labels),)) for n, text in enumerate([*texts] * 20)
    )
    return Task(task.name, task.labels, train=task.train + more, dev=task.dev, test=task.test)


def tiny_bert(folder: str, task: Task, texts: Sequence[str]) -> TransformerModel:
    """A random BERT of three layers that knows the texts' words."""
    words = sorted({word for text in texts for word in text.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    Path(folder, "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(vocab=f"{folder}/vocab.txt", model_max_length=64).save_pretrained(folder)
    with seeded(0):
        BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=3,
                num_attention_heads=4,
                intermediate_size=64,
                max_position_embeddings=64,
                initializer_range=0.2,
            )
        ).save_pretrained(folder)
    return Transformer(path=folder, init_only=True).untrained(task, 0)


def family(name: str, model: Any, texts: Sequence[str]) -> Family:
    model.network.requires_grad_(False)
    forward = BertPass(model) if isinstance(model, TransformerModel) else WordPass(model)
    encodings = model.encode([(text,) for text in texts])
    every = np.arange(len(model.labels))
    return Family(
        name,
        model,
        tuple(
            _text(model, forward, Request(Example(text, (text,), (0,)), encoding, every))
            for text, encoding in zip(texts, encodings, strict=True)
        ),
    )


def _text(model: Any, forward: nn.Module, request: Request) -> Text:
    encoding: Encoding = request.encoding
    ids = torch.from_numpy(encoding.ids.astype(np.int64))[None]
    masked = torch.where(torch.from_numpy(encoding.content), torch.full_like(ids, model.mask_id), ids)

    def entry(rows: torch.Tensor) -> torch.Tensor:
        nothing = torch.zeros_like(rows)
        batch = Batch(rows, torch.ones_like(rows, dtype=torch.bool), nothing)
        return enter(model, model.embed(rows), batch)

    with torch.no_grad():
        start, end = entry(masked), entry(ids)
    return Text(request, forward, end, start, ids, masked, lambda rows: forward(entry(rows)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three short texts, no MiniLM, under a minute")
    options = parser.parse_args()
    texts = TEXTS[:2] if options.quick else TEXTS
    print("| method | family | peer | measure | alone | padded | bar |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    misses, notes = [], {}
    for one in families(texts, minilm=not options.quick):
        for case in cases(one, draws=100 if options.quick else 400):
            if case.only and one.name not in case.only:
                continue
            alone, padded = worst(one, case)
            at_least = case.measure == "Spearman"
            met = min(alone, padded) >= case.bar if at_least else max(alone, padded) <= case.bar
            mark = "" if met else " **missed**"
            sign = ">=" if at_least else "<="
            print(
                f"| {case.method} | {one.name} | {case.peer_name} | {case.measure} | {alone:.2g} | "
                f"{padded:.2g} | {sign} {case.bar:g}{mark} |",
                flush=True,
            )
            misses += [] if met else [f"{case.method} on {one.name}"]
            if case.note:
                notes[f"{case.method}, {case.peer_name}"] = case.note
    print("\n" + "\n".join(f"- {where}: {note}." for where, note in notes.items()))
    print(f"\nbar: {'missed: ' + ', '.join(misses) if misses else 'met'}")
    return bool(misses)


if __name__ == "__main__":
    sys.exit(main())
