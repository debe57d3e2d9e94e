"""Objects to trees of plain values and back, by a table of all classes.

An object becomes ``{"class": its name, "state": its fields}``. Reading builds objects
of these classes only, from fields whose types are checked, and calls nothing that a
file names: no name in a file is looked up anywhere but in this table.
"""

import datetime as dt
import math
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from functools import partial
from itertools import combinations
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import BaseEstimator

from skmlp._sklearn_compat import validate_parameters
from skmlp.data.incremental import BufferedFrame, BufferedRows, RowBuffer
from skmlp.nn.activations import ACTIVATIONS, Activation, PReLU
from skmlp.nn.network import Architecture
from skmlp.persistence.archive import expect
from skmlp.persistence.checks import (
    Check,
    check_fields,
    check_hashes,
    is_array,
    is_ascending,
    is_bool,
    is_count,
    is_finite_array,
    is_list,
    is_number_in,
    is_text_in,
)
from skmlp.persistence.codecs import (
    VALUE_CODECS,
    Codec,
    by_attributes,
    by_fields,
    by_values,
)
from skmlp.tabular.categorical import CategoricalBlock, OneHotEncoding, SignEncoding
from skmlp.tabular.datetime import DATE_PARTS, DateColumn
from skmlp.tabular.encoder import NUMERIC_COLUMNS, TableEncoder, get_column_names
from skmlp.tabular.factorize import find_value_types
from skmlp.tabular.frame import NAMES_ATTRIBUTE, SparseMatrix
from skmlp.tabular.numeric import NumericBlock, NumericColumn
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import TargetMeans
from skmlp.tabular.text import ANALYZERS, TextBlock
from skmlp.training.monitor import PlateauTracker

Estimator = TypeVar("Estimator", bound=BaseEstimator)


def encode(value: object, name: str, columns: Sequence[object] = ()) -> Any:
    """Return the plain tree of a value; name and columns of entries for messages."""
    if _is_leaf(value):
        return value
    if type(value) is list:
        prefixes = [f"column {column!r}: " for column in columns] or [""] * len(value)
        return [
            encode(entry, f"{prefix}{name}[{place}]")
            for place, (prefix, entry) in enumerate(zip(prefixes, value, strict=True))
        ]
    cls = type(value)
    if isinstance(value, np.generic) and cls not in CODECS:
        cls = np.generic
    codec = CODECS.get(cls)
    state = codec.get_state(value) if codec else None
    if codec is None or state is None:
        raise TypeError(_explain_refusal(value, name))
    about = codec.get_columns(value)
    fields = {
        field: encode(held, f"{name}.{field}", about.get(field, ()))
        for field, held in state.items()
    }
    return {"class": cls.__name__, "state": fields}


def _explain_refusal(value: object, name: str) -> str:
    kind = value if isinstance(value, type) else type(value)
    what = "the class" if kind is value else "an object of type"
    advice = "convert the values to text or numbers before fit, or "
    return (
        f"{name} is {what} {kind.__module__}.{kind.__qualname__}, which a file that is "
        f"safe to load can't hold; {advice if name.startswith('column ') else ''}save "
        "the model with skops.io.dump or pickle instead."
    )


