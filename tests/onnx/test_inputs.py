"""Inputs of a graph: names, types, kinds, values and numbers of each column."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto
from sessions import evaluate

from skmlp import TableEncoder
from skmlp.onnx.encoder import MATRIX, build_inputs
from skmlp.onnx.graph import Graph
from skmlp.onnx.inputs import INPUTS
from skmlp.onnx.keys import MISSING_INT64
from skmlp.tabular.encoder import NUMERIC_COLUMNS
from skmlp.tabular.frame import Column, read_pandas_series
from skmlp.tabular.target_means import TrainingRows

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
    ("word", STRING, "categories"),
    ("truth", BOOL, "categories"),
    ("truth_or_none", DOUBLE, "categories"),
    ("code", INT64, "categories"),
    ("day", INT64, "dates"),
    ("zone", INT64, "dates"),
    ("zone_utc_offset", INT64, "offsets"),
    ("utc_once", INT64, "dates"),
    ("lasting", INT64, "durations"),
    ("time", INT64, "times"),
    ("number_in_text", DOUBLE, "numbers"),
    ("day_in_text", INT64, "dates"),
]


def test_types_and_kinds():
    inputs = build_inputs(TableEncoder().fit(TABLE))
    assert [(i.name, i.elem_type, i.kind) for i in inputs] == WANTED
    assert inputs[8].column == "zone"


def test_a_matrix_without_names_is_one_input():
    (only,) = build_inputs(TableEncoder().fit(np.eye(3)))
    assert (only.name, only.kind, only.width) == (MATRIX, "matrix", 3)
    assert only.as_proto().type.tensor_type.shape.dim[1].dim_value == 3


def test_columns_without_names_that_are_no_numbers():
    X = np.array([[1, "a"], [2, "b"], [3, "a"]], object)
    inputs = build_inputs(TableEncoder().fit(X))
    assert [(i.name, i.elem_type) for i in inputs] == [("x0", DOUBLE), ("x1", STRING)]


@pytest.mark.parametrize("names", [[7, 8], [("a", 1), ("a", 2)]])
def test_names_that_are_no_text(names):
    X = pd.DataFrame(np.eye(2), columns=pd.Index(names, tupleize_cols=False))
    inputs = build_inputs(TableEncoder().fit(X))
    assert [entry.name for entry in inputs] == [str(name) for name in names]


def test_names_are_unique():
    X = TABLE[["zone", "number"]].set_axis(["a", "a_utc_offset"], axis=1)
    names = [entry.name for entry in build_inputs(TableEncoder().fit(X))]
    assert names == ["a", "a_utc_offset_2", "a_utc_offset"]


def test_inputs_of_names_that_onnx_can_not_hold_get_others():
    names = pd.Index(["", "x0", "a\ud800", "x0_2"], dtype=object)
    X = pd.DataFrame(np.eye(4), columns=names)
    inputs = build_inputs(TableEncoder().fit(X))
    assert [entry.name for entry in inputs] == ["x0_3", "x0", "a\\ud800", "x0_2"]
    assert [entry.column for entry in inputs] == list(X)


def test_inputs_of_terms_with_lone_surrogates_are_refused_by_name():
    notes = [f"bad \ud800 number {place}" for place in range(60)]
    X = pd.DataFrame({"note": pd.Series(notes, dtype=object)})
    encoder = TableEncoder(text_odds=False, random_state=0).fit(X)
    with pytest.raises(ValueError, match="Unicode text in column 'note'"):
        build_inputs(encoder)


@pytest.mark.filterwarnings("ignore:column 'cell'.*other text")
def test_inputs_of_columns_of_two_kinds_are_refused():
    cells = pd.Series([1.5, 2.5, "unknown"] * 20, dtype=object)
    encoder = TableEncoder().fit(pd.DataFrame({"cell": cells}))
    with pytest.raises(TypeError, match="column 'cell' holds numbers and other text"):
        build_inputs(encoder)


@pytest.mark.parametrize("value", [dt.timedelta(1), dt.time(1)])
def test_inputs_of_columns_with_text_for_missing_values_keep_their_type(value):
    cells = pd.Series([value, value.__class__(), "?"] * 20, dtype=object)
    (only,) = build_inputs(TableEncoder().fit(pd.DataFrame({"cell": cells})))
    assert only.elem_type == INT64


ALL = TrainingRows.from_weight(None)
MOMENTS = pd.date_range("2021-12-30 20:15:30.25", periods=400, freq="7h").as_unit("us")
ZONES = ["UTC", "Asia/Tokyo"] * 200
SEVERAL = pd.Series(
    [moment.tz_localize(zone) for moment, zone in zip(MOMENTS, ZONES, strict=True)],
    dtype=object,
)


@pytest.mark.parametrize(
    "values",
    [
        MOMENTS,
        MOMENTS.tz_localize("Europe/Berlin", ambiguous=True),
        MOMENTS.tz_localize("UTC").tz_convert("Asia/Kolkata"),
        MOMENTS.as_unit("ns"),
        MOMENTS.as_unit("s"),
        pd.period_range("2020-01", periods=30, freq="M"),
        pd.Series([dt.date(2020, 1, 1), dt.date(2020, 2, 3)] * 3, dtype=object),
        SEVERAL,
        SEVERAL[1::2],
    ],
    ids=lambda values: str(values.dtype),
)
def test_dates_agree_with_the_encoder(values):
    series = pd.Series(values)
    compare("dates", read_pandas_series(series))
    series = series.copy()
    series.iloc[::3] = None
    compare("dates", read_pandas_series(series))


def compare(kind, values):
    """Compare numbers of the graph with those of the encoder's column."""
    column = Column(0, "day", values)
    reader = NUMERIC_COLUMNS[kind](0)
    wanted = np.transpose(reader.fit(column, ALL))
    state = {"type": kind, "fitted": vars(reader), "is_fine": False}
    entry = INPUTS[kind]("x", "day", state=state)
    given = {"x": entry.fill(column).reshape(-1, 1)}
    if kind == "dates" and reader.has_zone and not reader.in_utc:
        offset = INPUTS["offsets"]("offset", "day", state=state)
        given["offset"] = offset.fill(column).reshape(-1, 1)
    for place, part in enumerate(reader.parts):
        graph = Graph()
        name = entry.add_numbers(graph, "offset" if "offset" in given else None)[place]
        result = evaluate(graph, name, **given)
        assert_allclose(result[:, 0], wanted[:, place], rtol=1e-15, err_msg=part)


def test_dates_in_text_agree_with_the_encoder():
    texts = ["2024-02-29", " 2024-02-29\n", "2023-02-29", "2024-13-01", "today", ""]
    compare("dates", np.array([*texts, "2024-02-29T10:20:30.5", None], object))
    zoned = [f"2024-02-29 10:20:3{place}-11:15" for place in range(9)]
    compare("dates", np.array([*zoned, "?"], object))
    compare("dates", np.array([*zoned, "2024-02-29T10:20Z", "2024-12-31T23:00+0530"]))


LASTING = pd.Series(pd.to_timedelta([1, -5, None, 10**6], unit="ms"))


def test_durations_and_times_agree_with_the_encoder():
    compare("durations", read_pandas_series(LASTING))
    values = [dt.time(0, 0), dt.time(23, 59, 59, 999_999), None, dt.time(12, 30)]
    compare("times", np.array(values, dtype=object))


def test_missing_is_what_numpy_calls_no_time():
    assert np.datetime64("NaT").astype("int64") == MISSING_INT64
