from __future__ import annotations

import numpy as np
import pandas as pd

from assay.results.tables.roar import below_reference, roar_markdown


def rows() -> pd.DataFrame:
    accuracies = {
        ("random", ""): {0: (0.9, 0.9), 10: (0.8, 0.6), 30: (0.5, 0.5)},
        ("occlusion", "mask"): {0: (0.9, 0.9), 10: (0.5, 0.5), 30: (0.3, 0.3)},
        ("inverted", ""): {0: (0.9, 0.9), 10: (0.9, 0.9)},
    }
    return pd.DataFrame(
        [
            {
                "task": "reviews",
                "model": "cnn",
                "seed": seed,
                "explainer": explainer,
                "baseline": baseline,
                "recursive": False,
                "absent": "delete",
                "share": share,
                "accuracy": accuracy,
                "macro_f1": 0.0,
            }
            for (explainer, baseline), curve in accuracies.items()
            for share, of_seeds in curve.items()
            for seed, accuracy in enumerate(of_seeds)
        ]
    )


def test_methods_are_measured_against_the_reference_at_the_same_share() -> None:
    table = below_reference(rows(), "random")
    assert [method for method, _ in table.index] == ["occlusion", "random", "inverted"]
    np.testing.assert_allclose(table["below"], [((0.7 - 0.5) + (0.5 - 0.3)) / 2, 0.0, 0.7 - 0.9])
    np.testing.assert_allclose(table[10], [0.5, 0.7, 0.9])
    assert np.isnan(table[30].iloc[2])


def test_without_the_reference_nothing_is_below_it() -> None:
    table = below_reference(rows().query("explainer != 'random'"), "random")
    assert np.isnan(table["below"].to_numpy()).all()


def test_the_table_in_markdown() -> None:
    text = roar_markdown(rows(), "random")
    lines = text.splitlines()
    assert lines[0] == "# Remove and retrain (ROAR)"
    assert "## reviews / cnn" in lines
    assert "| explainer | baseline | 0 % | 10 % | 30 % | below random |" in lines
    assert "| occlusion | mask | 0.900 | 0.500 | 0.300 | 0.200 |" in lines
    assert "| inverted |  | 0.900 | 0.900 | – | -0.200 |" in lines