def _is_leaf(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype != object
    # not their subclasses, such as np.float64, which are to come back as such
    return value is None or type(value) in (bool, int, float, str)


def decode(tree: Any) -> object:
    """Return the value of a tree; raise an error of any kind if it has none."""
    if isinstance(tree, list):
        return [decode(entry) for entry in tree]
    if not isinstance(tree, dict):
        return tree
    codec = _CODECS_BY_NAME[expect(str, tree["class"])]
    state = expect(dict, tree["state"])
    return codec.build({field: decode(held) for field, held in state.items()})


# Estimators

NAME_FIELDS: dict[str, Check] = {
    "feature_names_in_": lambda value: (
        is_array("O", 1)(value) and all(type(name) is str for name in value)
    ),
    NAMES_ATTRIBUTE: is_list(Hashable),
}
"""Attributes of an estimator that was fitted on columns with names."""

OUTPUT_FIELDS: dict[str, Check] = {
    "_sklearn_output_config": lambda value: (
        value
        in [{"transform": library} for library in ("default", "pandas", "polars", None)]
    ),
}
"""Attribute of an encoder after `set_output`."""

ENCODER_FIELDS: dict[str, Check] = {
    "n_features_in_": is_count,
    "is_categorical_": is_array("b", 1),
    "_numeric": NumericBlock,
    "_column_blocks": is_list(CategoricalBlock, TextBlock),
    "_is_sparse": is_bool,
}
"""Attributes of a fitted encoder."""

CALLBACKS = "_skl_callbacks"
"""Attribute with the callbacks of scikit-learn, which are no part of a model."""


def get_estimator_state(
    estimator: BaseEstimator, fitted: Set[str]
) -> dict[str, object]:
    """Return the parameters of an estimator and its attributes named in `fitted`."""
    attributes = {k: v for k, v in vars(estimator).items() if k != CALLBACKS}
    for name in attributes.keys() - estimator.get_params(deep=False).keys() - fitted:
        raise TypeError(
            f"the {type(estimator).__name__} has an attribute {name} that is no part "
            "of it, for which a file that is safe to load has no place; delete it, or "
            "save the model with skops.io.dump or pickle instead."
        )
    # the encoder before kept rows, so that messages name its columns
    return dict(sorted(attributes.items(), key=lambda item: item[0].strip("_")))


def build_estimator(cls: type[Estimator], state: dict[str, object]) -> Estimator:
    """Return an unfitted estimator with the parameters popped from a state, checked."""
    names = cls._get_param_names()
    missing = sorted(set(names) - state.keys())
    if missing:
        raise ValueError(f"{cls.__name__} lacks the parameters {', '.join(missing)}")
    estimator = cls(**{name: state.pop(name) for name in names})
    validate_parameters(estimator)
    return estimator


def are_names_consistent(state: Mapping[str, Any], n_features: int) -> bool:
    """Return True if there are as many names as columns, all of one kind."""
    check_hashes(state.get(NAMES_ATTRIBUTE, []))
    lengths = [len(state[field]) for field in NAME_FIELDS if field in state]
    return lengths in ([], [n_features])


def _get_encoder_state(encoder: TableEncoder) -> dict[str, object]:
    fields = ENCODER_FIELDS.keys() | NAME_FIELDS.keys() | OUTPUT_FIELDS.keys()
    return get_estimator_state(encoder, fields)


def _get_encoder_columns(encoder: TableEncoder) -> dict[str, list[Hashable]]:
    if not hasattr(encoder, "scale_"):
        return {}
    names = get_column_names(encoder)
    places = [block.position for block in encoder._column_blocks]
    return {"_column_blocks": [names[place] for place in places]}


def _build_encoder(state: dict[str, object]) -> TableEncoder:
    encoder: Any = build_estimator(TableEncoder, state)
    is_fitted = "_numeric" in state
    optional = NAME_FIELDS | OUTPUT_FIELDS
    checks = {field: optional[field] for field in optional.keys() & state.keys()}
    check_fields("TableEncoder", state, checks | (ENCODER_FIELDS if is_fitted else {}))
    vars(encoder).update(state)
    if is_fitted and not _is_encoder_consistent(encoder):
        raise ValueError("the columns of the encoder don't fit together")
    return encoder


def _is_encoder_consistent(encoder: TableEncoder) -> bool:
    """Return True if all columns have their places, numbers and names."""
    numeric = encoder._numeric
    numbers, categories, text = places = [
        [column.position for column in columns]
        for columns in (numeric.columns, encoder._categorical, encoder._text)
    ]
    n_features = encoder.n_features_in_
    # a made-up number of columns must not make a list of as many
    if n_features > sum(map(len, places)) or not all(map(is_ascending, places)):
        return False
    fits = [
        # text may have categories as well, and odd text is encoded beside numbers
        {*numbers, *categories, *text} == set(range(n_features)),
        all(
            column.from_text
            for column in numeric.columns
            if column.position in {*categories, *text}
        ),
        encoder.is_categorical_.shape == (n_features,),
        np.flatnonzero(encoder.is_categorical_).tolist() == categories,
        encoder._column_blocks == [*encoder._categorical, *encoder._text],
        # sparse tables go to the network as they are
        not encoder._is_sparse or encoder._is_matrix,
        are_names_consistent(vars(encoder), n_features),
    ]
    return all(fits)


# Columns


def _is_scale_consistent(scale: SmoothScale) -> bool:
    """Return True if all columns have all numbers."""
    is_aligned = len({len(array) for array in vars(scale).values()}) == 1
    return is_aligned and bool((scale.scale[scale.is_constant] == 1).all())


def _is_numeric_block_consistent(block: NumericBlock) -> bool:
    """Return True if each array has its scale, and its indicator if it needs one."""
    n_arrays = sum(len(column.parts) for column in block.columns)
    return n_arrays == block.n_numbers and np.array_equal(
        block.indicated, block.find_indicated()
    )


def _is_one_hot_consistent(block: OneHotEncoding) -> bool:
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


def _is_category_column_consistent(column: CategoricalBlock) -> bool:
    """Return True if the categories differ, and each block knows all of them."""
    check_hashes(column.known)
    n_codes = column.n_codes

    def fits(block: object) -> bool:
        if isinstance(block, SignEncoding):
            return n_codes <= 2 and bool(block.signs.any()) == (n_codes == 2)
        if isinstance(block, OneHotEncoding):
            return n_codes > 2 and len(block.places) == n_codes + 1
        return len(cast(TargetMeans, block).table) == n_codes + 1

    return (
        [type(block) for block in column.encodings[1:]] in ([], [TargetMeans])
        and not isinstance(column.encodings[0], TargetMeans)
        and all(map(fits, column.encodings))
        and column.known.is_unique
        and not column.known.hasnans
        # numbers and text are looked up by bisection
        and (
            find_value_types(column.known) not in ({"numbers"}, {"text"})
            or is_ascending(column.known.to_numpy())
        )
    )


def _is_text_column_consistent(column: TextBlock) -> bool:
    """Return True if each term has its weights, and each output its column."""
    n_terms, n_outputs = len(column.terms), len(column.labels)
    return (
        column.weights.shape == (n_terms, n_outputs)
        and len(column.idf) == n_terms
        and is_ascending(np.array(column.terms, dtype=object))
        and len(column.scale.center) == n_outputs
    )


VALID_DATE_PARTS = [
    ("", *parts)
    for number in range(len(DATE_PARTS) + 1)
    for parts in combinations(DATE_PARTS, number)
]
"""Parts that a column of dates may be read as: those that vary, in their order."""


# Rows that partial_fit keeps


def _is_kept_consistent(kept: BufferedRows) -> bool:
    n_rows = len(kept.y_encoded)
    return (
        n_rows > 0
        and kept.y_encoded.min() >= 0
        and kept.table.shape[0] == n_rows
        and (kept.weight is None or len(kept.weight) == n_rows)
        and kept.sizes.min(initial=1) > 0
        and sum(kept.sizes.tolist()) == n_rows  # Python's integers don't overflow
    )


def _are_columns_consistent(columns: BufferedFrame) -> bool:
    for values in columns.data:
        if isinstance(values, np.ndarray) and values.dtype == object:
            check_hashes([value for value in values if isinstance(value, Hashable)])
    return (
        len(columns.names) == len(columns.data)
        and all(values.ndim == 1 for values in columns.data)
        and len(set(map(len, columns.data))) == 1
    )


def _build_sparse(cls: type[SparseMatrix], *arrays: np.ndarray) -> SparseMatrix:
    *parts, shape = arrays
    matrix = cls(tuple(parts), shape=shape)
    if not all(map(is_array("biuf", 1), parts)):
        raise ValueError("the arrays of sparse rows are wrong")
    matrix.check_format(full_check=True)  # or SciPy would read outside of the arrays
    return matrix


def _get_moments_state(moments: pd.arrays.DatetimeArray) -> dict[str, object] | None:
    zone = moments.tz
    name = getattr(zone, "key", getattr(zone, "zone", None))
    if isinstance(zone, dt.timezone):
        name = str(dt.timezone(zone.utcoffset(None)))
    in_utc = moments.tz_convert(None).to_numpy()
    return None if name is None else {"moments": in_utc, "zone": name}


def _build_moments(moments: np.ndarray, zone: str) -> pd.arrays.DatetimeArray:
    # pandas would open "dateutil/<path>" as a file, wherever it lies
    if not is_array("M", 1)(moments) or expect(str, zone).startswith("dateutil/"):
        raise ValueError("the moments are wrong")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).array


