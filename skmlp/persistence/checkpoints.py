"""Checkpoints: the state of a fit on disk, from which an interrupted fit resumes."""

import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd

from skmlp._version import __version__
from skmlp.persistence.archive import (
    FileRefusedError,
    expect,
    read,
    refuse_invalid,
    write,
)
from skmlp.persistence.checks import (
    Check,
    check_fields,
    is_array,
    is_count_below,
    is_finite_array,
    is_list,
    is_number_in,
    is_text_in,
)
from skmlp.persistence.fingerprints import FitFingerprint
from skmlp.persistence.temporary import check_folder, remove_leftovers
from skmlp.training.monitor import DIVERGENCE_FACTOR, Monitor, StopReason

CHECKPOINT = "checkpoint"

Training: TypeAlias = dict[str, Any]
"""State of training: engine, monitor, optimizer and random generators."""

VERSIONS = {"skmlp": __version__, "numpy": np.__version__}
"""Versions of the packages that decide what a step computes."""

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
"""Multiplier of NumPy's default generator, PCG64."""

MAX_DRAWS = 2**64
"""More than any training takes; to a made-up state it is about 2**127."""

GENERATOR_FIELDS: dict[str, Check] = {
    "bit_generator": is_text_in("PCG64"),
    "state": lambda value: (
        isinstance(value, dict)
        and value.keys() == {"state", "inc"}
        and all(map(is_count_below(2**128), value.values()))
        and value["inc"] % 2 == 1
    ),
    "has_uint32": is_count_below(2),
    "uinteger": is_count_below(2**32),
}

MONITOR_FIELDS: dict[str, Check] = {
    "history": lambda value: (
        isinstance(value, dict) and all(map(is_list(float), value.values()))
    ),
    # losses and scores, NaN where a scorer gives none: (n_epochs, 2, n_members)
    "evaluations": lambda value: (
        is_array("f", 3)(value)
        and value.dtype == "float64"
        and value.flags.c_contiguous
    ),
    "best": is_array("f", 2),
    "parameters": is_array("f", 2),
    "limit": is_number_in(DIVERGENCE_FACTOR, float(np.finfo("f8").max)),
    # training that diverged is not saved
    "ending": (
        lambda value: value is None or is_text_in(StopReason.CONVERGED.value)(value)
    ),
}


