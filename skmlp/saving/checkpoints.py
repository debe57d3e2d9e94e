"""Checkpoints: the state of a training run on disk, to go on from after a crash."""

import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmlp._version import __version__
from skmlp.saving.archive import (
    FileRefusedError,
    Tree,
    check_folder,
    expect,
    read,
    refusing,
    remove_leftovers,
    write,
)
from skmlp.tabular.tables import (
    TableLike,
    Values,
    is_frame,
    is_sparse,
    plain,
    read_columns,
)

KIND = "checkpoint"

Training: TypeAlias = dict[str, Any]
"""The state of training, as it is known to those who take part in it."""

VERSIONS = {"skmlp": __version__, "numpy": np.__version__}
"""Versions of the packages that decide what a step computes."""

MAY_DIFFER = {
    *("checkpoint", "checkpoint_every", "client", "max_time"),
    *("random_state", "verbose"),
}
"""Parameters that may differ between the run that was cut off and the one that goes on.

`random_state` is compared by itself: where it is no number, the checkpoint holds what
was drawn.
"""


def digest_of(data: TableLike | None) -> str | None:
    """What tells tables, arrays and sparse matrices apart by their contents."""
    if data is None:
        return None
    digest = hashlib.sha256()
    data = plain(data)
    parts: list[Values]
    if is_sparse(data):
        parts = [np.array(data.shape), data.indptr, data.indices, data.data]
    elif is_frame(data):
        columns = read_columns(data, exact=range(data.shape[1]))
        digest.update(repr([column.name for column in columns]).encode())
        parts = [column.data for column in columns]
    else:
        parts = [np.asarray(data)]
        digest.update(repr(parts[0].shape).encode())
    for part in parts:
        digest.update(str(part.dtype).encode())
        if isinstance(part, np.ndarray) and part.dtype.kind != "O":
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            values = pd.Series(np.ravel(part) if part.dtype == object else part)
            is_text = pd.api.types.infer_dtype(values, skipna=True) == "string"
            if values.dtype == object and not is_text:
                values = values.map(repr)  # pandas can't hash lists, nor mixed types
            hashes = pd.util.hash_pandas_object(values, index=False)
            digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()


def parameter_in_words(value: object) -> str:
    """A parameter in words that are the same in another process."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


class FitInWords(NamedTuple):
    """What two calls of `fit` have in common if one can go on where the other ended."""

    parameters: dict[str, str]
    data: dict[str, str | None]


def fit_in_words(
    estimator: BaseEstimator, data: Mapping[str, TableLike | None]
) -> FitInWords:
    """What is to be compared of a call of `fit`.

    Parameters
    ----------
    estimator : estimator
        With the parameters of the fit.
    data : dict of str to array-like or None
        All that `fit` works on, by its name.
    """
    params = estimator.get_params()
    parameters = {
        name: parameter_in_words(value)
        for name, value in sorted(params.items())
        if name not in MAY_DIFFER
    }
    seed = params["random_state"]
    is_number = isinstance(seed, int | np.integer)
    parameters["random_state"] = repr(int(seed)) if is_number else "no number"
    digests = {name: digest_of(values) for name, values in data.items()}
    return FitInWords(parameters, digests)


class Checkpoint:
    """A file with the state of one fit, or the place where it will be.

    Parameters
    ----------
    path : str or path-like
        The file; or a folder, that exists or whose name ends with a separator, in which
        each fit has a file of its own.
    every : int, str or timedelta
        Epochs between two saves; or the time, as pandas.Timedelta understands it.
    fit : FitInWords
        What the file has to be of.

    Attributes
    ----------
    training : dict or None
        The state of training to go on from.

    Raises
    ------
    FileRefusedError
        If the file is of another fit or of another version, or no checkpoint at all.
    ValueError
        If `every` is no such interval.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        every: int | str | dt.timedelta,
        fit: FitInWords,
    ) -> None:
        self.epochs, self.seconds = interval(every)
        self.path = Path(path)
        if self.path.is_dir() or os.fspath(path).endswith(("/", os.sep)):
            self.path.mkdir(parents=True, exist_ok=True)
            told_apart = json.dumps(fit._asdict(), sort_keys=True).encode()
            name = hashlib.sha256(told_apart).hexdigest()[:16]
            self.path /= f"fit-{name}.npz"
        self.fit = fit
        self.content: dict[str, Tree] = {"fit": fit._asdict(), "versions": {**VERSIONS}}
        self.training: Training | None = None
        self.last_time = time.monotonic()
        check_folder(self.path)
        remove_leftovers(self.path)
        if self.path.exists():
            before = read(self.path, KIND)
            with refusing(self.path):
                self._check(before)
                self.content["draws"] = before["draws"]
                self.training = expect(dict, before["training"])

    def _check(self, before: Mapping[str, Tree]) -> None:
        versions = expect(dict, before["versions"])
        for package, version in VERSIONS.items():
            if versions.get(package) != version:
                self._refuse(
                    f"{package} {versions.get(package)}, and this is {package} "
                    f"{version}"
                )
        there = FitInWords(**expect(dict, before["fit"]))
        for name, value in self.fit.parameters.items():
            if there.parameters.get(name) != value:
                self._refuse(
                    f"a fit with {name}={there.parameters.get(name)}, and this one "
                    f"has {name}={value}"
                )
        for name, digest in self.fit.data.items():
            if there.data.get(name) != digest:
                self._refuse(f"a fit with another {name}")

    def _refuse(self, why: str) -> None:
        raise FileRefusedError(
            f"the checkpoint {os.fspath(self.path)!r} is of {why}; to start anew, "
            "delete it or name another file (a folder keeps a file per fit)."
        )

    def check_engine(self, engine: str) -> None:
        """Raise unless the same engine goes on: others differ in the last digits."""
        before = expect(dict, self.training).get("engine", "numpy")
        if before != engine:
            self._refuse(
                f"a fit that the engine {before!r} computed, and here it is {engine!r} "
                "(the environment variable SKMLP_ENGINE names one)"
            )

    def resume(self, rng: np.random.Generator) -> None:
        """Let all draws of this fit be those of the one to go on from."""
        if self.training is not None:
            rng.bit_generator.state = expect(dict, self.content["draws"])
        self.content["draws"] = dict(rng.bit_generator.state)

    def is_due(self, n_epochs: int) -> bool:
        """Whether the state is to be saved after so many epochs."""
        is_time = time.monotonic() - self.last_time >= self.seconds
        return is_time and n_epochs % self.epochs == 0

    def save(self, training: Training) -> None:
        """Write the state, in place of the former one."""
        write(self.path, KIND, {**self.content, "training": training})
        self.last_time = time.monotonic()


def interval(every: int | str | dt.timedelta) -> tuple[int, float]:
    """Fewest epochs and fewest seconds from one save to the next."""
    if isinstance(every, int | np.integer):
        return int(every), 0.0
    try:
        seconds = pd.Timedelta(every).total_seconds()
    except ValueError:
        seconds = np.nan
    if not seconds > 0:
        raise ValueError(
            f"checkpoint_every={every!r} is neither a number of epochs nor a time; "
            'write 5 for every 5 epochs, or "30s" or "10min".'
        )
    return 1, seconds
