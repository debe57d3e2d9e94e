"""Fingerprints of parameters and data: equal in every process, for equal content."""

import hashlib
from collections.abc import Mapping
from typing import TypeAlias

import joblib
import numpy as np
import pandas as pd

from skmlp.tabular.frame import (
    TableLike,
    Values,
    is_frame,
    is_sparse,
    normalize,
    read_columns,
    read_rows,
)

FitFingerprint: TypeAlias = dict[str, dict[str, str | None]]
"""``"parameters"`` as text and ``"data"`` as hashes, by name."""

IGNORED_PARAMETERS = {
    *("checkpoint", "checkpoint_every", "client", "max_time"),
    *("random_state", "verbose"),
}
"""Parameters that may differ between a fit that was cut off and one that resumes it.

`random_state` is compared by itself: where it is no number, the checkpoint holds the
state of the generator.
"""


def fingerprint_fit(
    params: Mapping[str, object], data: Mapping[str, TableLike | None]
) -> FitFingerprint:
    """Describe the parameters, nested ones included, and hash the data of a fit."""
    seed = params["random_state"]
    # 32 for np.int64(32), also where it is in a parameter of a transformer
    with np.printoptions(legacy="1.25"):
        parameters: dict[str, str | None] = {
            name: _describe(value)
            for name, value in sorted(params.items())
            if name not in IGNORED_PARAMETERS
        }
    parameters["random_state"] = repr(seed) if isinstance(seed, int) else "no number"
    hashes = {name: compute_fingerprint(values) for name, values in data.items()}
    return {"parameters": parameters, "data": hashes}


def compute_fingerprint(data: TableLike | None) -> str | None:
    """Hash the names, dtypes and values of a table, array or sparse matrix.

    `joblib.hash` of a whole table also depends on memory order and on which equal
    cells are one object, so that a copy of the data would count as other data.
    """
    if data is None:
        return None
    data = normalize(data)
    names: list[object] = []
    columns: list[Values]
    if is_sparse(data):
        columns = [np.array(data.shape), data.indptr, data.indices, data.data]
    elif is_frame(data):
        found = read_columns(data, exact=range(data.shape[1]))
        names, columns = [one.name for one in found], [one.data for one in found]
    else:
        columns = [read_rows(data)]
    digest = hashlib.sha256(repr(names).encode("utf-8", "surrogatepass"))
    with np.printoptions(legacy="1.25"):
        for values in columns:
            _update_hash(digest, values)
    return digest.hexdigest()


def _update_hash(digest: "hashlib._Hash", values: Values) -> None:
    if isinstance(values, pd.Categorical):
        _update_hash(digest, np.array(values.categories, dtype=object))
        values = values.codes
    digest.update(f"{values.dtype}{values.shape}".encode())
    if isinstance(values, pd.arrays.DatetimeArray):  # in a time zone
        values = values.asi8
    elif not isinstance(values, np.ndarray):
        values = np.array(values, dtype=object)
    if values.dtype == object:
        text = "\n".join(map(_describe, values.flat))
        digest.update(text.encode("utf-8", "surrogatepass"))
    else:
        digest.update(np.ascontiguousarray(values).tobytes())


def _describe(value: object) -> str:
    """Return text of a parameter or cell that is the same in another process."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return f"dict({sorted(map(_describe, value.items()))})"
    if isinstance(value, set | frozenset):  # their order changes with hashes of text
        return f"set({sorted(map(_describe, value))})"
    if isinstance(value, list | tuple):
        entries = ", ".join(map(_describe, value))
        return f"[{entries}]" if isinstance(value, list) else f"({entries})"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    text = repr(value)
    # an address in memory, as of RandomState, is another one in each process
    return f"object {joblib.hash(value)}" if " at 0x" in text else text
