"""Input Marginalization and the baseline `mlm` against sums written out over a vocabulary of eight words."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from explainer_models import encoding
from numpy.typing import NDArray
from tabular_models import (
    CLS,
    IDS,
    LENGTH,
    MASK,
    TEXT,
    WORDS,
    TableClassifier,
    TableMaskedLM,
    classifier,
    language_model,
    marginal,
    odds,
    probabilities,
    replaced,
)

import assay.explainers.marginal.mixture
import assay.models.masked_lm
from assay.explainers.baselines import Mask
from assay.explainers.explanation import Explanation
from assay.explainers.marginal.candidates import Candidates, Selection, replacements
from assay.explainers.marginal.mixture import Mixture, Mode
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.perturbation.ask_tell import Asking, AskTell, Estimate
from assay.explainers.perturbation.input_marginalization import InputMarginalization
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.output_spaces import Space
from assay.explainers.perturbation.units import Units, units_of
from assay.explainers.protocol import Request, incompatibility
from assay.models.engine import Engine
from assay.models.protocol import Batch
from assay.tasks.errors import InputError
from assay.tasks.example import Example

EXACT = Selection(sigma=0.0)
PLACES = range(1, 1 + LENGTH)
IDS_OF_TEXT = TEXT.ids.tolist()


def baseline(
    mlm: TableMaskedLM, selection: Selection = EXACT, mode: Mode = "joint", seed: int = 0
) -> Mixture:
    return Mixture(mlm, mode, selection, seed)


def without(*places: int) -> np.ndarray:
    keep = np.ones((1, len(TEXT)), dtype=bool)
    keep[0, list(places)] = False
    return keep


def answer(model: TableClassifier, of: Mixture, keep: np.ndarray, space: Space = "probability") -> np.ndarray:
    (found,) = of.answers(Engine(model), [(TEXT, keep)], space)
    return found.values


def asked(seed: int = 0, classes: int = 3, text=TEXT) -> Request:
    return Request(Example("a", ("x" * LENGTH,), (0,)), text, np.arange(classes), seed)


def explained(model: TableClassifier, of: Mixture, engine: Engine | None = None) -> list[Explanation]:
    request = asked(classes=len(model.labels))
    return InputMarginalization().explain(engine or Engine(model), [request], of)[0]


def by_hand(model: TableClassifier, mlm: TableMaskedLM) -> np.ndarray:
    """(K, T) bits, by the paper's formula."""
    bits = np.zeros((len(model.labels), len(TEXT)))
    for place in PLACES:
        m = marginal(model, mlm, IDS_OF_TEXT, [place])
        bits[:, place] = np.log2(odds(probabilities(model, IDS_OF_TEXT))) - np.log2(odds(m))
    return bits


# B6.1: brute force


@pytest.mark.parametrize("multi_label", [False, True])
def test_it_is_the_sum_over_the_vocabulary_to_ten_digits(multi_label: bool) -> None:
    model, mlm = classifier(multi_label=multi_label), language_model()
    values = answer(model, baseline(mlm), np.concatenate([without(), *map(without, PLACES)]), "log2_odds")
    bits = by_hand(model, mlm)
    assert np.abs(bits[:, 1:]).min() > 1e-3
    np.testing.assert_allclose((values[0] - values[1:]).T, bits[:, 1:], rtol=0, atol=1e-10)
    # Records are in single precision.
    for record, expected in zip(explained(model, baseline(mlm)), bits, strict=True):
        np.testing.assert_allclose(record.scores, expected, rtol=1e-6)
        assert record.output_space == "log2_odds"
        assert np.isnan(record.value_baseline)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("mode", ["joint", "independent"])