class Checkpoint:
    """A file with the state of one fit, or the place where it will be."""

    training: Training | None  # state to resume from; None if there is no file yet

    def __init__(
        self,
        path: str | os.PathLike,  # a file, or a folder in which each fit has its own
        every: int | str | dt.timedelta,  # epochs, or a time, between two saves
        fingerprint: FitFingerprint,
    ) -> None:
        self.epochs, self.seconds = _parse_interval(every)
        self.path = Path(path)
        if self.path.is_dir() or os.fspath(path).endswith(("/", os.sep)):
            self.path.mkdir(parents=True, exist_ok=True)
            text = json.dumps(fingerprint, sort_keys=True)
            self.path /= f"fit-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
        self.has_seed = fingerprint["parameters"]["random_state"] != "no number"
        self.content: dict[str, Any] = {"versions": {**VERSIONS}, **fingerprint}
        self.training = None
        self.last_time = time.monotonic()
        check_folder(self.path)
        remove_leftovers(self.path)
        if self.path.exists():
            saved = read(self.path, CHECKPOINT)
            with refuse_invalid(self.path):
                self._check_same_fit(saved)
                self.content["draws"] = expect(dict, saved["draws"])
                self.training = expect(dict, saved["training"])

    def _check_same_fit(self, saved: Mapping[str, Any]) -> None:
        """Refuse a checkpoint of another fit, naming the first difference."""
        found = {group: expect(dict, saved[group]) for group in self.content}
        differences = {
            "versions": "{name} {old}, and this is {name} {new}",
            "parameters": "a fit with {name}={old}, and this one has {name}={new}",
            "data": "a fit with another {name}",
        }
        for group, difference in differences.items():
            for name, new in self.content[group].items():
                old = found[group].get(name)
                # by text, as crafted files may hold arrays, which compare per element
                if str(old) != str(new):
                    self._refuse(difference.format(name=name, old=old, new=new))
        if found != self.content:
            raise ValueError("it is of a fit that there can't be")

    def _refuse(self, why: str) -> None:
        raise FileRefusedError(
            f"the checkpoint {os.fspath(self.path)!r} is of {why}; to start anew, "
            "delete it or name another file (a folder keeps a file per fit)."
        )

    def check_engine(self, engine: str) -> None:
        """Raise unless the same engine resumes: others differ in the last digits."""
        saved = expect(dict, self.training).get("engine")
        if str(saved) != engine:
            self._refuse(
                f"a fit that the engine {saved!r} computed, and here it is {engine!r} "
                "(the environment variable SKMLP_ENGINE names one)"
            )

    def resume(self, rng: np.random.Generator) -> None:
        """Set the generator of this fit to its state in the checkpoint, if any."""
        if self.training is not None:
            draws = self.content["draws"]
            with refuse_invalid(self.path):
                check_fields("generator", draws, GENERATOR_FIELDS)
                if self.has_seed and draws != rng.bit_generator.state:
                    raise ValueError("its draws are not those of its random_state")
                rng.bit_generator.state = draws
        self.content["draws"] = dict(rng.bit_generator.state)

    def restore(
        self,
        monitor: Monitor,
        optimizer_state: Mapping[str, Any],
        generator_states: Sequence[Mapping[str, Any]],
        max_iter: int,
        steps_per_epoch: int | None,
    ) -> Training:
        """Restore the monitor from the saved state of training, and return that."""
        training = expect(dict, self.training)
        with refuse_invalid(self.path):
            checks = {"engine": str, "monitor": dict, "rule": dict}
            check_fields("training", training, {**checks, "draws": is_list(dict)})
            state = training["monitor"]
            check_fields("monitor", state, MONITOR_FIELDS)
            for name in ("best", "parameters"):
                _check_like(name, state[name], monitor.parameters)
            if state["evaluations"].shape[1:] != monitor.latest_evaluation.shape:
                raise ValueError("the evaluations are of other networks")
            if not 0 < len(state["history"].get("loss", [])) <= max_iter:
                raise ValueError("its history is of other epochs")
            monitor.restore(state)
            memory = training["rule"]
            _check_optimizer_state(memory, optimizer_state)
            n_epochs, first = monitor.n_epochs, optimizer_state["t"]
            if steps_per_epoch is not None and memory["t"] != (
                first + n_epochs * steps_per_epoch
            ):
                raise ValueError("the optimizer has not taken the steps of its epochs")
            _check_generators(training["draws"], generator_states)
        return training

    def is_due(self, n_epochs: int) -> bool:
        """Return True if the state is to be saved after this epoch."""
        is_time = time.monotonic() - self.last_time >= self.seconds
        return is_time and n_epochs % self.epochs == 0

    def save(self, training: Training) -> None:
        """Write the state, in place of the former one."""
        write(self.path, CHECKPOINT, {**self.content, "training": training})
        self.last_time = time.monotonic()


def _check_like(
    name: str, array: object, like: np.ndarray, low: float = -np.inf
) -> None:
    """Raise unless an array of finite numbers has the dtype and shape of another."""
    is_right = is_finite_array(like.dtype.name, like.ndim, low)
    if not is_right(array) or cast(np.ndarray, array).shape != like.shape:
        raise ValueError(f"the array {name} is wrong")


def _check_optimizer_state(state: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    if state.keys() != start.keys() or not is_count_below(2**63)(state["t"]):
        raise ValueError("the state of the optimizer is that of another")
    for name in start.keys() - {"t"}:
        # its square root is taken
        low = 0.0 if name == "second_moment" else -np.inf
        _check_like(name, state[name], start[name], low)


def _check_generators(
    states: Sequence[Any], start: Sequence[Mapping[str, Any]]
) -> None:
    """Raise unless the generators are those at the start after some draws."""
    for now, before in zip(states, start, strict=True):
        check_fields("generator", now, GENERATOR_FIELDS)
        is_same = now["state"]["inc"] == before["state"]["inc"]
        if not is_same or count_draws(before["state"], now["state"]) > MAX_DRAWS:
            raise ValueError("its generators are others")


def count_draws(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Count the draws from one state of a generator (PCG64) to another.

    A draw takes the state to state * multiplier + increment. The number is found bit by
    bit, as 2**k draws leave the lower k bits as they are (Brown, 1994).
    """
    state, multiplier, increment = before["state"], MULTIPLIER, before["inc"]
    n_draws, bit = 0, 1
    while state != now["state"]:
        if (state ^ now["state"]) & bit:
            state = (state * multiplier + increment) % 2**128
            n_draws |= bit
        # twice as many draws per step, now that this bit is right
        increment = (multiplier + 1) * increment % 2**128
        multiplier = multiplier**2 % 2**128
        bit <<= 1
    return n_draws


def _parse_interval(every: int | str | dt.timedelta) -> tuple[int, float]:
    """Return the fewest epochs and the fewest seconds between two saves."""
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
