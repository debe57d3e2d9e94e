"""Objects of this package to trees of plain values and back, by a table of classes.

An object becomes ``{"class": its name, "state": what it holds}``. Reading makes nothing
but objects of the classes in the table, from states whose types are checked, and calls
nothing that a file names.
"""

import datetime as dt
import math
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from decimal import Decimal
from functools import partial
from itertools import combinations
from pathlib import Path, PosixPath, WindowsPath
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeGuard, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import BaseEstimator

from skmlp._sklearn_compat import validate_parameters
from skmlp.data.incremental import BufferedFrame, BufferedRows, RowBuffer, join_rows
from skmlp.nn.activations import ACTIVATIONS, Activation
from skmlp.nn.network import Architecture
from skmlp.persistence.archive import Leaf, Tree, expect
from skmlp.persistence.checks import (
    Check,
    State,
    check_hashes,
    check_state,
    is_a,
    is_array,
    is_ascending,
    is_count,
    is_finite_array,
    is_flag,
    is_line_of_names,
    is_list_of,
    is_number,
    is_number_in,
    is_setting,
)
from skmlp.tabular.columns import (
    DATE_PARTS,
    NUMERIC_COLUMNS,
    CategoricalBlock,
    CategoryEncoding,
    DateColumn,
    NumericColumn,
    OneHotEncoding,
    SignEncoding,
    find_value_types,
)
from skmlp.tabular.encoder import TableEncoder, get_column_names
from skmlp.tabular.frame import NAMES_ATTRIBUTE, SparseMatrix, Values
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import TargetMeans
from skmlp.tabular.text import ANALYZERS, TextBlock
from skmlp.training.monitor import PlateauTracker

PLAIN = (type(None), bool, int, float, str, bytes)

Built = TypeVar("Built")
Estimator = TypeVar("Estimator", bound=BaseEstimator)


class Form(NamedTuple, Generic[Built]):
    """How objects of one class are taken apart and put together again.

    Attributes
    ----------
    state_of : callable
        The values that an object is built from, by name; None if it is one of those
        objects of its class that no file can hold.
    build : callable
        An object, from such values; raises an error if they are wrong.
    columns : callable
        Names of the columns that the entries of a value are about, by the name of that
        value; for messages.
    """

    state_of: Callable[[Built], State | None]
    build: Callable[[State], Built]
    columns: Callable[[Built], Mapping[str, Sequence[object]]] = lambda built: {}


def encode(value: object, name: str) -> Tree:
    """The plain tree that stands for a value; `name` is for messages."""
    if is_leaf(value):
        return value
    if type(value) is list or type(value) is tuple:
        entries = [encode(entry, f"{name}[{i}]") for i, entry in enumerate(value)]
        return type(value)(entries)
    form = FORMS_BY_CLASS.get(type(value))
    state = None if form is None else form.state_of(value)
    if form is None or state is None:
        advice = "convert the values to text or numbers before fit, or "
        raise TypeError(
            f"{name} is {kind_in_words(value)}, which a file that is safe to load "
            f"can't hold; {advice if name.startswith('column ') else ''}save the model "
            "with skops.io.dump or pickle instead."
        )
    columns = form.columns(value)
    encoded = {
        part: encode_columns(held, f"{name}.{part}", columns[part])
        if part in columns
        else encode(held, f"{name}.{part}")
        for part, held in state.items()
    }
    return {"class": type(value).__name__, "state": encoded}


def encode_columns(values: object, name: str, columns: Sequence[object]) -> list[Tree]:
    """The trees of values that are each about a column of X."""
    entries = enumerate(zip(cast(list[object], values), columns, strict=True))
    return [
        encode(value, f"column {column!r}: {name}[{place}]")
        for place, (value, column) in entries
    ]


def decode(tree: Tree) -> object:
    """The value that a tree stands for; raises an error of any kind if it is none."""
    if type(tree) is list:
        return [decode(entry) for entry in tree]
    if type(tree) is tuple:
        return tuple([decode(entry) for entry in tree])
    if type(tree) is not dict:
        return tree
    form = FORMS[expect(str, tree["class"])]
    state = expect(dict, tree["state"])
    return form.build({part: decode(held) for part, held in state.items()})