@pytest.mark.parametrize("places", [(1, 2), (2, 4), (1, 2, 3)])
def test_tokens_absent_together_are_summed_over_all_sequences(
    multi_label: bool, mode: Mode, places: tuple[int, ...]
) -> None:
    model, mlm = classifier(multi_label=multi_label), language_model()
    every = Selection(sigma=None, top_k=len(WORDS) ** len(places))
    found = answer(model, baseline(mlm, every, mode), without(*places))
    expected = marginal(model, mlm, IDS_OF_TEXT, places, joint=mode == "joint")
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-10)
    other = marginal(model, mlm, IDS_OF_TEXT, places, joint=mode != "joint")
    # Only neighbours are read, so what is not beside each other agrees in both modes.
    assert np.allclose(expected, other, atol=1e-10) == (places == (2, 4))


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("mode", ["joint", "independent"])
@pytest.mark.parametrize("words", [(0, 0, 1, 2), (0, 1, 1, 1)])
def test_pieces_of_a_word_are_summed_over_together_to_ten_digits(
    multi_label: bool, mode: Mode, words: tuple[int, ...]
) -> None:
    model, mlm = classifier(multi_label=multi_label), language_model()
    of = baseline(mlm, Selection(sigma=None, top_k=len(WORDS) ** 3), mode)
    text = replace(TEXT, word_ids=np.array([-1, *words], dtype=np.int32))
    request, explainer = asked(classes=len(model.labels), text=text), InputMarginalization(unit="word")
    places = [[at for at in PLACES if words[at - 1] == word] for word in range(max(words) + 1)]
    full, bits = probabilities(model, IDS_OF_TEXT), np.zeros((len(model.labels), len(TEXT)))
    for pieces in places:
        m = marginal(model, mlm, IDS_OF_TEXT, pieces, joint=mode == "joint")
        # The word's evidence is shared out to its pieces.
        bits[:, pieces] = ((np.log2(odds(full)) - np.log2(odds(m))) / len(pieces))[:, None]
    units = units_of(request, "word")
    keep = units.keep(explainer.design(len(units), np.random.default_rng(0)))
    values = answer(model, of, np.concatenate([without(), keep]), "log2_odds")
    found = explainer.solve(keep, values[1:], values[0], values[0]).scores
    np.testing.assert_allclose(units.spread(found).T, bits, rtol=0, atol=1e-10)
    # Records are in single precision.
    for record, expected in zip(explainer.explain(Engine(model), [request], of)[0], bits, strict=True):
        np.testing.assert_allclose(record.scores, expected, rtol=1e-6)
    # By token it is something else.
    assert np.abs(by_hand(model, mlm) - bits).max() > 1e-2


@pytest.mark.parametrize("include_original", [True, False])
@pytest.mark.parametrize("renormalise", [True, False])
@pytest.mark.parametrize("bound", [{"sigma": 0.05}, {"sigma": None, "top_k": 3}])
def test_thresholds_and_the_most_probable_ones(
    include_original: bool, renormalise: bool, bound: dict
) -> None:
    model, mlm = classifier(), language_model()
    selection = replace(EXACT, include_original=include_original, renormalise=renormalise, **bound)
    for place in PLACES:
        p = mlm.of(IDS_OF_TEXT, place)
        if not include_original:
            p = np.where(IDS_OF_TEXT[place] == WORDS, 0, p)
        top = np.sort(p)[-3]
        p = np.where(p >= top if selection.top_k else p > 0.05, p, 0)
        texts = [replaced(IDS_OF_TEXT, [place], [word]) for word in WORDS]
        m = p @ np.array([probabilities(model, text) for text in texts]) / (p.sum() if renormalise else 1)
        found = answer(model, baseline(mlm, selection), without(place))[0]
        np.testing.assert_allclose(found, m, rtol=0, atol=1e-12)
        (bits,) = answer(model, baseline(mlm, selection), without(place), "log2_odds")
        np.testing.assert_allclose(bits, np.log2(odds(m)), rtol=0, atol=1e-10)


def test_the_most_probable_sequences_are_those() -> None:
    model, mlm, places = classifier(), language_model(), [1, 2, 3]
    context = replaced(IDS_OF_TEXT, places, [MASK] * 3)
    p = {
        words: np.prod([mlm.of(context, place)[word] for place, word in zip(places, words, strict=True)])
        for words in product(range(len(WORDS)), repeat=3)
    }
    best = sorted(p, key=lambda words: -p[words])[:7]
    total = sum(p[words] for words in best)
    texts = {words: replaced(IDS_OF_TEXT, places, [WORDS[word] for word in words]) for words in best}
    expected = sum(p[words] * probabilities(model, texts[words]) for words in best) / total
    found = answer(model, baseline(mlm, Selection(sigma=None, top_k=7)), without(*places))
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-12)


def test_sequences_of_many_tokens_keep_their_weights() -> None:
    place = Candidates(np.arange(2, dtype=np.int32), np.array([0.04, 0.01]), np.zeros(0, dtype=np.int32))
    found = replacements([place] * 400, Selection(sigma=None, top_k=3))
    # The most probable sequence, and two of those that differ from it in one place.
    np.testing.assert_allclose(found.weights, np.array([4, 1, 1]) / 6)
    assert found.ids.sum(axis=1).tolist() == [0, 1, 1]


