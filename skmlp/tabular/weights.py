"""Weights of rows, as they are given, to numbers that can be summed and multiplied."""

import numpy as np
from numpy.typing import ArrayLike

from skmlp._sklearn_compat import check_sample_weight

SMALLEST, LARGEST = 1e-100, 1e100
"""Where the largest weight has to lie for sums and products to stay finite."""


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> np.ndarray:
    """One non-negative float64 per row, or a sentence that says what came instead.

    None and a number stand for as many equal weights. The caller's weights are never
    written.
    """
    if isinstance(sample_weight, np.ma.MaskedArray):
        n_masked = int(np.ma.getmaskarray(sample_weight).sum())
        if n_masked:
            raise ValueError(
                f"sample_weight is a masked array that hides {n_masked} of its "
                "weights; give these rows a weight (0 leaves a row out)."
            )
    weight = check_sample_weight(sample_weight, n_rows)
    if not weight.any():
        raise ValueError(
            "sample_weight must be positive for some row, but all weights are zero."
        )
    return limit_range(weight)


@np.errstate(all="ignore")
def limit_range(weight: np.ndarray) -> np.ndarray:
    """The weights, scaled if the largest is so small or large that sums would suffer.

    That changes nothing, since only the ratios of such weights matter.
    """
    largest = weight.max(initial=0.0)
    wanted = np.clip(largest, SMALLEST, LARGEST)
    return weight if largest in (0, wanted) else weight / largest * wanted