# Tables of classes

ACTIVATION_CLASSES = list(ACTIVATIONS.values())
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
NUMBER_FIELDS: dict[str, Check] = {"position": is_count, "from_text": is_bool}

FIELDS: dict[type, dict[str, Check]] = {
    Architecture: {
        "n_inputs": is_count,
        "hidden_layer_sizes": is_list(is_count, kind=tuple),
        "n_classes": is_count,
        "activations": is_list(Activation, kind=tuple),
        "dropout": is_list(is_number_in(0, np.nextafter(1, 0)), kind=tuple),
        "dtype": is_text_in("float32", "float64"),
        "n_periodic": is_count,
    },
    **{
        cls: dict.fromkeys(vars(cls()), is_number_in(-LARGEST_FLOAT32, LARGEST_FLOAT32))
        for cls in ACTIVATION_CLASSES
    },
    PReLU: {"init": is_number_in(-LARGEST_FLOAT32, LARGEST_FLOAT32), "shared": is_bool},
    PlateauTracker: {
        "lowest": is_number_in(-math.inf, math.inf),
        "n_bad_epochs": is_count,
        "factor": is_number_in(0, 1),
    },
    SmoothScale: {
        "center": is_finite_array("float64"),
        "scale": is_finite_array("float64", low=np.nextafter(0, 1)),
        "has_missing": is_array("b", 1),
        "is_constant": is_array("b", 1),
    },
    **dict.fromkeys(NUMERIC_COLUMNS.values(), NUMBER_FIELDS),
    DateColumn: NUMBER_FIELDS
    | {
        "parts": lambda value: value in VALID_DATE_PARTS,
        "has_zone": is_bool,
        "in_utc": is_bool,
    },
    NumericBlock: {
        "columns": is_list(NumericColumn),
        "scale": SmoothScale,
        "indicated": is_array("iu", 1),
    },
    CategoricalBlock: {
        "position": is_count,
        "max_categories": is_count,
        "min_frequency": is_count,
        "known": is_array("O", 1),
        "has_missing": is_bool,
        "is_object": is_bool,
        "encodings": is_list(SignEncoding, OneHotEncoding, TargetMeans),
    },
    SignEncoding: {"labels": is_list(str), "signs": is_finite_array("float64")},
    OneHotEncoding: {"labels": is_list(str), "places": is_array("i", 1)},
    TargetMeans: {
        "labels": is_list(str),
        "table": is_finite_array("float64", 2),
    },
    TextBlock: {
        "position": is_count,
        "analyzer": is_text_in(*ANALYZERS),
        "terms": is_list(str),
        "idf": is_finite_array("float64"),
        "weights": lambda value: is_finite_array("float32", 2)(np.array(value)),
        "labels": is_list(str),
        "scale": SmoothScale,
    },
    RowBuffer: {"fitted": BufferedRows, "since": is_list(BufferedRows, kind=tuple)},
    BufferedRows: {
        "table": lambda value: (
            isinstance(value, BufferedFrame | csr_array | csr_matrix)
            or is_array("biufcUSmMO", 2)(value)
        ),
        "y_encoded": is_array("i", 1),
        "weight": lambda value: value is None or is_finite_array("f8", low=0)(value),
        "sizes": is_array("i", 1),
    },
    BufferedFrame: {
        "names": is_list(Hashable),
        "data": is_list(np.ndarray, pd.Categorical, pd.arrays.DatetimeArray),
    },
}
"""Fields of classes whose objects are taken apart as by pickle, each with its check."""