def is_leaf(value: object) -> TypeGuard[Leaf]:
    """Whether a value stands for itself, and holds nothing further."""
    if isinstance(value, np.ndarray):
        return value.dtype != object
    return isinstance(value, np.generic) or type(value) in PLAIN


def kind_in_words(value: object) -> str:
    """What a value is, for messages."""
    if isinstance(value, type):
        return f"the class {value.__module__}.{value.__qualname__}"
    kind = type(value)
    return f"an object of type {kind.__module__}.{kind.__qualname__}"


# Forms


def by_parts(
    cls: type[Built],
    checks: Mapping[str, Check],
    fits: Callable[[Built], bool] = lambda built: True,
    once_absent: Mapping[str, object] = MappingProxyType({}),
) -> Form[Built]:
    """The form of a class whose objects are taken apart as by pickle.

    Parts that older versions did not have are `once_absent`, with what stands for them
    in what these versions made.
    """

    def state_of(value: Built) -> State | None:
        held = cast(State | None, value.__getstate__())
        state = {**once_absent, **(held or {})}
        return state if state.keys() == checks.keys() else None

    def build(state: State) -> Built:
        state = {**once_absent, **state}
        check_state(cls.__name__, state, checks)
        built = object.__new__(cls)
        if hasattr(built, "__setstate__"):
            built.__setstate__(state)
        else:
            vars(built).update(state)
        if not fits(built):
            raise ValueError(f"the parts of a {cls.__name__} don't fit together")
        return built

    return Form(state_of, build)


def by_values(
    state_of: Callable[[Built], State | None], build: Callable[..., Built]
) -> Form[Built]:
    """The form of a class that is built from a few values, by keyword."""
    return Form(state_of, lambda state: build(**state))


def by_text(cls: Callable[[str], Built]) -> Form[Built]:
    """The form of a class that is built from what its objects print as."""
    return by_values(
        lambda value: {"text": str(value)}, lambda text: cls(expect(str, text))
    )


def scale_fits(scale: SmoothScale) -> bool:
    """Return True if all columns have all numbers."""
    return len({len(array) for array in vars(scale).values()}) == 1


def sign_fits(block: SignEncoding) -> bool:
    """Return True if the signs are those of two categories, or of fewer."""
    return len(block.labels) == 1 and block.signs.tolist() in [[0, 0, 0], [-1, 1, 0]]


def one_hot_fits(block: OneHotEncoding) -> bool:
    """Return True if frequent categories have an output each, and others share one."""
    places, n_outputs = block.places, len(block.labels)
    if len(places) == 0:
        return False
    shared = places[-1]
    n_frequent = n_outputs if shared < 0 else n_outputs - 1
    own = places[places != shared]
    # without infrequent categories, only unknown ones have no output
    is_right = shared == n_frequent or (shared == -1 and len(own) == len(places) - 1)
    return bool(is_right) and np.array_equal(own, np.arange(n_frequent))


def category_column_fits(column: CategoricalBlock) -> bool:
    """Return True if all blocks know the same categories, in order if they have one."""
    check_hashes(column.known)
    means = [isinstance(block, TargetMeans) for block in column.blocks]
    return (
        means in ([False], [False, True])
        and all(block_fits(block, column.n_codes) for block in column.blocks)
        and column.known.is_unique
        and not column.known.hasnans
        and (
            find_value_types(column.known) not in ({"numbers"}, {"text"})
            or is_ascending(column.known.to_numpy())
        )
    )


def block_fits(block: CategoryEncoding, n_codes: int) -> bool:
    """Return True if each category has a place, and unknown ones too."""
    if isinstance(block, SignEncoding):
        return n_codes <= 2 and bool(block.signs.any()) == (n_codes == 2)
    if isinstance(block, OneHotEncoding):
        return n_codes > 2 and len(block.places) == n_codes + 1
    return len(block.table) == n_codes + 1


def target_means_fit(means: TargetMeans) -> bool:
    """Return True if each mean has its column."""
    return means.table.shape[1] == len(means.labels) == len(means.scale.center)


def date_column_fits(column: DateColumn) -> bool:
    """Return True unless moments without a time zone are read in UTC."""
    return bool(column.has_zone or not column.in_utc)


