"""The inputs of a graph: names, types and kinds, column by column."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto

from skmlp import TableEncoder
from skmlp.onnx.inputs import MATRIX, inputs_of

DOUBLE, INT64, BOOL, STRING = (
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)
DAYS = pd.date_range("2024-01-01", periods=4, freq="40D")
TABLE = pd.DataFrame(
    {
        "number": [1, 2, 3, 4],
        "nothing": [None, np.nan, None, None],
        "word": list("abca"),
        "truth": [True, False, True, True],
        "truth_or_none": pd.array([True, False, None, True], dtype="boolean"),
        "code": pd.Categorical([1, 2, 1, 3]),
        "day": DAYS,
        "zone": DAYS.tz_localize("Europe/Paris"),
        "utc_once": DAYS[:1].tz_localize("UTC").repeat(4),
        "lasting": pd.to_timedelta([1, 2, 3, 4], unit="s"),
        "time": [dt.time(hour) for hour in range(4)],
        "number_in_text": ["1", "2.5", "3", "4"],
        "day_in_text": ["2024-01-01", "2024-02-03", "2024-01-05", "2024-03-01"],
    }
)
WANTED = [
    ("number", DOUBLE, "numbers"),
    ("nothing", DOUBLE, "numbers"),
    ("word", STRING, "text"),
    ("truth", BOOL, "numbers"),
    ("truth_or_none", DOUBLE, "numbers"),
    ("code", INT64, "numbers"),
    ("day", INT64, "dates"),
    ("zone", INT64, "dates"),
    ("zone_utc_offset", INT64, "offsets"),
    ("utc_once", INT64, "dates"),
    ("lasting", INT64, "durations"),
    ("time", INT64, "times"),
    ("number_in_text", STRING, "text"),
    ("day_in_text", STRING, "text"),
]


def test_types_and_kinds():
    inputs = inputs_of(TableEncoder().fit(TABLE))
    assert [(i.name, i.elem_type, i.kind) for i in inputs] == WANTED
    assert inputs[8].column == "zone"


def test_a_matrix_without_names_is_one_input():
    (only,) = inputs_of(TableEncoder().fit(np.eye(3)))
    assert (only.name, only.kind, only.width) == (MATRIX, "matrix", 3)
    assert only.as_proto().type.tensor_type.shape.dim[1].dim_value == 3


def test_columns_without_names_that_are_no_numbers():
    X = np.array([[1, "a"], [2, "b"], [3, "a"]], object)
    inputs = inputs_of(TableEncoder().fit(X))
    assert [(i.name, i.elem_type) for i in inputs] == [("x0", DOUBLE), ("x1", STRING)]


@pytest.mark.parametrize("names", [[7, 8], [("a", 1), ("a", 2)]])
def test_names_that_are_no_text(names):
    X = pd.DataFrame(np.eye(2), columns=pd.Index(names, tupleize_cols=False))
    inputs = inputs_of(TableEncoder().fit(X))
    assert [entry.name for entry in inputs] == [str(name) for name in names]


def test_names_are_unique():
    X = TABLE[["zone", "number"]].set_axis(["a", "a_utc_offset"], axis=1)
    names = [entry.name for entry in inputs_of(TableEncoder().fit(X))]
    assert names == ["a", "a_utc_offset_2", "a_utc_offset"]


def test_inputs_of_names_that_onnx_can_not_hold_get_others():
    names = pd.Index(["", "x0", "a\ud800", "x0_2"], dtype=object)
    X = pd.DataFrame(np.eye(4), columns=names)
    inputs = inputs_of(TableEncoder().fit(X))
    assert [entry.name for entry in inputs] == ["x0_3", "x0", "a\\ud800", "x0_2"]
    assert [entry.column for entry in inputs] == list(X)


def test_inputs_of_terms_with_lone_surrogates_are_refused_by_name():
    notes = [f"bad \ud800 number {place}" for place in range(60)]
    X = pd.DataFrame({"note": pd.Series(notes, dtype=object)})
    encoder = TableEncoder(text_odds=False, random_state=0).fit(X)
    with pytest.raises(ValueError, match="Unicode text in column 'note'"):
        inputs_of(encoder)


@pytest.mark.filterwarnings("ignore:column 'cell'.*other text")
def test_inputs_of_columns_of_two_kinds_are_refused():
    cells = pd.Series([1.5, 2.5, "unknown"] * 20, dtype=object)
    encoder = TableEncoder().fit(pd.DataFrame({"cell": cells}))
    with pytest.raises(TypeError, match="column 'cell' holds numbers and other text"):
        inputs_of(encoder)


@pytest.mark.parametrize("value", [dt.timedelta(1), dt.time(1)])
def test_inputs_of_columns_with_text_for_missing_values_keep_their_type(value):
    cells = pd.Series([value, value.__class__(), "?"] * 20, dtype=object)
    (only,) = inputs_of(TableEncoder().fit(pd.DataFrame({"cell": cells})))
    assert only.elem_type == INT64