CONSISTENCY: dict[type, Callable[[Any], bool]] = {
    SmoothScale: _is_scale_consistent,
    DateColumn: lambda column: bool(column.has_zone or not column.in_utc),
    NumericBlock: _is_numeric_block_consistent,
    CategoricalBlock: _is_category_column_consistent,
    SignEncoding: lambda block: (
        len(block.labels) == 1 and block.signs.tolist() in [[0, 0, 0], [-1, 1, 0]]
    ),
    OneHotEncoding: _is_one_hot_consistent,
    TargetMeans: lambda means: means.table.shape[1] == len(means.labels),
    TextBlock: _is_text_column_consistent,
    BufferedRows: _is_kept_consistent,
    BufferedFrame: _are_columns_consistent,
}
"""Functions that return True if the fields of an object fit together."""

CODECS: dict[type, Codec] = {
    **VALUE_CODECS,
    **{cls: by_fields(cls, FIELDS[cls], CONSISTENCY.get(cls)) for cls in FIELDS},
    type: by_values(
        lambda kind: {"name": kind.__name__} if kind in ACTIVATION_CLASSES else None,
        lambda name: {kind.__name__: kind for kind in ACTIVATION_CLASSES}[name],
    ),
    TableEncoder: Codec(_get_encoder_state, _build_encoder, _get_encoder_columns),
    **{
        cls: by_attributes(
            partial(_build_sparse, cls), "data", "indices", "indptr", "shape"
        )
        for cls in (csr_array, csr_matrix)
    },
    pd.Categorical: by_attributes(
        lambda codes, known: pd.Categorical.from_codes(codes, check_hashes(known)),
        *("codes", "categories"),
    ),
    pd.arrays.DatetimeArray: by_values(_get_moments_state, _build_moments),
}
"""Codecs of all classes that a file may hold."""
CODECS[BufferedFrame] = CODECS[BufferedFrame]._replace(
    get_columns=lambda columns: {"data": columns.names}
)

_CODECS_BY_NAME = {cls.__name__: codec for cls, codec in CODECS.items()}
