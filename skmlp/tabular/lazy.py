"""What stands for rows but is no table: refused, with the way to one."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeGuard

import narwhals as nw
import numpy as np
import pandas as pd

Test: TypeAlias = Callable[[object], bool]

EAGER = (np.ndarray, pd.DataFrame, pd.Series, list, tuple)
"""What holds its rows, found without asking further."""


def check_not_lazy(**given: object) -> None:
    """Raise where an argument holds no rows yet, before anything is computed of it.

    Libraries are recognised without being imported: what they made can't be here unless
    they are.

    Parameters
    ----------
    **given : object
        What a caller has passed, by its name there.

    Raises
    ------
    TypeError
        What came, and how rows are made of it.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, EAGER):
            refuse_one(name, value)


def refuse_one(name: str, value: object) -> None:
    """Raise if this value is of a kind in the tables below."""
    came = f"{name} has the type {describe_type(value)}, which"
    # first, as narwhals warns of its own frames when it is asked about other lazy ones
    for holds, reason in NO_TABLES:
        if holds(value):
            raise TypeError(f"{came} {reason.format(name=name)}.")
    for kind in LAZY_TABLES:
        if kind.holds(value):
            parts = f", or predict part by part with X.{kind.parts}"
            if kind.trainer:
                parts += f" (to train on it, use {kind.trainer})"
            raise TypeError(
                f"{came} holds no rows yet; pass {name}.{kind.whole}"
                f"{parts if name == 'X' else ''}."
            )


def check_is_table(name: str, X: object) -> None:
    """Raise unless X is a table, an array or a list that may have columns."""
    if isinstance(X, pd.DataFrame) or (
        isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.names is None
    ):
        return
    for holds, came, way in OTHER_TABLES:
        if holds(X):
            raise TypeError(
                f"expected a table as {name}, got {came or describe_type(X)}. "
                f"Pass {way.format(name=name)}."
            )


def is_dict(X: object) -> TypeGuard[Mapping]:
    """Return True for a dict that is no sparse matrix, as some of them are."""
    return isinstance(X, Mapping) and not hasattr(X, "shape")


def has_records(X: object) -> bool:
    """Return True for a list, a Series or an array of dicts, one per row."""
    if isinstance(X, np.ndarray | pd.Series):
        return X.ndim == 1 and X.dtype == object and has_records(X.tolist())
    return isinstance(X, list | tuple) and len(X) > 0 and is_dict(X[0])


def has_no_axes(X: object) -> bool:
    """Return True for what can't hold rows, such as None, a number or a set."""
    if isinstance(X, bytes | bytearray | type):
        return True
    if hasattr(X, "ndim"):
        return X.ndim == 0
    holds_rows = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    return not holds_rows and not hasattr(X, "__array__") and not hasattr(X, "shape")


OTHER_TABLES: Sequence[tuple[Test, str, str]] = (
    (
        lambda X: is_dict(X) and any(map(pd.api.types.is_scalar, X.values())),
        "a dict of one row",
        "pd.DataFrame([{name}])",
    ),
    (is_dict, "a dict of columns", "pd.DataFrame({name})"),
    (
        lambda X: isinstance(X, list | tuple) and has_records(X),
        "a list of dicts",
        "pd.DataFrame({name})",
    ),
    (has_records, "an array of dicts", "pd.DataFrame(list({name}))"),
    (
        lambda X: isinstance(X, np.ma.MaskedArray) and X.dtype.names is not None,
        "a structured array with a mask",
        "pd.DataFrame({name}.tolist(), columns={name}.dtype.names)",
    ),
    (
        lambda X: getattr(getattr(X, "dtype", None), "names", None) is not None,
        "a structured array",
        "pd.DataFrame({name})",
    ),
    (
        has_no_axes,
        "",
        "a DataFrame, or an array of shape (n_samples, n_features)",
    ),
)
"""Other forms of rows, what to call them, and what to pass in their place."""


def describe_type(value: object) -> str:
    """The type of a value with the package that it is from: "dask DataFrame"."""
    package = type(value).__module__.partition(".")[0]
    words = [type(value).__name__]
    return " ".join(words if package == "builtins" else [package, *words])


def is_any(*names: str) -> Test:
    """A test for classes, by their full public names, of modules that may be absent."""
    split = [name.rpartition(".") for name in names]

    def holds(value: object) -> bool:
        return any(
            isinstance(value, getattr(sys.modules[module], name))
            for module, _, name in split
            if module in sys.modules
        )

    return holds


def is_dask(value: object) -> bool:
    """Whether this is a Dask collection, or wraps one, as xarray may."""
    graph = getattr(value, "__dask_graph__", None)
    return callable(graph) and graph() is not None


NO_TABLES: Sequence[tuple[Test, str]] = (
    (
        lambda value: isinstance(value, str | os.PathLike),
        "holds no rows; pass what it names: pandas.read_parquet({name}) where that is "
        "a file, table[{name}] where it is a column",
    ),
    (
        is_any(
            "polars.Expr",
            "duckdb.Expression",
            "pyspark.sql.Column",
            "ibis.expr.types.Column",
        ),
        "says how to compute values but holds none; pass a column that has been "
        'computed, such as table["label"]',
    ),
    (
        is_any("pyarrow.RecordBatch"),
        "would lose the names of its columns; pass "
        "pyarrow.Table.from_batches([{name}])",
    ),
    (
        nw.dependencies.is_narwhals_dataframe,
        "would lose the names of its columns; pass {name}.to_native()",
    ),
    (
        nw.dependencies.is_narwhals_lazyframe,
        "holds no rows yet; pass {name}.collect().to_native()",
    ),
    (
        lambda value: isinstance(value, Iterator),
        "gives what it has one after the other and then is empty; pass all of it as "
        "one table or list",
    ),
)
"""Kinds of other things, and the rest of the sentence about each."""


class Lazy(NamedTuple):
    """One kind of lazy tables, the calls that give its rows, and who can fit on it."""

    holds: Test
    whole: str
    parts: str
    trainer: str = ""


ON_DASK = "skmlp.dask.DaskMLPSoftmaxClassifier"

LAZY_TABLES: Sequence[Lazy] = (
    Lazy(nw.dependencies.is_dask_dataframe, "compute()", "map_partitions", ON_DASK),
    Lazy(is_dask, "compute()", "map_blocks", ON_DASK),
    Lazy(nw.dependencies.is_polars_lazyframe, "collect()", "map_batches"),
    Lazy(
        is_any("pyarrow.dataset.Dataset", "pyarrow.dataset.Scanner"),
        "to_table()",
        "to_batches",
    ),
    Lazy(nw.dependencies.is_duckdb_relation, "df()", "to_arrow_reader"),
    Lazy(nw.dependencies.is_ibis_table, "to_pandas()", "to_pyarrow_batches"),
    Lazy(nw.dependencies.is_pyspark_dataframe, "toPandas()", "mapInPandas"),
    Lazy(is_any("ray.data.Dataset"), "to_pandas()", "map_batches"),
)
"""Kinds of tables whose rows are elsewhere; the first that holds counts."""