def text_column_fits(column: TextBlock) -> bool:
    """Return True if each term has its weights, and each output its column."""
    n_terms, n_outputs = len(column.terms), len(column.labels)
    return (
        column.weights.shape == (n_terms, n_outputs)
        and len(column.idf) == n_terms
        and is_ascending(np.array(column.terms, dtype=object))
        and len(column.scale.center) == n_outputs
    )


# TableEncoder

ENCODER_PARTS: dict[str, Check] = {
    "n_features_in_": is_count,
    "is_categorical_": is_array("b", 1),
    "scale_": is_a(SmoothScale),
    "_number_columns": is_list_of(NumericColumn),
    "_category_columns": is_list_of(CategoricalBlock),
    "_text_columns": is_list_of(TextBlock),
    "_missing_of": is_array("iu", 1),
    "_is_sparse": is_flag,
}
"""What a fitted encoder holds."""

ONCE_ABSENT: State = {"_text_columns": []}
"""What stands for parts that fitted encoders of older versions did not have."""

OPTIONAL_ENCODER_PARTS: dict[str, Check] = {
    "feature_names_in_": is_line_of_names,
    NAMES_ATTRIBUTE: is_list_of(Hashable),
    "_sklearn_output_config": lambda value: (
        value
        in [{"transform": library} for library in ("default", "pandas", "polars", None)]
    ),
}
"""What an encoder, fitted or not, may hold."""


def state_of_encoder(encoder: TableEncoder) -> State:
    """Parameters and, of a fitted encoder, what it has learnt."""
    return own_attributes(encoder, ENCODER_PARTS.keys() | OPTIONAL_ENCODER_PARTS.keys())


LEFT_OUT = "_skl_callbacks"
"""Who looks on while a model is trained, which is no part of it."""


def own_attributes(estimator: BaseEstimator, fitted: Set[str]) -> State:
    """All attributes of an estimator: its parameters, and some of these others."""
    attributes = {
        name: value for name, value in vars(estimator).items() if name != LEFT_OUT
    }
    for name in attributes.keys() - estimator.get_params(deep=False).keys() - fitted:
        raise TypeError(
            f"the {type(estimator).__name__} has an attribute {name} that is no part "
            "of it, for which a file that is safe to load has no place; delete it, or "
            "save the model with skops.io.dump or pickle instead."
        )
    return {name: attributes[name] for name in sorted(attributes)}


ONCE_ABSENT_PARAMETERS: dict[str, Set[str]] = {
    "TableEncoder": {"read_text", "text_components", "text_odds", "split_names"},
    "MLPSoftmaxClassifier": {
        *("checkpoint", "checkpoint_every", "diverse_members", "encoder_rows"),
        *("max_time", "member_weights"),
    },
}
"""Parameters that files of older versions lack, where they are at their defaults."""


def check_has_parameters(cls: type[BaseEstimator], state: State) -> None:
    """Raise if a state lacks a parameter that all versions have written."""
    names = set(cls._get_param_names()) - ONCE_ABSENT_PARAMETERS[cls.__name__]
    missing = sorted(names - state.keys())
    if missing:
        raise ValueError(f"{cls.__name__} lacks the parameters {', '.join(missing)}")


def with_parameters(cls: type[Estimator], state: State) -> Estimator:
    """A new estimator whose parameters are taken out of a state, and checked."""
    names = cls._get_param_names()
    estimator = cls(**{name: state.pop(name) for name in names if name in state})
    validate_parameters(estimator)
    return estimator


def build_encoder(state: State) -> TableEncoder:
    """An encoder, fitted or not."""
    check_has_parameters(TableEncoder, state)
    encoder = with_parameters(TableEncoder, state)
    is_fitted = "scale_" in state
    if is_fitted:
        state = {**ONCE_ABSENT, **state}
    checks = {
        part: check for part, check in OPTIONAL_ENCODER_PARTS.items() if part in state
    }
    check_state("TableEncoder", state, checks | (ENCODER_PARTS if is_fitted else {}))
    encoder.__dict__.update(state)
    if is_fitted and not encoder_fits(encoder):
        raise ValueError("the columns of the encoder don't fit together")
    return encoder


