"""Types of columns, by dtype or by values."""

import datetime as dt
import decimal
import fractions

import numpy as np
import pandas as pd
import pytest
from columns import column, of_objects

from skmlp.tabular.column_types import infer_column_type


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (column([1, 2]), "numbers"),
        (column([1, None], "Int8"), "numbers"),
        (column([1, None], "Float32"), "numbers"),
        (column([1.0, 0.0], pd.SparseDtype(float)), "numbers"),
        (column([True, False]), "categories"),
        (column([True, None], "boolean"), "categories"),
        (column([1, 2], "category"), "categories"),
        (column(["a", "b"], "string"), "categories"),
        (column(["a", "b"], object), "categories"),
        (of_objects(1, 2.5, None, np.float32(2)), "numbers"),
        (of_objects(decimal.Decimal(1), 2.5, fractions.Fraction(1, 3)), "numbers"),
        (of_objects(1, "1"), "categories"),
        (of_objects(1, True), "categories"),
        (of_objects(1, 2.5, True), "numbers"),
        (of_objects(1, np.True_, 2), "numbers"),
        (of_objects(1.5, ""), "categories"),
        (of_objects(True, None), "categories"),
        (of_objects(dt.date(2024, 1, 1), None), "dates"),
        (of_objects(dt.datetime(2024, 1, 1)), "dates"),
        (of_objects(dt.timedelta(1)), "durations"),
        (of_objects(dt.time(1)), "times"),
        (of_objects(None, float("nan")), "empty"),
        (column([None, None], "string"), "empty"),
        (column(["2024-01-01"], "datetime64[ns]"), "dates"),
        (column(["2024-01-01"], "datetime64[ns, UTC]"), "dates"),
        (column(pd.period_range("2024", periods=2, freq="D")), "dates"),
        (of_objects(pd.Period("2024-01"), None), "dates"),
        (of_objects(pd.Period("2024-01"), pd.Period("2024-01-02"), pd.NA), "dates"),
        (of_objects(pd.Period("2024-01"), dt.datetime(2024, 1, 1)), "dates"),
        (column(pd.interval_range(0, 2)), "categories"),
    ],
    ids=repr,
)
def test_infer_column_type(found, kind):
    assert infer_column_type(found) == kind


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (column([1j, 2]), "dtype complex128"),
        (of_objects(1j, 2), "Complex data not supported"),
    ],
    ids=["complex", "complex objects"],
)
def test_infer_column_type_refuses_complex_numbers(found, message):
    with pytest.raises((TypeError, ValueError), match=message) as error:
        infer_column_type(found)
    assert str(error.value).startswith("column 'age'")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (column(["1", "-2.5"]), "numbers"),
        (column(["2024-01-01", None], object), "dates"),
        (column(["a", "1"]), "categories"),
        (column(["1", "2"], "category"), "categories"),
        (of_objects("1", 2), "numbers"),
        (of_objects("a", 2), "categories"),
        (of_objects("a", 2, 3.5, ""), "numbers"),
        (of_objects("a", True, False), "categories"),
        (of_objects(1, True, 2.5, "?"), "numbers"),
        (of_objects(pd.Timestamp("2024-01-01"), "2024-01-02", ""), "dates"),
        (of_objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 2), "?"), "dates"),
        (of_objects(dt.timedelta(1), ""), "durations"),
        (of_objects(dt.time(1), "n/a"), "times"),
        (of_objects(1, dt.time(1), ""), "categories"),
        (column([True, False]), "categories"),
        (column([None, None], "string"), "empty"),
        (column([1, 2]), "numbers"),
    ],
    ids=repr,
)
def test_infer_column_type_of_text_that_is_parsed(found, kind):
    assert infer_column_type(found, parse=True) == kind