@pytest.mark.parametrize("multi_label", [False, True])
def test_every_output_is_that_of_the_mixture(multi_label: bool) -> None:
    model, mlm = classifier(multi_label=multi_label), language_model()
    m = marginal(model, mlm, IDS_OF_TEXT, [2])
    texts = [replaced(IDS_OF_TEXT, [2], [word]) for word in WORDS]
    logits = np.array([model.table[tuple(text[1:])].numpy() for text in texts])
    expected = {
        "probability": m,
        "log_probability": np.log(m),
        "log_odds": np.log(odds(m)),
        "log2_odds": np.log2(odds(m)),
        "logit": mlm.of(IDS_OF_TEXT, 2) @ logits,
    }
    for space, values in expected.items():
        found = answer(model, baseline(mlm), without(2), space)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[0], values, rtol=0, atol=1e-10, err_msg=space)


# B6.2, 3, 4: known answers


def test_a_model_sure_of_the_word_that_stands_there_leaves_no_evidence() -> None:
    class Sure(TableMaskedLM):
        def log_probabilities(self, batch: Batch, masked: torch.Tensor) -> torch.Tensor:
            places = masked.nonzero()[:, 1]
            right = torch.tensor(IDS_OF_TEXT)[places]
            return torch.log((torch.from_numpy(self.ids)[None] == right[:, None]).double())

    sure = Sure(np.ones((IDS, IDS, len(WORDS))))
    for selection in (
        EXACT,
        Selection(),
        Selection(sigma=None, top_k=2),
        Selection(sigma=None, mc_samples=5),
    ):
        for record in explained(classifier(), baseline(sure, selection)):
            np.testing.assert_allclose(record.scores, 0, atol=1e-6)
    sentence = (
        "no candidate for token 1, '3', of the text '2 3 7 5 10': the masked language model gives no token "
        "but its own more than "
    )
    for selection, advice in (
        (Selection(include_original=False), "1e-05 there; lower baseline.mlm.sigma, or set top_k in"),
        (
            Selection(sigma=None, top_k=2, include_original=False),
            "0 there; set baseline.mlm.include_original",
        ),
        (Selection(sigma=0.0, include_original=False), "0 there; set baseline.mlm.include_original=true"),
    ):
        with pytest.raises(InputError, match=sentence + advice):
            explained(classifier(), baseline(sure, selection))


def test_a_place_that_the_classifier_does_not_read_has_no_evidence() -> None:
    table = classifier().table.numpy().copy()
    table[:, :] = table[:, :1]
    records = explained(TableClassifier(table), baseline(language_model()))
    for record in records:
        assert abs(record.scores[2]) < 1e-6 < np.abs(record.scores[[1, 3, 4]]).min()


def test_under_a_uniform_model_the_sign_is_that_of_the_effect() -> None:
    rng = np.random.default_rng(4)
    effects = rng.uniform(-1, 1, size=(LENGTH, IDS))
    signs = np.array([1, -1, -1, 1])
    # No word in its place speaks more for the first class, or against it, than that of the text.
    effects[np.arange(LENGTH), IDS_OF_TEXT[1:]] = 1.1 * signs
    total = sum(np.expand_dims(effects[at], [o for o in range(LENGTH) if o != at]) for at in range(LENGTH))
    model = TableClassifier(np.stack([total, -total], axis=-1))
    uniform = TableMaskedLM(np.full((IDS, IDS, len(WORDS)), 1 / len(WORDS)))
    first, second = explained(model, baseline(uniform))
    assert np.sign(first.scores[1:]).tolist() == signs.tolist()
    assert np.sign(second.scores[1:]).tolist() == (-signs).tolist()


# B6.5: what must not matter


def test_sizes_of_batches_and_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, mlm = classifier(), language_model()
    keep = np.concatenate([without(), *map(without, PLACES), without(1, 2), without(*PLACES)])
    of = baseline(mlm, Selection(sigma=0.01))
    once = answer(model, of, keep, "log2_odds")
    monkeypatch.setattr(assay.explainers.marginal.mixture, "PORTION_TOKENS", 1)
    monkeypatch.setattr(assay.explainers.marginal.mixture, "KEPT_CANDIDATES", 1)
    monkeypatch.setattr(assay.models.masked_lm, "VALUES", 1)
    (piecewise,) = of.answers(Engine(model, budget=1), [(TEXT, keep)], "log2_odds")
    np.testing.assert_allclose(piecewise.values, once, rtol=0, atol=1e-12)
    (first, second) = of.answers(Engine(model), [(TEXT, keep[2:]), (TEXT, keep)], "log2_odds")
    np.testing.assert_allclose(first.values, once[2:], rtol=0, atol=1e-12)
    np.testing.assert_allclose(second.values, once, rtol=0, atol=1e-12)