def encoder_fits(encoder: TableEncoder) -> bool:
    """Return True if all columns have their places, numbers and names."""
    number_places, category_places, text_places = places = [
        [column.position for column in columns]
        for columns in (
            encoder._number_columns,
            encoder._category_columns,
            encoder._text_columns,
        )
    ]
    n_features = encoder.n_features_in_
    if n_features > sum(map(len, places)) or not all(map(is_ascending, places)):
        return False
    # text may have categories as well, and odd text is encoded beside numbers
    found = sorted({*number_places, *category_places, *text_places})
    beside = encoder._odd_columns().keys()
    widths = [len(column.parts) for column in encoder._number_columns]
    return (
        found == list(range(n_features))
        and all(
            column.from_text
            for column in encoder._number_columns
            if column.position in beside
        )
        and encoder.is_categorical_.shape == (n_features,)
        and np.flatnonzero(encoder.is_categorical_).tolist() == category_places
        and sum(widths) == len(encoder.scale_.center)
        and np.array_equal(
            encoder._missing_of, encoder._with_indicator(encoder.scale_.has_missing)
        )
        and (not encoder._is_sparse or encoder._all_plain())
        and names_fit(vars(encoder), n_features)
    )


def names_fit(state: Mapping[str, object], n_features: int) -> bool:
    """Return True if there are as many names as columns, all of one kind."""
    text, others = (state.get(name) for name in ("feature_names_in_", NAMES_ATTRIBUTE))
    if text is not None:
        return others is None and len(cast(np.ndarray, text)) == n_features
    if others is not None:
        check_hashes(cast(list[Hashable], others))
        return len(cast(list[Hashable], others)) == n_features
    return True


def columns_of_encoder(encoder: TableEncoder) -> dict[str, list[Hashable]]:
    """Names of the columns that a fitted encoder holds values of."""
    if not hasattr(encoder, "scale_"):
        return {}
    names = get_column_names(encoder)
    places = [column.position for column in encoder._category_columns]
    return {"_category_columns": [names[place] for place in places]}


# Rows that partial_fit keeps


def state_of_first_rows(rows: RowBuffer) -> State:
    """All rows, of which those that came since the encoder was fitted as one part."""
    since = [join_rows(rows.since)] if rows.since else []
    return {"fitted": rows.fitted, "since": since}


def build_first_rows(fitted: BufferedRows, since: list[BufferedRows]) -> RowBuffer:
    """Rows that the encoder is fitted on, and such that came since."""
    if not (is_a(BufferedRows)(fitted) and is_list_of(BufferedRows)(since)):
        raise ValueError("the rows that are kept are wrong")
    return RowBuffer(fitted, tuple(since))


def state_of_kept(kept: BufferedRows) -> State:
    """Rows of some calls; of objects, which make no array in a file, the columns."""
    table: object = kept.table
    if is_table_of_objects(table):
        table = list(table.T)
    return kept._asdict() | {"table": table}


def is_table_of_objects(table: object) -> TypeGuard[np.ndarray]:
    """A matrix of Python objects."""
    return isinstance(table, np.ndarray) and table.dtype == object


def columns_of_kept(kept: BufferedRows) -> dict[str, list[str]]:
    """Names of the columns of a matrix of objects, which has none of its own."""
    if not is_table_of_objects(kept.table):
        return {}
    return {"table": [f"x{place}" for place in range(kept.table.shape[1])]}


IN_KEPT: dict[str, Check] = {
    "table": lambda value: (
        isinstance(value, BufferedFrame | csr_array | csr_matrix)
        or is_array("biufcUSmMO", 2)(value)
    ),
    "y_encoded": lambda value: is_array("i", 1)(value) and bool(np.min(value) >= 0),
    "weight": lambda value: value is None or is_finite_array("float64", low=0)(value),
    "sizes": lambda value: is_array("i", 1)(value) and bool(np.min(value) > 0),
}
"""What kept rows hold."""


def build_kept(state: State) -> BufferedRows:
    """Rows of some calls."""
    if is_list_of(np.ndarray)(state["table"]):
        columns = cast(list[np.ndarray], state["table"])
        state = state | {"table": np.stack(columns, axis=1)}
    check_state("BufferedRows", state, IN_KEPT)
    kept = BufferedRows(**cast(Any, state))
    n_rows = len(kept.y_encoded)
    n_weights = n_rows if kept.weight is None else len(kept.weight)
    # of numbers this large the sum overflows
    has_sizes = kept.sizes.max() <= n_rows and kept.sizes.sum() == n_rows
    if not (has_sizes and n_rows == n_weights == kept.table.shape[0]):
        raise ValueError("the parts of kept rows have different lengths")
    return kept


