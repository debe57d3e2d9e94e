"""Columns of any values."""

import numpy as np
import pandas as pd

from skmlp.tabular.frame import Column, read_pandas_series
from skmlp.tabular.target_means import TrainingRows

ALL = TrainingRows.from_weight(None)


def column(values, dtype=None, name="age"):
    return Column(0, name, read_pandas_series(pd.Series(values, dtype=dtype)))


def of_objects(*values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return Column(0, "age", cells)
