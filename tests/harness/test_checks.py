from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.explainers.explanation import Explanation
from assay.harness.storage.store import write_table
from assay.harness.trials.records import read_checks, to_table


def test_checks_are_what_the_explanations_say_of_themselves(tmp_path: Path):
    words = np.array([-1, 0, 1, 2], dtype=np.int32)

    def record(name: str, target: int, error: list[float] | None) -> Explanation:
        return Explanation(
            name,
            target,
            ("a",) * 4,
            np.zeros(4, np.int32),
            np.zeros((4, 2), np.int32),
            words,
            np.array([0, 1, 2, 3], dtype=np.float32),
            "logit",
            value_input=8.0,
            value_baseline=1.0,
            standard_error=None if error is None else np.array(error, dtype=np.float32),
        )

    records = [record("b", 1, [0, 0.5, 0.5, 0.5]), record("a", 0, None)]
    write_table(tmp_path / "part.parquet", to_table(records))
    found = read_checks(tmp_path / "part.parquet", ["a", "b"], 2)
    np.testing.assert_array_equal(found.effect, [[7, np.nan], [np.nan, 7]])
    np.testing.assert_array_equal(found.gap, [[1, np.nan], [np.nan, 1]])
    np.testing.assert_array_equal(found.reliability, [[np.nan, np.nan], [np.nan, 0.75]])