def build_columns(names: list[Hashable], data: list[Values]) -> BufferedFrame:
    """The columns of a table."""
    types = (np.ndarray, pd.Categorical, pd.arrays.DatetimeArray)
    are_columns = is_list_of(*types)(data) and all(values.ndim == 1 for values in data)
    if not (is_list_of(Hashable)(names) and are_columns and len(names) == len(data)):
        raise ValueError("the columns of kept rows are wrong")
    for values in data:
        if isinstance(values, np.ndarray) and values.dtype == object:
            check_hashes(value for value in values if isinstance(value, Hashable))
    if len(set(map(len, data))) != 1:
        raise ValueError("the columns of kept rows have different lengths")
    return BufferedFrame(names, data)


def state_of_sparse(matrix: SparseMatrix) -> State:
    """The three arrays of a matrix of sparse rows."""
    names = ("data", "indices", "indptr")
    return {name: getattr(matrix, name) for name in names} | {"shape": matrix.shape}


def build_sparse(
    cls: type[SparseMatrix], shape: tuple[int, ...], **arrays: np.ndarray
) -> SparseMatrix:
    """A matrix of sparse rows, none of whose entries is outside of it."""
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    if not (is_array("biuf", 1)(parts[0]) and all(map(is_array("i", 1), parts[1:]))):
        raise ValueError("the arrays of sparse rows are wrong")
    matrix = cls(parts, shape=shape)
    matrix.check_format(full_check=True)
    return matrix


def build_categorical(codes: np.ndarray, categories: np.ndarray) -> pd.Categorical:
    """A column of categories, which are objects."""
    check_hashes(categories)
    return pd.Categorical.from_codes(codes, pd.Index(categories, dtype=object))


def state_of_moments(moments: pd.arrays.DatetimeArray) -> State | None:
    """Moments in UTC, and the name of their time zone, if it has one."""
    zone = moments.tz
    name = getattr(zone, "key", getattr(zone, "zone", None))
    if isinstance(zone, dt.timezone):
        name = str(dt.timezone(zone.utcoffset(None)))
    in_utc = moments.tz_convert(None).to_numpy()
    return None if name is None else {"moments": in_utc, "zone": name}


def build_moments(moments: np.ndarray, zone: str) -> pd.arrays.DatetimeArray:
    """Moments in a time zone."""
    # such a zone is a file of any path, which pandas would read
    if not is_array("M", 1)(moments) or expect(str, zone).startswith("dateutil/"):
        raise ValueError("the moments are wrong")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).array


# Values


def objects(values: Sequence[object]) -> np.ndarray:
    """A line of Python objects, which may be tuples."""
    return np.fromiter(values, dtype=object, count=len(values))


def state_of_objects(array: np.ndarray) -> State | None:
    """The members of a line of Python objects."""
    return {"values": list(array)} if array.ndim == 1 else None


def build_dict(keys: list[Hashable], values: list[object]) -> dict[Hashable, object]:
    """Pairs of keys and values."""
    check_hashes(keys)
    return dict(zip(keys, values, strict=True))


def build_frozenset(members: list[Hashable]) -> frozenset[Hashable]:
    """A set of values."""
    check_hashes(members)
    return frozenset(members)


def state_of_index(index: pd.Index) -> State | None:
    """Labels that are Python objects or text."""
    is_text = str(index.dtype) == "str"
    if index.dtype != object and not is_text:
        return None
    return {
        "values": list(index),
        "dtype": "str" if is_text else "object",
        "name": index.name,
    }


def build_index(values: list[object], dtype: str, name: Hashable) -> pd.Index:
    """Labels that are Python objects or text."""
    if dtype not in ("str", "object"):
        raise ValueError("the dtype of an index is wrong")
    return pd.Index(objects(values), dtype=dtype, name=name)


