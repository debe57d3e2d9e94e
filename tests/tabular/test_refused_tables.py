"""What holds no rows is refused before it is computed, with what to do instead."""

import re
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from scipy.sparse import csr_array

from skmlp import MLPSoftmaxClassifier, TableEncoder
from skmlp.tabular.frame import check_not_lazy

FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
TABLE = pa.Table.from_pandas(FRAME)


def computed(*_):
    raise AssertionError("rows were computed")


def dask_frame():
    return dd.from_map(computed, range(2), meta=FRAME)


def dask_array():
    return da.from_delayed(dask.delayed(computed)(), shape=(2, 2), dtype=float)


KINDS = {
    "dask DataFrame": (dask_frame, "X.compute(), or * with X.map_partitions"),
    "dask Series": (lambda: dask_frame()["a"], "X.compute()"),
    "dask Array": (dask_array, "X.compute(), or * with X.map_blocks"),
    "dask Delayed": (lambda: dask.delayed(computed)(), "X.compute()"),
    "polars LazyFrame": (
        lambda: pl.LazyFrame(TABLE).map_batches(computed),
        "X.collect(), or * with X.map_batches",
    ),
    "polars Expr": (lambda: pl.col("a"), "a column that has been computed"),
    "pyarrow InMemoryDataset": (
        lambda: ds.dataset(TABLE),
        "X.to_table(), or * with X.to_batches",
    ),
    "pyarrow Scanner": (lambda: ds.dataset(TABLE).scanner(), "X.to_table()"),
    "pyarrow RecordBatch": (
        lambda: TABLE.to_batches()[0],
        "pyarrow.Table.from_batches([X])",
    ),
    "narwhals DataFrame": (lambda: nw.from_native(FRAME), "X.to_native()"),
    "narwhals LazyFrame": (
        lambda: nw.from_native(pl.LazyFrame(TABLE)),
        "X.collect().to_native()",
    ),
    "str": (lambda: "rows.parquet", "pandas.read_parquet(X)"),
    f"pathlib {type(Path()).__name__}": (
        lambda: Path("rows.parquet"),
        "pandas.read_parquet(X)",
    ),
    "generator": (lambda: (row for row in [[1.0]]), "one table or list"),
    "pyarrow RecordBatchReader": (TABLE.to_reader, "one table or list"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_no_rows_is_refused_with_the_way_out(kind):
    made, way_out = KINDS[kind]
    way_out = re.escape(way_out).replace(r"\*", "predict part by part")
    with pytest.raises(
        TypeError, match=f"^expected rows in memory as X, got .*{kind}. .*{way_out}"
    ):
        check_not_lazy(X=made())


def test_the_argument_is_named_and_only_x_is_predicted_in_parts():
    with pytest.raises(
        TypeError, match=r"^expected .* as y, got the lazy .*\. Call y\.compute\(\)\.$"
    ):
        check_not_lazy(X=FRAME, y=dask_frame()["a"])


def test_a_frame_of_duckdb_says_how_to_get_its_rows():
    duckdb = pytest.importorskip("duckdb")
    with pytest.raises(TypeError, match=r"Call X\.df\(\), or .* with X\.to_arrow"):
        check_not_lazy(X=duckdb.sql("select 1 as a"))
    with pytest.raises(TypeError, match="Pass a column that has been computed"):
        check_not_lazy(y=duckdb.ColumnExpression("a"))


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")
def test_a_table_of_ibis_says_how_to_get_its_rows():
    ibis = pytest.importorskip("ibis")
    table = ibis.memtable(FRAME)
    with pytest.raises(TypeError, match=r"Call X\.to_pandas\(\), or .* with X\.to_py"):
        check_not_lazy(X=table)
    with pytest.raises(TypeError, match="Pass a column that has been computed"):
        check_not_lazy(y=table["a"])


def test_an_array_of_xarray_is_lazy_where_dask_is_behind_it():
    xarray = pytest.importorskip("xarray")
    check_not_lazy(X=xarray.DataArray(np.eye(2)))
    with pytest.raises(TypeError, match=r"xarray DataArray.* Call X\.compute\(\)"):
        check_not_lazy(X=xarray.DataArray(dask_array()))


@pytest.mark.parametrize(
    "rows",
    [
        None,
        FRAME,
        FRAME["a"],
        FRAME.index,
        pl.DataFrame(TABLE),
        pl.Series([1]),
        TABLE,
        TABLE["a"],
        np.eye(2),
        np.ma.array(np.eye(2)),
        csr_array(np.eye(2)),
        [[1.0]],
        range(2),
    ],
    ids=lambda rows: f"{type(rows).__module__.split('.')[0]} {type(rows).__name__}",
)
def test_rows_that_are_there_pass(rows):
    check_not_lazy(X=rows)


def test_no_library_is_imported_to_look_for_its_tables():
    code = (
        "import sys, numpy as np, skmlp.tabular.frame as frame\n"
        "frame.check_not_lazy(X=np.float64(1))\n"
        "libraries = {'dask', 'duckdb', 'ibis', 'polars', 'pyspark'}\n"
        "print(sorted(libraries & sys.modules.keys()))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


RECORDS = FRAME.to_dict("records")
OTHER_TABLES = {
    "a dict of lists": (FRAME.to_dict("list"), "pd.DataFrame(X)"),
    "a dict of arrays": (dict(FRAME.items()), "pd.DataFrame(X)"),
    "a dict of one row": (RECORDS[0], "pd.DataFrame([X])"),
    "a list of dicts": (RECORDS, "pd.DataFrame(X)"),
    "a tuple of dicts": (tuple(RECORDS), "pd.DataFrame(X)"),
    "an array of dicts": (np.array(RECORDS), "pd.DataFrame(list(X))"),
    "a Series of dicts": (pd.Series(RECORDS), "pd.DataFrame(list(X))"),
    "a structured array": (np.ones(2, [("a", "f8"), ("b", "f4")]), "pd.DataFrame(X)"),
    "a record array": (FRAME.to_records(index=False), "pd.DataFrame(X)"),
    "a masked record array": (
        np.ma.array([(1, 2), (3, 4)], mask=[(0, 1), (0, 0)], dtype="i8, i8"),
        "pd.DataFrame(X.tolist(), columns=X.dtype.names)",
    ),
    "None": (None, "a DataFrame, or an array of shape"),
    "a number": (3.5, "a DataFrame, or an array of shape"),
    "a NumPy number": (np.float64(3.5), "a DataFrame, or an array of shape"),
    "an array of no axes": (np.array(3.5), "a DataFrame, or an array of shape"),
    "bytes": (b"rows", "a DataFrame, or an array of shape"),
    "a set": ({1.0, 2.0}, "a DataFrame, or an array of shape"),
    "values of a dict": (FRAME.to_dict("list").values(), "a DataFrame, or an array"),
    "a class": (pd.DataFrame, "a DataFrame, or an array of shape"),
}
"""Other forms of rows, and what to pass in their place."""
Y = ["no", "yes"]


def quick(**params):
    return MLPSoftmaxClassifier(
        (2,), n_estimators=1, max_iter=1, early_stopping=False, **params
    )


FITTED = quick(learning_rate="cosine").fit(FRAME, Y)
ENTRIES = {
    "fit": lambda X: quick().fit(X, Y),
    "fit without preprocessing": lambda X: quick(preprocessing=None).fit(X, Y),
    "partial_fit": lambda X: quick().partial_fit(X, Y, classes=Y),
    "predict": FITTED.predict,
    "predict_proba": FITTED.predict_proba,
    "score": lambda X: FITTED.score(X, Y),
    "encoder": TableEncoder().fit,
    "fitted encoder": TableEncoder().fit(FRAME).transform,
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", OTHER_TABLES)
def test_other_forms_of_rows_are_refused_with_the_way_to_a_table(kind, entry):
    X, way = OTHER_TABLES[kind]
    pattern = rf"^expected a table as X, got .*\. Pass {re.escape(way)}"
    with pytest.raises(TypeError, match=pattern):
        ENTRIES[entry](X)


@pytest.mark.parametrize("kind", [kind for kind in OTHER_TABLES if kind != "None"])
def test_other_forms_of_validation_rows_are_named(kind):
    X_val, way = OTHER_TABLES[kind]
    way = re.escape(way.replace("X", "X_val"))
    with pytest.raises(TypeError, match=rf"^expected a table as X_val, .* Pass {way}"):
        quick().fit(FRAME, Y, X_val=X_val, y_val=Y)


@pytest.mark.parametrize(
    "kind", [kind for kind, (_, way) in OTHER_TABLES.items() if way[:3] == "pd."]
)
def test_the_way_to_a_table_leads_there(kind):
    X, way = OTHER_TABLES[kind]
    assert TableEncoder().fit(eval(way, {"pd": pd, "X": X})).n_features_in_ == 2
