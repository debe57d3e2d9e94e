"""A network that the core trains, an epoch at a time."""

import ctypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from skmlp.core import structures
from skmlp.core.layout import PaddedVectors, check_address
from skmlp.core.library import get_core
from skmlp.core.network import CoreNetwork, check_indices, check_rows, make_samples
from skmlp.nn.network import Architecture

SECONDS_PER_CALL = 0.02
"""How long the core works before Python gets to look at the clock and at Ctrl-C."""


class Samples(Protocol):
    """Rows of x, with a class and maybe a weight each."""

    @property
    def x(self) -> Any: ...

    @property
    def y_encoded(self) -> np.ndarray: ...

    @property
    def sample_weight(self) -> np.ndarray | None: ...

    @property
    def indices(self) -> np.ndarray | None: ...


class Batches(Protocol):
    """The samples, of which some are there at a time."""

    samples: Any
    batch_size: int

    def batch_sizes(self) -> list[int]: ...

    def iterate_chunks(self) -> Iterator["Part"]: ...


class Part(Protocol):
    """What an epoch passes over at a time: samples, and in which order they come."""

    samples: Any

    def draw_order(self) -> np.ndarray: ...


class Optimizer(Protocol):
    """An update rule that has been started, with vectors of memory by their names."""

    state_names: tuple[str, ...]
    t: int


class Regularization(Protocol):
    """What pulls weights towards 0."""

    l2: float
    weight_decay: float

    def value(self, parameters: np.ndarray) -> float: ...


class UpdateSettings(NamedTuple):
    """How the core takes a step.

    Attributes
    ----------
    kind : int
        The number of the rule in core.c.
    rule : Rule
        Its memory.
    settings : mapping of str to float
        Its parameters, by the names that core.c has.
    decay : Decay
        Penalty and decay of the weights.
    label_smoothing : float
        Part of each target that is spread over all classes.
    """

    kind: int
    optimizer: Optimizer
    settings: Mapping[str, float]
    regularization: Regularization
    label_smoothing: float


class EpochArrays(NamedTuple):
    """Arrays that the core reads and writes in an epoch."""

    order: np.ndarray  # (n_samples,)
    rates: np.ndarray  # (n_batches,)
    values: np.ndarray  # (n_batches,)


class Workers(Protocol):
    """Threads, and a `map` that works on as many tasks at a time."""

    @property
    def n_threads(self) -> int: ...

    @property
    def map(self) -> Callable[..., Iterable[Any]]: ...


