"""Columns of numbers and dates as nodes, beside what the encoder makes of them."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sessions import evaluate

from skmlp.onnx.calendar import MISSING
from skmlp.onnx.feeds import CONVERSIONS, offsets
from skmlp.onnx.graph import Graph
from skmlp.onnx.numbers import READERS, numbers_in_text, smooth_scale
from skmlp.tabular.columns import NUMERIC_COLUMNS
from skmlp.tabular.frame import Column, read_pandas_series
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import TrainingRows
from skmlp.tabular.text_parsing import parse_numbers

ALL = TrainingRows.from_weight(None)
ODD = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 3.0, 1e39]


def by_encoder(scale, x):
    out = np.empty(x.shape)
    scale.write(x.T, out)
    return out


def test_scaling():
    rng = np.random.default_rng(0)
    train = rng.normal([0, 1e15, -3, 0], [1, 1e-1, 1e200, 0], size=(200, 4))
    scale = SmoothScale().fit(train.T, None)
    x = np.concatenate([train, np.array([ODD] * 4).T])
    graph = Graph()
    result = evaluate(graph, smooth_scale(graph, "x", scale), x=x)
    assert_allclose(result, by_encoder(scale, x), rtol=1e-14)
    assert np.isfinite(result).all()
    assert (result[:, 3] == 0).all()


TEXTS = [
    *("12", "-3.5", "+7", ".5", "5.", "1e3", "-1E-3", " 42 ", "0", "00.5", "0012"),
    *("1e308", "1e309", "-1e309", "1e-320", "1e-400", "-1e-400", "1e99999", "0e999"),
    *("", " ", "nan", "inf", "1,5", "0x10", "1_000", "12 13", "--1", "1e", "e5"),
    *("123456789012345678901234567890", "0." + "3" * 60, "1" + "0" * 99),
    *("1.5e+307", "-2e250", "1e-307"),
]


def test_numbers_in_text():
    texts = np.array(TEXTS, object)
    graph = Graph()
    result = evaluate(graph, numbers_in_text(graph, "x"), x=texts.reshape(-1, 1))[:, 0]
    wanted = parse_numbers(texts)
    assert_array_equal(np.isnan(result), np.isnan(wanted))
    # what is far beyond all scales need only be so as well
    is_ordinary = (np.abs(wanted) < 1e200) & ((np.abs(wanted) > 1e-190) | (wanted == 0))
    assert_array_equal(result[is_ordinary], wanted[is_ordinary])
    rest = ~is_ordinary & ~np.isnan(wanted)
    assert_allclose(
        np.clip(result[rest], -1e200, 1e200),
        np.clip(wanted[rest], -1e200, 1e200),
        atol=1e-100,
    )
    assert 10 < np.isnan(wanted).sum() < 20


def test_every_kind_of_column_has_a_reader():
    assert set(READERS) == set(NUMERIC_COLUMNS.values())


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
def test_dates(values):
    series = pd.Series(values)
    compare("dates", read_pandas_series(series))
    series = series.copy()
    series.iloc[::3] = None
    compare("dates", read_pandas_series(series))


def compare(kind, values):
    column = Column(0, "day", values)
    reader = NUMERIC_COLUMNS[kind](0)
    wanted = np.transpose(reader.fit(column, ALL))
    reads = {"kind": kind, "state": vars(reader), "is_fine": False}
    x = CONVERSIONS[kind](column, reads, np.dtype("int64")).reshape(-1, 1)
    given = {"x": x}
    if kind == "dates" and reader.has_zone and not reader.in_utc:
        given["offset"] = offsets(column, reads, x.dtype).reshape(-1, 1)
    for place, part in enumerate(reader.parts):
        graph = Graph()
        name = READERS[type(reader)](
            graph, "x", "offset" if "offset" in given else None, reader
        )[place]
        result = evaluate(graph, name, **given)
        assert_allclose(result[:, 0], wanted[:, place], rtol=1e-15, err_msg=part)


LASTING = pd.Series(pd.to_timedelta([1, -5, None, 10**6], unit="ms"))


def test_durations_and_times_of_the_day():
    compare("durations", read_pandas_series(LASTING))
    values = [dt.time(0, 0), dt.time(23, 59, 59, 999_999), None, dt.time(12, 30)]
    compare("times", np.array(values, dtype=object))


def test_missing_is_what_numpy_calls_no_time():
    assert np.datetime64("NaT").astype("int64") == MISSING
