"""Random tables: the same cells in each form that holds them exactly."""

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st
from scipy import sparse

from skmlp import TableEncoder

ZONE = ZoneInfo("Europe/Berlin")
UNITS = ("s", "ms", "us", "ns")


class Kind(NamedTuple):
    """Cells of one meaning, and the functions that make a column of a list of them."""

    cells: st.SearchStrategy  # without missing ones, which a column may have besides
    forms: dict[str, list[Callable]]  # by library; None stands for a missing cell

    def usable(self, library, cells):
        """The forms of a library that hold these cells."""
        has_missing = any(cell is None for cell in cells)
        return [
            form
            for form in self.forms[library]
            if not (has_missing and getattr(form, "is_never_missing", False))
        ]


class Form(NamedTuple):
    """What to train on and rows to predict, in the form of some library."""

    X: Any
    y: Any
    new: Any


class Case(NamedTuple):
    """The same rows in two forms, and the rest of what `fit` gets."""

    forms: tuple[Form, Form]
    labels: list  # y as Python objects
    sample_weight: list | None
    params: dict


# Forms


def numpy_array(dtype):
    def form(cells):
        return np.array(cells, dtype=dtype)

    form.is_never_missing = np.dtype(dtype).kind in "iubUT"
    return form


def masked_array(dtype):
    """A NumPy array whose mask covers the missing cells."""

    def form(cells):
        fill = next((cell for cell in cells if cell is not None), 0)
        filled = [fill if cell is None else cell for cell in cells]
        is_missing = [cell is None for cell in cells]
        return np.ma.array(np.array(filled, dtype=dtype), mask=is_missing)

    return form


def numpy_scalars(dtype):
    """Python objects that are scalars of NumPy."""

    def form(cells):
        scalar = np.dtype(dtype).type
        return objects(None)([None if cell is None else scalar(cell) for cell in cells])

    return form


def numpy_times(dtype):
    """Python objects that are moments or durations of NumPy, NaT among them."""
    return lambda cells: objects(None)(list(np.array(cells, dtype=dtype)))


def pandas_series(dtype):
    def form(cells):
        if isinstance(dtype, pd.ArrowDtype):
            array = pa.array(cells, dtype.pyarrow_dtype)
            return pd.Series(pd.arrays.ArrowExtensionArray(array))
        return pd.Series(cells, dtype=dtype)

    exact = pd.api.types.pandas_dtype(dtype)
    form.is_never_missing = exact.kind in "iub" and isinstance(exact, np.dtype)
    return form


def polars_series(dtype):
    return lambda cells: pl.Series(cells, dtype=dtype)


def pyarrow_array(dtype):
    return lambda cells: pa.chunked_array([pa.array(cells, type=dtype)])


def objects(missing):
    """Python objects, with a missing value of this library or that."""

    def form(cells):
        result = np.empty(len(cells), dtype=object)
        result[:] = [missing if cell is None else cell for cell in cells]
        return result

    return form


def series_of_objects(missing):
    return lambda cells: pd.Series(objects(missing)(cells), dtype=object)


def series_of(form):
    return lambda cells: pd.Series(form(cells), dtype=object)


def kind(cells, numpy=(), pandas=(), polars=(), arrow=(), missing=(math.nan, pd.NA)):
    """Cells that may come in these dtypes, or as Python objects."""
    markers = (None, *missing)
    numbers = [dtype for dtype in numpy if np.dtype(dtype).kind in "iufb"]
    times = [dtype for dtype in numpy if np.dtype(dtype).kind in "mM"]
    maskable = [dtype for dtype in numpy if np.dtype(dtype).kind != "T"]
    forms = {
        "numpy": [
            *map(numpy_array, numpy),
            *map(masked_array, maskable),
            *map(numpy_scalars, numbers),
            *map(numpy_times, times),
            *map(objects, markers),
        ],
        "pandas": [
            *map(pandas_series, [*pandas, *map(pd.ArrowDtype, arrow)]),
            *map(series_of_objects, markers),
            *map(series_of, map(numpy_times, times)),
        ],
        "polars": list(map(polars_series, polars)),
        "pyarrow": list(map(pyarrow_array, arrow)),
    }
    return Kind(cells, forms)


