"""Names of the array types in signatures; each docstring gives the shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
# Floats of any precision.
Reals = NDArray[np.floating]
# Positions and counts.
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
