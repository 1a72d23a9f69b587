"""Names for the arrays of the model: what their numbers are, and how wide."""

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint16]
"""Characters, by their number in the alphabet."""

Levels = npt.NDArray[np.uint8]
"""How much each character surprises the language model, in levels (`tagger.surprises`)."""

Keys = npt.NDArray[np.uint64]
"""Packed or hashed n-grams."""

Words = npt.NDArray[np.uint32]
"""Entries of a static table."""

Flags = npt.NDArray[np.uint16]
"""Sets of up to 16 flags."""

Ints = npt.NDArray[np.int64]
"""Offsets, row numbers and counts."""

Floats = npt.NDArray[np.float32]
"""Log probabilities, log odds and features: what is kept."""

Doubles = npt.NDArray[np.float64]
"""The same while it is computed."""

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int8]