def integers(name):
    limits, nullable = np.iinfo(name), name.upper().replace("NT", "nt")
    cells = st.integers(int(limits.min), int(limits.max)) | st.integers(0, 3)
    polars, arrow = getattr(pl, nullable), getattr(pa, name)()
    swapped = np.dtype(name).newbyteorder()
    return kind(cells, [name, swapped], [name, nullable], [polars], [arrow])


def floats(width):
    name = f"float{width}"
    cells = st.floats(width=width, allow_nan=False) | st.integers(-3, 3).map(float)
    pandas = [name] if width == 16 else [name, f"F{name[1:]}", f"Sparse[{name}]"]
    polars = [] if width == 16 else [getattr(pl, f"Float{width}")]
    return kind(cells, [name, "longdouble"], pandas, polars, [getattr(pa, name)()])


def moments(cells, zone=None, units=UNITS):
    suffix = "" if zone is None else f", {zone}"
    return kind(
        cells,
        [] if zone else [f"datetime64[{unit}]" for unit in units],
        [f"datetime64[{unit}{suffix}]" for unit in units],
        [pl.Datetime(unit, zone and str(zone)) for unit in units if unit != "s"],
        [pa.timestamp(unit, zone and str(zone)) for unit in units],
        [pd.NaT],
    )


def categories(cells, ordered=False, are_text=True):
    """Categories, which stay so whatever their text may stand for."""

    def known(values):
        return sorted({value for value in values if value is not None})

    def categorical(values):
        dtype = pd.CategoricalDtype(known(values)[::-1], ordered=ordered)
        return pd.Series(values, dtype=dtype)

    def enum(values):
        return pl.Series(values, dtype=pl.Enum(known(values)))

    def dictionary(values):
        return pa.chunked_array([pa.array(values).dictionary_encode()])

    def arrow_dictionary(values):
        return pd.Series(pd.arrays.ArrowExtensionArray(dictionary(values)))

    forms = {
        "numpy": [],
        "pandas": [categorical, arrow_dictionary],
        "polars": [enum, polars_series(pl.Categorical)] if are_text else [],
        "pyarrow": [dictionary],
    }
    return Kind(cells, forms)


def text(*cells):
    return kind(
        st.one_of(*cells),
        [str, np.dtypes.StringDType()],
        ["str", pd.StringDtype("python"), pd.StringDtype("pyarrow")],
        [pl.String],
        [pa.string(), pa.large_string()],
    )


# Cells


def whole_seconds(moments):
    return moments.map(lambda moment: moment.replace(microsecond=0))


WORDS = st.sampled_from(["a", "B", "ä", "two words", " a", "nan", "None", "日本"])
BLANK = st.just("")
SENTENCES = st.builds("{} tea, number {}".format, WORDS, st.integers(0, 99))
IDENTIFIERS = st.integers(0, 999).map(lambda number: f"k-{number * 7919}")
NUMERALS = st.sampled_from(["1", "-2.5", "1e3", " 7 ", "0.1", "9007199254740993"])
CODES = st.sampled_from(["012", "007", "1", "200"])
ODD = st.sampled_from(["", "?", "n/a"])
DATES = st.sampled_from(["2024-02-29", "2023-12-31 23:59", "1999-01-01"])
NEAR = (dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1))  # in nanoseconds, too
MOMENTS = whole_seconds(st.datetimes(*NEAR))
AWARE = whole_seconds(
    # polars takes no moments that clocks skip
    st.datetimes(*NEAR, timezones=st.just(ZONE), allow_imaginary=False)
)
SPANS = st.integers(-(10**9), 10**9).map(lambda seconds: dt.timedelta(seconds=seconds))
HUGE = st.integers(-(2**100), 2**100) | st.integers(2**53, 2**53 + 3)
MIXTURES = st.sampled_from(
    [
        *(1, 2.5, True, math.inf, 2**53 + 1, 10**30, Decimal("0.1")),
        *("a", "", "7", "n/a", "\ud800", b"b", ("a", 1), {"a", "b"}),
        *(dt.date(2024, 2, 29), pd.Timestamp("2024-01-01")),
    ]
)

