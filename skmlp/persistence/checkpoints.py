"""Checkpoints: the state of a training run on disk, to go on from after a crash."""

import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import pandas as pd

from skmlp._version import __version__
from skmlp.persistence.archive import (
    FileRefusedError,
    Tree,
    expect,
    read,
    refusing,
    write,
)
from skmlp.persistence.checks import (
    Check,
    State,
    check_state,
    is_a,
    is_array,
    is_count_below,
    is_finite_array,
    is_generator_state,
    is_list_of,
    is_number_in,
)
from skmlp.persistence.temporary import check_folder, remove_leftovers
from skmlp.tabular.frame import (
    TableLike,
    Values,
    is_frame,
    is_sparse,
    normalize,
    read_columns,
    read_rows,
)
from skmlp.training.monitor import DIVERGENCE_FACTOR, Monitor, StopReason

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


IN_TRAINING: dict[str, Check] = {
    "engine": is_a(str),
    "monitor": is_a(dict),
    "rule": is_a(dict),
    "draws": is_list_of(dict),
}
"""State of training in a checkpoint."""


IN_CHECKPOINT: dict[str, Check] = {
    "fit": is_a(dict),
    "versions": is_a(dict),
    "draws": is_generator_state,
    "training": is_a(dict),
}
"""Contents of a checkpoint."""

IN_MONITOR: dict[str, Check] = {
    "history": lambda value: (
        isinstance(value, dict) and all(map(is_list_of(float), value.values()))
    ),
    "evaluations": lambda value: (
        is_array("f", 3)(value)
        and value.dtype == "float64"
        and value.flags.c_contiguous
    ),
    "best": is_array("f", 2),
    "parameters": is_array("f", 2),
    "limit": is_number_in(DIVERGENCE_FACTOR, float(np.finfo("f8").max)),
    "ending": lambda value: value in (None, StopReason.CONVERGED.value),
}
"""State of a monitor in a checkpoint; training that diverged is not saved."""


MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
"""Multiplier of NumPy's default generator, PCG64."""

MOST_DRAWS = 2**64
"""More than any training takes; to a made-up state it is about 2**127."""


class Start(NamedTuple):
    """State of training before the first epoch.

    Attributes
    ----------
    memory : dict
        That of the optimizer.
    draws : sequence of dict
        States of the networks' generators.
    """

    memory: Mapping[str, Any]
    draws: Sequence[Mapping[str, Any]]


def digest_of(data: TableLike | None) -> str | None:
    """What tells tables, arrays and sparse matrices apart by their contents."""
    if data is None:
        return None
    digest = hashlib.sha256()
    data = normalize(data)
    parts: list[Values]
    if is_sparse(data):
        parts = [np.array(data.shape), data.indptr, data.indices, data.data]
    elif is_frame(data):
        columns = read_columns(data, exact=range(data.shape[1]))
        digest.update(repr([column.name for column in columns]).encode())
        parts = [column.data for column in columns]
    else:
        parts = [read_rows(data)]
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
    with np.printoptions(legacy="1.25"):  # 32 for np.int64(32), also in transformers
        return repr(value)


class FitInWords(NamedTuple):
    """What two calls of `fit` have in common if one can go on where the other ended."""

    parameters: dict[str, str]
    data: dict[str, str | None]