def test_other_numbers_for_the_words_change_nothing() -> None:
    model, mlm = classifier(), language_model()
    new = np.arange(IDS)
    new[WORDS] = np.random.default_rng(6).permutation(WORDS)
    old = np.argsort(new)
    renamed = TableClassifier(model.table.numpy()[np.ix_(*[old] * LENGTH)])
    order = [int(np.flatnonzero(old[word] == WORDS)[0]) for word in WORDS]
    lm = TableMaskedLM(mlm.table.exp().numpy()[np.ix_(old, old)][:, :, order])
    text = encoding(new[IDS_OF_TEXT].tolist(), specials=(0,))
    (records,) = InputMarginalization().explain(Engine(renamed), [asked(text=text)], baseline(lm))
    for record, expected in zip(records, by_hand(model, mlm), strict=True):
        np.testing.assert_allclose(record.scores, expected, rtol=1e-6)


def test_both_modes_agree_where_one_token_is_absent() -> None:
    model, mlm = classifier(), language_model()
    for selection in (EXACT, Selection(sigma=0.02), Selection(sigma=None, mc_samples=9)):
        joint, independent = (
            explained(model, baseline(mlm, selection, mode)) for mode in ("joint", "independent")
        )
        for one, other in zip(joint, independent, strict=True):
            np.testing.assert_array_equal(one.scores, other.scores)


# B6.6: approximations


def test_a_threshold_errs_by_at_most_what_it_drops_and_vanishes_with_it() -> None:
    model, mlm = classifier(), language_model()
    for place in PLACES:
        exact, p = marginal(model, mlm, IDS_OF_TEXT, [place]), mlm.of(IDS_OF_TEXT, place)
        for sigma in (0.2, 0.05, 1e-3, 1e-9):
            dropped = p[p <= sigma].sum()
            found = answer(model, baseline(mlm, Selection(sigma=sigma)), without(place))[0]
            assert np.abs(found - exact).max() <= dropped + 1e-12
            raw = Selection(sigma=sigma, renormalise=False)
            assert (
                np.abs(answer(model, baseline(mlm, raw), without(place))[0] - exact).max() <= dropped + 1e-12
            )
        assert dropped < 1e-6