INTEGERS = {
    f"{sign}int{width}": integers(f"{sign}int{width}")
    for sign in ("", "u")
    for width in (8, 16, 32, 64)
}
KINDS = {
    **INTEGERS,
    "int128": kind(HUGE, polars=[pl.Int128]),
    "uint128": kind(
        HUGE.map(abs), polars=[pl.UInt128] if hasattr(pl, "UInt128") else []
    ),
    **{f"float{width}": floats(width) for width in (16, 32, 64)},
    "truth": kind(st.booleans(), [bool], [bool, "boolean"], [pl.Boolean], [pa.bool_()]),
    "words": text(WORDS),
    "words or blank": text(WORDS, BLANK),
    "sentences": text(SENTENCES),
    "identifiers": text(IDENTIFIERS),
    "numerals": text(NUMERALS, BLANK),
    "codes": text(CODES),
    "dates as text": text(DATES, BLANK),
    "categories": categories(WORDS),
    "ordered categories": categories(CODES, ordered=True),
    "categories of numbers": categories(st.integers(-3, 2**60), are_text=False),
    "categories of truth": categories(st.booleans(), are_text=False),
    "categories of days": categories(MOMENTS, are_text=False),
    "moments": moments(MOMENTS),
    "moments in a zone": moments(AWARE, ZONE),
    "far moments": moments(st.datetimes(), units=["us"]),
    "moments in several zones": kind(st.datetimes(*NEAR, timezones=st.timezones())),
    "days": kind(
        st.dates(), [], [], [pl.Date], [pa.date32(), pa.date64()], missing=[pd.NaT]
    ),
    "spans": kind(
        SPANS,
        [f"timedelta64[{unit}]" for unit in UNITS],
        [f"timedelta64[{unit}]" for unit in UNITS],
        [pl.Duration(unit) for unit in UNITS[1:]],
        [pa.duration(unit) for unit in UNITS],
        [pd.NaT],
    ),
    "times": kind(
        whole_seconds(st.times()),
        polars=[pl.Time],
        arrow=[pa.time32("s"), pa.time64("us")],
    ),
    "amounts": kind(
        st.decimals(-(10**6), 10**6, places=2),
        polars=[pl.Decimal(18, 2)],
        arrow=[pa.decimal128(18, 2)],
    ),
    "large amounts": kind(
        st.integers(2**53, 2**63).map(Decimal),
        polars=[pl.Decimal(30, 0)],
        arrow=[pa.decimal128(30, 0), pa.decimal256(40, 0)],
    ),
    "periods": kind(
        MOMENTS.map(lambda moment: pd.Period(moment, freq="M")),
        pandas=["period[M]"],
        missing=[pd.NaT],
    ),
    "intervals": kind(
        st.builds(pd.Interval, st.integers(-3, 0), st.integers(1, 3)),
        pandas=["interval[float64, right]"],
    ),
    "bytes": kind(st.binary(max_size=3), polars=[pl.Binary], arrow=[pa.binary()]),
    "mixtures": kind(MIXTURES),
    "numbers beside text": kind(st.integers(0, 9) | NUMERALS | ODD),
    "dates beside text": kind(MOMENTS | DATES | ODD),
    "nothing": kind(
        st.none(),
        ["float64"],
        ["float64", "Int64", "str", "boolean", "category", "datetime64[us]"],
        [pl.Null, pl.Int64, pl.String],
        [pa.null(), pa.float32(), pa.bool_()],
    ),
}
LABELS = {
    **INTEGERS,
    "whole floats": kind(st.integers(-3, 3).map(float), ["float32"], ["float64"]),
    **{name: KINDS[name] for name in ("int128", "truth", "words", "codes", "numerals")},
    **{name: KINDS[name] for name in ("categories", "large amounts")},
    "categories of numbers": categories(st.integers(-3, 3), are_text=False),
}
NAMES = ["c0", "c1", "c0_missing", "label", "X", "y", "", "ä b", "probabilities"]


# Tables


@st.composite
def cells_of(draw, kind, n_rows):
    """Cells of a column: all drawn, or some repeated."""
    n_cells = draw(st.sampled_from([n_rows, 1, 3, 8]))
    pool = draw(st.lists(kind.cells, min_size=n_cells, max_size=n_cells))
    if n_cells != n_rows:
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        pool = [pool[place] for place in rng.integers(n_cells, size=n_rows)]
    for place in draw(st.sets(st.integers(0, n_rows - 1), max_size=4)):
        pool[place] = None
    return pool