def fit_in_words(
    params: Mapping[str, object], data: Mapping[str, TableLike | None]
) -> FitInWords:
    """What is to be compared of a call of `fit`.

    Parameters
    ----------
    params : dict of str to object
        The parameters of the fit by name, those of nested estimators included.
    data : dict of str to array-like or None
        All that `fit` works on, by its name.
    """
    parameters = {
        name: parameter_in_words(value)
        for name, value in sorted(params.items())
        if name not in MAY_DIFFER
    }
    seed = params["random_state"]
    parameters["random_state"] = repr(seed) if isinstance(seed, int) else "no number"
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
                check_state("checkpoint", cast(State, before), IN_CHECKPOINT)
                self.content["draws"] = before["draws"]
                self.training = expect(dict, before["training"])

    def _check(self, before: Mapping[str, Tree]) -> None:
        versions = expect(dict, before["versions"])
        for package, version in VERSIONS.items():
            if str(versions.get(package)) != str(version):
                self._refuse(
                    f"{package} {versions.get(package)}, and this is {package} "
                    f"{version}"
                )
        there = FitInWords(**expect(dict, before["fit"]))
        for name, value in self.fit.parameters.items():
            # by text, since a crafted file may hold arrays, which don't compare so
            if str(there.parameters.get(name)) != str(value):
                self._refuse(
                    f"a fit with {name}={there.parameters.get(name)}, and this one "
                    f"has {name}={value}"
                )
        for name, digest in self.fit.data.items():
            if str(there.data.get(name)) != str(digest):
                self._refuse(f"a fit with another {name}")
        if there != self.fit or versions != VERSIONS:
            raise ValueError("it is of a fit that there can't be")

    def _refuse(self, why: str) -> None:
        raise FileRefusedError(
            f"the checkpoint {os.fspath(self.path)!r} is of {why}; to start anew, "
            "delete it or name another file (a folder keeps a file per fit)."
        )

    def check_engine(self, engine: str) -> None:
        """Raise unless the same engine goes on: others differ in the last digits."""
        before = expect(dict, self.training).get("engine", "numpy")
        if str(before) != engine:
            self._refuse(
                f"a fit that the engine {before!r} computed, and here it is {engine!r} "
                "(the environment variable SKMLP_ENGINE names one)"
            )

    def resume(self, rng: np.random.Generator) -> None:
        """Let all draws of this fit be those of the one to go on from."""
        if self.training is not None:
            draws = expect(dict, self.content["draws"])
            has_seed = self.fit.parameters["random_state"] != "no number"
            with refusing(self.path):
                if has_seed and draws != rng.bit_generator.state:
                    raise ValueError("its draws are not those of its random_state")
                rng.bit_generator.state = draws
        self.content["draws"] = dict(rng.bit_generator.state)

    def restore(
        self, monitor: Monitor, start: Start, max_iter: int, steps_per_epoch: int | None
    ) -> Training:
        """Give the state to go on from, once it is found to be of this training.

        Parameters
        ----------
        monitor : Monitor
            That of the training, as it is before the first epoch; it is restored.
        start : Start
            The state before the first epoch.
        max_iter : int
            Most epochs.
        steps_per_epoch : int or None
            Steps of the optimizer in each epoch; None if they aren't known.
        """
        training = expect(dict, self.training)
        with refusing(self.path):
            check_state("training", training, IN_TRAINING)
            weights = is_finite_array(monitor.parameters.dtype.name, 2)
            shape = monitor.parameters.shape
            state = expect(dict, training["monitor"])
            check_state("monitor", state, IN_MONITOR)
            for name in ("best", "parameters"):
                if not weights(state[name]) or state[name].shape != shape:
                    raise ValueError(f"{name} of the networks are wrong")
            if state["evaluations"].shape[1:] != monitor.latest_evaluation.shape:
                raise ValueError("the evaluations are of other networks")
            if not 0 < len(state["history"].get("loss", [])) <= max_iter:
                raise ValueError("its history is of other epochs")
            monitor.restore(state)
            n_steps = None
            if steps_per_epoch is not None:
                n_steps = start.memory["t"] + monitor.n_epochs * steps_per_epoch
            check_memory(expect(dict, training["rule"]), start.memory, n_steps)
            check_draws(training["draws"], start.draws)
        return training

    def is_due(self, n_epochs: int) -> bool:
        """Whether the state is to be saved after so many epochs."""
        is_time = time.monotonic() - self.last_time >= self.seconds
        return is_time and n_epochs % self.epochs == 0

    def save(self, training: Training) -> None:
        """Write the state, in place of the former one."""
        write(self.path, KIND, {**self.content, "training": training})
        self.last_time = time.monotonic()


def check_memory(
    memory: Mapping[str, Tree], start: Mapping[str, Any], n_steps: int | None
) -> None:
    """Raise unless the optimizer's memory is like that at the start.

    `n_steps` are its steps; None if they aren't known.
    """
    if memory.keys() != start.keys() or not is_count_below(2**63)(memory["t"]):
        raise ValueError("the memory of the optimizer is that of another")
    if n_steps is not None and memory["t"] != n_steps:
        raise ValueError("the optimizer has not taken the steps of its epochs")
    for name in start.keys() - {"t"}:
        first, moment = start[name], memory[name]
        low = 0.0 if name == "second_moment" else -np.inf
        is_right = is_finite_array(first.dtype.name, first.ndim, low)
        if not is_right(moment) or moment.shape != first.shape:
            raise ValueError(f"the {name} of the optimizer is wrong")


def check_draws(draws: Tree, start: Sequence[Mapping[str, Any]]) -> None:
    """Raise unless the generators are those at the start, which have gone on."""
    states = expect(list, draws)
    if len(states) != len(start) or not all(map(is_generator_state, states)):
        raise ValueError("its generators are wrong")
    for now, before in zip(states, start, strict=True):
        is_same = now["state"]["inc"] == before["state"]["inc"]
        if not is_same or draws_between(before["state"], now["state"]) > MOST_DRAWS:
            raise ValueError("its generators are others")


def draws_between(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Number of draws from one state of a generator (PCG64) to another.

    A draw takes the state to state * multiplier + increment. The number is found bit by
    bit, as 2**k draws leave the lower k bits as they are (Brown, 1994).
    """
    state, multiplier, increment = before["state"], MULTIPLIER, before["inc"]
    n_draws, bit = 0, 1
    while state != now["state"]:
        if (state ^ now["state"]) & bit:
            state = (state * multiplier + increment) % 2**128
            n_draws |= bit
        increment = (multiplier + 1) * increment % 2**128
        multiplier = multiplier**2 % 2**128
        bit <<= 1
    return n_draws


def interval(every: int | str | dt.timedelta) -> tuple[int, float]:
    """Fewest epochs and fewest seconds from one save to the next."""
    if isinstance(every, int):
        return every, 0.0
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