@pytest.mark.parametrize("places", [(2,), (1, 2), (1, 2, 3, 4)])
@pytest.mark.parametrize("mode", ["joint", "independent"])
@pytest.mark.parametrize("selection", [Selection(sigma=None, mc_samples=40), Selection(sigma=0.0, draws=40)])
def test_draws_are_right_on_average(places: tuple[int, ...], mode: Mode, selection: Selection) -> None:
    model, mlm = classifier(), language_model()
    exact = marginal(model, mlm, IDS_OF_TEXT, places, joint=mode == "joint")
    found = np.array(
        [answer(model, baseline(mlm, selection, mode, seed), without(*places))[0] for seed in range(50)]
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    drawn = selection.mc_samples is not None or len(places) > 1
    assert (error > 1e-4).all() == drawn
    assert (np.abs(found.mean(axis=0) - exact) <= 4 * error + 1e-12).all()


# B6.7: ends


@pytest.mark.parametrize("multi_label", [False, True])
def test_certain_classifiers_have_finite_evidence_and_are_counted(multi_label: bool) -> None:
    model, mlm = classifier(multi_label=multi_label, scale=400.0), language_model()
    records = explained(model, baseline(mlm))
    rows = np.array(
        [probabilities(model, IDS_OF_TEXT), *(marginal(model, mlm, IDS_OF_TEXT, [p]) for p in PLACES)]
    )
    nearest = np.minimum(rows, 1 - rows) < 2.0**-24
    assert [record.saturated for record in records] == nearest.sum(axis=0).tolist()
    assert nearest.any() and all(np.isfinite(record.scores).all() for record in records)
    assert not any(record.saturated for record in explained(classifier(), baseline(mlm)))


# B6.8: cost


@pytest.mark.parametrize("include_original", [True, False])
def test_calls_are_the_candidates_and_those_of_the_masked_model_are_apart(include_original: bool) -> None:
    model, mlm = classifier(), language_model()
    engine = Engine(model)
    of = baseline(mlm, Selection(sigma=0.05, include_original=include_original))
    (record, *_) = explained(model, of, engine)
    kept = [mlm.of(IDS_OF_TEXT, place) > 0.05 for place in PLACES]
    others = [p & (IDS_OF_TEXT[place] != WORDS) for p, place in zip(kept, PLACES, strict=True)]
    # The text itself, and every other candidate once: a token in its own place is the text.
    rows = 1 + int(np.sum(others))
    assert (record.cost.forward_rows, record.cost.tokens) == (rows, rows * len(TEXT))
    assert (record.cost.mlm_rows, record.cost.mlm_tokens) == (LENGTH, LENGTH * len(TEXT))
    counters = engine.counters
    assert (counters.forward_rows, counters.mlm_rows) == (rows, LENGTH)
    assert (counters.forward_tokens, counters.mlm_tokens) == (record.cost.tokens, record.cost.mlm_tokens)
    assert counters.mlm_seconds > 0


@pytest.mark.parametrize(("mode", "rows"), [("joint", 3), ("independent", 4)])
def test_the_masked_model_reads_a_row_per_coalition_or_per_token(mode: Mode, rows: int) -> None:
    keep = np.concatenate([without(), without(1), without(1, 2), without(*PLACES), without(1, 2)])
    of = baseline(language_model(), Selection(sigma=None, top_k=2), mode)
    (found,) = of.answers(Engine(classifier()), [(TEXT, keep)], "logit")
    assert (found.cost.mlm_rows, found.cost.mlm_tokens) == (rows, rows * len(TEXT))


class InRounds(Asking):
    """Asks for each token alone absent, for each alone present, and for pairs."""

    name = "in_rounds"
    output = "logit"

    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        one = np.eye(len(units), dtype=bool)
        total = np.zeros(())
        for design in (~one, one, ~(one | np.roll(one, 1, axis=0))):
            total = total + (yield design).values
        return Estimate(total)


def test_independent_places_are_asked_once_whatever_the_rounds_as_far_as_memory_is_meant_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, selection = classifier(), Selection(sigma=None, mc_samples=3)
    request = Request(Example("e", ("x",), (0,)), TEXT, np.array([0, 1]))
    other = replace(request, encoding=replace(TEXT, ids=TEXT.ids[[0, *reversed(PLACES)]]))

    def found(mode: Mode) -> tuple[list[int], NDArray[np.float32]]:
        records = InRounds().explain(
            Engine(model), [request, other], baseline(language_model(), selection, mode)
        )
        return [of[0].cost.mlm_rows for of in records], np.stack([one.scores for of in records for one in of])

    (rows, scores), (joint, _) = found("independent"), found("joint")
    assert rows == [LENGTH, LENGTH]
    # Of the first round each place, then each alone present, then pairs; and none present.
    assert joint == [3 * LENGTH + 1] * 2
    # The first text's places fill the memory.
    size = 3 * LENGTH
    monkeypatch.setattr(assay.explainers.marginal.mixture, "KEPT_CANDIDATES", size)
    fewer, same = found("independent")
    assert fewer == [LENGTH, 3 * LENGTH]
    np.testing.assert_array_equal(scores, same)


# What is refused, and what is said


def test_other_baselines_are_refused_and_so_is_a_classifier_without_a_mask_token() -> None:
    has = frozenset({"mask_token"})
    of = baseline(language_model())
    explainer = InputMarginalization()
    assert incompatibility(explainer, of, capabilities=has, rationales=False) is None
    reason = incompatibility(explainer, Mask(), capabilities=has, rationales=False)
    assert reason == "baseline 'mask' is no masked language model; choose baseline=[mlm]"
    reason = incompatibility(explainer, of, capabilities=frozenset(), rationales=False)
    assert reason == "the model has no mask token, which baseline 'mlm' needs"
    with pytest.raises(InputError, match="baseline 'mlm' stands for many texts and so has no rows"):
        of.rows(classifier(), TEXT, without(1))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"top_k": 3},
            "baseline.mlm sets sigma and top_k of sigma, top_k and mc_samples; expected exactly one",
        ),
        ({"sigma": None}, "baseline.mlm sets none of sigma, top_k and mc_samples; expected exactly one"),
        ({"sigma": 1.0}, "baseline.mlm.sigma is 1.0; expected 0 <= sigma < 1"),
        ({"sigma": None, "top_k": 0}, "baseline.mlm.top_k is 0; expected at least 1"),
        ({"sigma": None, "mc_samples": 0}, "baseline.mlm.mc_samples is 0; expected at least 1"),
        ({"draws": 0}, "baseline.mlm.draws is 0; expected at least 1"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Selection(**settings)
    assert str(caught.value).startswith(sentence)


def test_weights_that_do_not_sum_to_one_are_refused_for_logits_and_for_several_absent_tokens() -> None:
    model, mlm = classifier(), language_model()
    raw = baseline(mlm, Selection(sigma=None, top_k=3, renormalise=False))
    with pytest.raises(InputError, match="leaves out replacements, for which a mean of logits has no value"):
        answer(model, raw, without(1), "logit")
    assert answer(model, raw, without(1)).sum() < 1 - 1e-3
    # A sequence's own probability says nothing of the class, and its share of all is on another scale.
    with pytest.raises(InputError, match="outputs with several absent tokens have another scale"):
        answer(model, raw, without(1, 2))


def test_odds_are_the_only_outputs() -> None:
    with pytest.raises(InputError, match=r"explainer\.input_marginalization\.output is 'logit'"):
        InputMarginalization(output="logit")


@pytest.mark.parametrize("wrong", [np.nan, 0.5])
def test_broken_probabilities_are_refused(wrong: float) -> None:
    table = language_model().table.exp().numpy().copy()
    table[CLS, 7] = wrong
    with pytest.raises(
        InputError, match="answered 1 of 4 masked places with NaN or with probabilities that sum"
    ):
        explained(classifier(), baseline(TableMaskedLM(table)))


def test_an_answer_of_another_shape_is_refused() -> None:
    class Short(TableMaskedLM):
        def log_probabilities(self, batch: Batch, masked: torch.Tensor) -> torch.Tensor:
            return super().log_probabilities(batch, masked)[:, :-1]

    short = Short(language_model().table.exp().numpy())
    with pytest.raises(InputError, match=r"4 masked places of 8 tokens with an array of shape \(4, 7\)"):
        explained(classifier(), baseline(short))


def test_another_vocabulary_and_one_of_special_tokens_are_refused() -> None:
    mlm, model = language_model(), classifier()
    assert MaskedLanguageModel().using(model, mlm).mlm is mlm
    other = language_model()
    other.mask_id = MASK + 1
    with pytest.raises(InputError, match=f"masks with token {MASK + 1}, the classifier with {MASK}, so"):
        MaskedLanguageModel().using(model, other)
    special = language_model()
    special.ids = special.ids[:0]
    with pytest.raises(InputError, match="has no token to put in: all of its vocabulary is special"):
        MaskedLanguageModel().using(model, special)


def test_an_empty_set_of_candidates_is_said() -> None:
    spread = TableMaskedLM(np.full((IDS, IDS, len(WORDS)), 1 / len(WORDS)))
    sentence = "gives no token more than 0.2 there; lower baseline.mlm.sigma, or set top_k in its place"
    for mode in ("joint", "independent"):
        for places in ((1,), (1, 2)):
            with pytest.raises(InputError, match=sentence):
                answer(classifier(), baseline(spread, Selection(sigma=0.2), mode), without(*places))


@pytest.mark.parametrize("explainer", [InputMarginalization(), Occlusion()], ids=lambda e: e.name)
def test_a_text_of_special_tokens_alone_has_no_evidence(explainer) -> None:
    text = encoding((CLS, 3, 7, 5, 10), specials=range(5))
    engine = Engine(classifier())
    (records,) = explainer.explain(engine, [asked(text=text)], baseline(language_model()))
    assert all(not record.scores.any() for record in records)
    assert (engine.counters.forward_rows, engine.counters.mlm_rows) == (1, 0)


def test_a_mask_token_in_the_text_is_not_replaced() -> None:
    text = encoding((CLS, 3, MASK, 5, 10), specials=(0,))
    keep = np.array([[True, True, True, False, True]])
    model, mlm = classifier(), language_model()
    (found,) = baseline(mlm).answers(Engine(model), [(text, keep)], "probability")
    expected = marginal(model, mlm, text.ids.tolist(), [3])
    np.testing.assert_allclose(found.values[0], expected, rtol=0, atol=1e-12)