def assemble(library, columns, cells):
    """A table of columns, by name, in one library."""
    if library == "pandas":
        table = pd.DataFrame(columns)
        return table.set_axis(table.index[::-1])  # labels have an index of their own
    if library == "polars":
        return pl.DataFrame(columns)
    if library == "pyarrow":
        return pa.table(columns)
    if len({column.dtype for column in columns.values()}) > 1:
        columns = {name: objects(None)(values) for name, values in cells.items()}
    stack = np.ma.stack if any(map(np.ma.isMA, columns.values())) else np.stack
    return stack(list(columns.values()), axis=1)


@st.composite
def forms_of(draw, kinds, cells):
    """A table in one of the libraries that have forms for all its columns."""
    usable = {
        library: {name: kinds[name].usable(library, cells[name]) for name in cells}
        for library in ("pandas", "polars", "pyarrow", "numpy")
    }
    able = [library for library, forms in usable.items() if all(forms.values())]
    library = draw(st.sampled_from(able))
    columns = {
        name: draw(st.sampled_from(forms))(cells[name])
        for name, forms in usable[library].items()
    }
    return assemble(library, columns, cells)


@st.composite
def sparse_forms(draw, n_rows):
    """Two sparse matrices of the same numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    dense = rng.integers(-3, 4, (n_rows, draw(st.integers(1, 5))))
    dense = (dense * (rng.random(dense.shape) < 0.4)).astype(
        draw(st.sampled_from(["float64", "float32", "int64", "uint8", "bool"]))
    )
    makers = st.sampled_from(
        [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix]
    )
    return draw(makers)(dense), draw(makers)(dense)


def take(X, rows):
    """Rows of a table of any library."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    if isinstance(X, pa.Table):
        return X.take(rows)
    return (X.tocsr() if sparse.issparse(X) else X)[rows]


# Cases


ENCODERS = st.builds(
    TableEncoder,
    max_categories=st.integers(2, 5),
    min_frequency=st.integers(1, 2),
    text_components=st.integers(0, 2),
    random_state=st.just(0),
)
PARAMS = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.sampled_from([(), (4,)]),
        "n_estimators": st.integers(1, 2),
        "max_iter": st.integers(1, 2),
    },
    optional={
        "solver": st.sampled_from(["adam", "sgd", "lbfgs"]),
        "numeric_embedding": st.sampled_from([None, "periodic"]),
        "preprocessing": ENCODERS,
        "categorical_features": st.just([0]),
        "batch_size": st.just(8),
        "early_stopping": st.booleans(),
        "class_weight": st.just("balanced"),
        "dtype": st.just("float64"),
    },
)
WEIGHTS = st.none() | st.lists(st.sampled_from([0, 1, 2.5]), min_size=60, max_size=60)


@st.composite
def labels_of(draw, n_rows):
    """Labels, and two forms of them."""
    kind = LABELS[draw(st.sampled_from(sorted(LABELS)))]
    classes = draw(st.lists(kind.cells, min_size=2, max_size=4, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    labels = [classes[place] for place in rng.integers(len(classes), size=n_rows)]
    forms = [form for forms in kind.forms.values() for form in forms] + [list]
    forms = st.sampled_from(forms)
    return labels, draw(forms)(labels), draw(forms)(labels)


@st.composite
def cases(draw):
    """A table, labels, weights and settings."""
    n_rows, n_new = draw(st.integers(2, 60)), draw(st.integers(1, 8))
    if draw(st.integers(0, 9)) == 9:
        tables = draw(sparse_forms(n_rows + n_new))
    else:
        names = draw(
            st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)
        )
        kinds = {name: KINDS[draw(st.sampled_from(sorted(KINDS)))] for name in names}
        cells = {name: draw(cells_of(kinds[name], n_rows + n_new)) for name in names}
        tables = draw(st.tuples(*[forms_of(kinds, cells)] * 2))
    labels, *ys = draw(labels_of(n_rows))
    weight, params = draw(WEIGHTS), draw(PARAMS)
    if sparse.issparse(tables[0]):
        params.pop("categorical_features", None)
    first, rest = np.arange(n_rows), np.arange(n_rows, n_rows + n_new)
    forms = [
        Form(take(table, first), y, take(table, rest))
        for table, y in zip(tables, ys, strict=True)
    ]
    weight = None if weight is None else weight[:n_rows]
    return Case(tuple(forms), labels, weight, params)