def state_of_random_state(random_state: np.random.RandomState) -> State | None:
    """Where the usual generator of NumPy's older kind stands."""
    state = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return None
    return {"gauss": state["gauss"] if state["has_gauss"] else None, **state["state"]}


def build_random_state(
    key: np.ndarray, pos: int, gauss: float | None
) -> np.random.RandomState:
    """A generator of NumPy's older kind, where it stood."""
    is_right = is_array("u", 1)(key) and key.dtype == np.uint32 and key.shape == (624,)
    # NumPy takes any place, and would read there
    if not (is_right and is_count(pos) and pos <= 624):
        raise ValueError("the state of a RandomState is wrong")
    random_state = np.random.RandomState()
    has_gauss = gauss is not None
    state = {"bit_generator": "MT19937", "state": {"key": key, "pos": pos}}
    gauss = gauss if has_gauss else 0.0
    random_state.set_state(state | {"has_gauss": has_gauss, "gauss": gauss})
    return random_state


def state_of_timestamp(moment: pd.Timestamp) -> State | None:
    """A moment without a time zone."""
    return {"moment": moment.asm8} if moment.tz is None else None


def state_of_date(date: dt.date) -> State | None:
    """A date, or a moment or time of day without a time zone, as text."""
    return {"text": date.isoformat()} if getattr(date, "tzinfo", None) is None else None


ACTIVATION_CLASSES = {cls.__name__: cls for cls in ACTIVATIONS.values()}


def state_of_class(cls: type) -> State | None:
    """The name of an activation."""
    is_own = ACTIVATION_CLASSES.get(cls.__name__) is cls
    return {"name": cls.__name__} if is_own else None


# The table

PARTS_IN_ORDER = [
    ("", *parts)
    for number in range(len(DATE_PARTS) + 1)
    for parts in combinations(DATE_PARTS, number)
]
"""Parts that a column of dates may be read as."""

IN_NUMBER_COLUMNS: dict[str, Check] = {"position": is_count, "from_text": is_flag}
ONCE_ABSENT_IN_NUMBERS: State = {"from_text": NumericColumn.from_text}
IN_DATE_COLUMNS: dict[str, Check] = IN_NUMBER_COLUMNS | {
    "parts": lambda value: value in PARTS_IN_ORDER,
    "has_zone": is_flag,
    "in_utc": is_flag,
}
IN_ARCHITECTURE: dict[str, Check] = {
    "n_inputs": is_count,
    "hidden_layer_sizes": lambda value: (
        type(value) is tuple and all(map(is_count, value))
    ),
    "n_classes": is_count,
    "activations": lambda value: (
        type(value) is tuple and all(isinstance(entry, Activation) for entry in value)
    ),
    "dropout": lambda value: (
        type(value) is tuple
        and all(is_number(rate) and 0 <= rate < 1 for rate in value)
    ),
    "dtype": lambda value: type(value) is str and value in ("float32", "float64"),
    "n_periodic": is_count,
}