class CoreLearner:
    """A network with all that it takes to train it in the core.

    Parameters
    ----------
    architecture : Architecture
        Of the network.
    parameters : ndarray of float32 of shape (n_parameters,)
        Where training starts; overwritten at the end of each epoch.
    steps : Steps
        The update rule, decay and smoothing.
    batches : Batches
        The training samples.
    rngs : sequence of one numpy.random.Generator
        Source of all draws.
    crew : Crew
        Threads that share the work on each batch; the outcome is the same for all.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: np.ndarray,
        steps: UpdateSettings,
        batches: Batches,
        rngs: Sequence[np.random.Generator],
        workers: Workers,
    ) -> None:
        self.parameters = parameters
        self.steps = steps
        self.batches = batches
        self.rngs = rngs
        self.workers = workers
        self.has_dropout = any(rate > 0 for rate in architecture.dropout)
        self.architecture = architecture
        self.samples: Samples | None = None
        memory = steps.optimizer.state_names
        self.vectors = PaddedVectors(architecture, 1 + len(memory))
        self.vectors.load(0, parameters)
        for number, name in enumerate(memory, 1):
            self.vectors.load(number, getattr(steps.optimizer, name))
        self.copies = self.vectors.pairs(0, parameters)
        arrays = {key: array[0] for key, array in self.vectors.arrays.items()}
        n_rows = min(batches.batch_size, len(batches.samples.y_encoded))
        self.network = CoreNetwork(architecture, arrays, n_rows, learns=True)
        get_core().prepare(ctypes.byref(self.network.structure))
        self.optimizer = structures.Optimizer(
            kind=steps.kind,
            state_stride=self.vectors.memory.shape[1],
            t=steps.optimizer.t,
            l2=steps.regularization.l2,
            weight_decay=steps.regularization.weight_decay,
            **steps.settings,
        )

    def batch_sizes(self) -> list[int]:
        """Rows of each batch."""
        return self.batches.batch_sizes()

    def train_epoch(
        self, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        """Pass over the samples once, at a learning rate per batch; their losses.

        `should_stop` is asked after a batch, or after the batches of SECONDS_PER_CALL.

        Raises
        ------
        ValueError
            If a class or a row of the samples is none.
        """
        values: list[float] = []
        for part in self.batches.iterate_chunks():
            if values and should_stop():
                break
            self._load_samples(part.samples)
            values += self._train_batches(part, rates[len(values) :], should_stop)
        for own, array in self.copies:
            array[...] = own
        return values

    def _load_samples(self, samples: Samples) -> None:
        """Make the samples known to the core, unless they are so already."""
        if samples is self.samples:
            return
        check_rows(
            self.architecture,
            samples.x,
            samples.y_encoded,
            samples.sample_weight,
            samples.indices,
        )
        rows, y_encoded, weight = (
            samples.indices,
            samples.y_encoded,
            samples.sample_weight,
        )
        # kept alive along with this object, as long as the core knows where they are
        self.arrays = (
            None if rows is None else np.ascontiguousarray(rows, np.int64),
            np.ascontiguousarray(y_encoded, np.int64),
            None if weight is None else np.ascontiguousarray(weight),
        )
        self.structure = make_samples(samples.x, *self.arrays)
        self.samples = samples

    def _train_batches(
        self, part: Part, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        """Take a step for each batch of a part; their losses."""
        epoch = self._make_epoch(part.draw_order(), rates, len(part.samples.y_encoded))
        n_batches = len(epoch.arrays.values)
        n_done = 0
        while n_done < n_batches and not (n_done and should_stop()):
            n_done = self._run_batches(epoch)
            self.optimizer.t += n_done - epoch.first_batch
            epoch.first_batch = n_done
        return epoch.arrays.values[:n_done].tolist()

    def _make_epoch(
        self, order: np.ndarray, rates: Sequence[float], n_samples: int
    ) -> structures.Epoch:
        """The structure of a pass over samples in an order, after checks of its arrays.

        A learning rate is given for each batch, and maybe more.
        """
        batch_size, n_rows = self.batches.batch_size, self.network.scratch.n_rows
        check_indices("samples", order, n_samples)
        if min(batch_size, len(order)) > n_rows:
            raise ValueError(
                f"expected batches of at most {n_rows} rows, got {batch_size}. Make a "
                "learner for batches of this size."
            )
        n_batches = -(-len(order) // batch_size)
        arrays = EpochArrays(
            np.ascontiguousarray(order, np.int64),
            np.array(rates[:n_batches], np.float64),
            np.empty(n_batches),
        )
        epoch = structures.Epoch(
            order=check_address("order", arrays.order, np.int64, (len(order),)),
            n_samples=len(order),
            batch_size=batch_size,
            seconds=SECONDS_PER_CALL,
            seed=int(self.rngs[0].integers(2**63)) if self.has_dropout else 0,
            label_smoothing=self.steps.label_smoothing,
            learning_rates=check_address(
                "learning rates", arrays.rates, np.float64, (n_batches,)
            ),
            losses=check_address("losses", arrays.values, np.float64, (n_batches,)),
        )
        # threads that Ctrl-C has left behind go on for a while
        epoch.arrays = arrays
        return epoch

    def _run_batches(self, epoch: structures.Epoch) -> int:
        """Take some steps of an epoch; the number of the batch to go on from."""
        team = structures.Team(n_threads=self.workers.n_threads)
        _run_worker = partial(self._run_worker, epoch, team)
        try:
            first, *_ = self.workers.map(_run_worker, range(self.workers.n_threads))
        finally:
            team.is_aborted = 1  # no thread waits for one that was never started
        return first

    def _run_worker(
        self, epoch: structures.Epoch, team: structures.Team, me: int
    ) -> int:
        """Do the work of one thread of the team; as `_run_batches`."""
        parts = (self.network.structure, self.structure, self.optimizer, epoch, team)
        try:
            return get_core().train(*map(ctypes.byref, parts), me)
        finally:
            team.is_aborted = 1  # nor for one that failed

    def penalty(self) -> float:
        """The penalty on the present weights."""
        with np.errstate(all="ignore"):
            return self.steps.regularization.value(self.parameters)

    def optimizer_state(self) -> dict[str, Any]:
        """What the update rule remembers."""
        state: dict[str, Any] = {"t": int(self.optimizer.t)}
        for number, name in enumerate(self.steps.optimizer.state_names, 1):
            state[name] = np.empty_like(self.parameters)
            self.vectors.store(number, state[name])
        return state