FORMS_BY_CLASS: dict[type, Form[Any]] = {
    Architecture: by_parts(Architecture, IN_ARCHITECTURE),
    **{
        cls: by_parts(cls, dict.fromkeys(vars(cls()), is_setting))
        for cls in ACTIVATION_CLASSES.values()
    },
    TableEncoder: Form(state_of_encoder, build_encoder, columns_of_encoder),
    SmoothScale: by_parts(
        SmoothScale,
        {
            "center": is_finite_array("float64"),
            "scale": is_finite_array("float64", low=float(np.nextafter(0, 1))),
            "has_missing": is_array("b", 1),
            "is_constant": is_array("b", 1),
        },
        lambda scale: (
            scale_fits(scale) and bool((scale.scale[scale.is_constant] == 1).all())
        ),
    ),
    **{
        cls: by_parts(cls, IN_NUMBER_COLUMNS, once_absent=ONCE_ABSENT_IN_NUMBERS)
        for cls in NUMERIC_COLUMNS.values()
    },
    DateColumn: by_parts(
        DateColumn,
        IN_DATE_COLUMNS,
        date_column_fits,
        once_absent=ONCE_ABSENT_IN_NUMBERS | {"in_utc": DateColumn.in_utc},
    ),
    CategoricalBlock: by_parts(
        CategoricalBlock,
        {
            "position": is_count,
            "max_categories": is_count,
            "min_frequency": is_count,
            "known": is_array("O", 1),
            "has_missing": is_flag,
            "is_object": is_flag,
            "blocks": is_list_of(SignEncoding, OneHotEncoding, TargetMeans),
        },
        category_column_fits,
    ),
    SignEncoding: by_parts(
        SignEncoding,
        {"labels": is_list_of(str), "signs": is_finite_array("float64")},
        sign_fits,
    ),
    OneHotEncoding: by_parts(
        OneHotEncoding,
        {"labels": is_list_of(str), "places": is_array("i", 1)},
        one_hot_fits,
    ),
    TargetMeans: by_parts(
        TargetMeans,
        {
            "labels": is_list_of(str),
            "scale": is_a(SmoothScale),
            "table": is_finite_array("float64", 2),
        },
        target_means_fit,
    ),
    TextBlock: by_parts(
        TextBlock,
        {
            "position": is_count,
            "unit": lambda value: type(value) is str and value in ANALYZERS,
            "terms": is_list_of(str),
            "idf": is_finite_array("float64"),
            "weights": lambda value: (
                is_array("f", 2)(value)
                and value.dtype == "float32"
                and bool(np.isfinite(value).all())
            ),
            "labels": is_list_of(str),
            "scale": is_a(SmoothScale),
        },
        text_column_fits,
    ),
    RowBuffer: by_values(state_of_first_rows, build_first_rows),
    BufferedRows: Form(state_of_kept, build_kept, columns_of_kept),
    BufferedFrame: by_values(lambda columns: columns._asdict(), build_columns)._replace(
        columns=lambda columns: {"data": columns.names}
    ),
    **{
        cls: by_values(state_of_sparse, partial(build_sparse, cls))
        for cls in (csr_array, csr_matrix)
    },
    pd.Categorical: by_values(
        lambda column: {
            "codes": column.codes,
            "categories": column.categories.to_numpy(),
        },
        build_categorical,
    ),
    pd.arrays.DatetimeArray: by_values(state_of_moments, build_moments),
    PlateauTracker: by_parts(
        PlateauTracker,
        {
            "lowest": is_number_in(-math.inf, math.inf),
            "n_bad_epochs": is_count,
            "factor": is_number_in(0, 1),
        },
    ),
    dict: by_values(
        lambda pairs: {"keys": list(pairs), "values": list(pairs.values())},
        build_dict,
    ),
    # in an order that does not change from run to run
    frozenset: by_values(
        lambda members: {"members": sorted(members, key=repr)},
        build_frozenset,
    ),
    type: by_values(state_of_class, lambda name: ACTIVATION_CLASSES[name]),
    **dict.fromkeys((PosixPath, WindowsPath), by_text(Path)),
    np.ndarray: by_values(state_of_objects, objects),
    np.random.RandomState: by_values(state_of_random_state, build_random_state),
    pd.Index: by_values(state_of_index, build_index),
    pd.Interval: by_values(
        lambda interval: {
            "left": interval.left,
            "right": interval.right,
            "closed": interval.closed,
        },
        lambda left, right, closed: pd.Interval(left, right, closed),
    ),
    pd.Period: by_values(
        lambda period: {"ordinal": period.ordinal, "freq": period.freqstr},
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    ),
    pd.Timestamp: by_values(state_of_timestamp, lambda moment: pd.Timestamp(moment)),
    pd.Timedelta: by_values(
        lambda duration: {"duration": duration.asm8},
        lambda duration: pd.Timedelta(duration),
    ),
    dt.date: by_values(state_of_date, lambda text: dt.date.fromisoformat(text)),
    dt.datetime: by_values(state_of_date, lambda text: dt.datetime.fromisoformat(text)),
    dt.time: by_values(state_of_date, lambda text: dt.time.fromisoformat(text)),
    dt.timedelta: by_values(
        lambda duration: {
            "days": duration.days,
            "seconds": duration.seconds,
            "microseconds": duration.microseconds,
        },
        lambda days, seconds, microseconds: dt.timedelta(days, seconds, microseconds),
    ),
    Decimal: by_text(Decimal),
}
"""All classes of objects that a file may hold."""

FORMS = {cls.__name__: form for cls, form in FORMS_BY_CLASS.items()}
