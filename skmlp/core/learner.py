"""A network that the core trains, an epoch at a time."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skmlp.core import structures
from skmlp.core.layout import PaddedVectors, check_address
from skmlp.core.library import get_core
from skmlp.core.network import CoreNetwork, check_core_rows, check_indices, make_samples
from skmlp.nn.network import Architecture

if TYPE_CHECKING:
    from skmlp.optim.optimizers import Optimizer, OptimizerState, Regularization
    from skmlp.training.batches import Batches, DiskBatches, Samples
    from skmlp.training.threads import Workers

SECONDS_PER_CALL = 0.02  # then the core returns, so that Python sees clock and Ctrl-C


class UpdateSettings(NamedTuple):
    """All that an update of the core depends on."""

    kind: int  # number of the optimizer in core.c
    optimizer: "Optimizer"  # its initial state
    settings: Mapping[str, float]  # its parameters, by their names in core.c
    regularization: "Regularization"
    label_smoothing: float


class CoreLearner:
    """Training of a network by the core, the counterpart of `NumpyLearner`."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: np.ndarray,  # (n_parameters,), float32; updated after each epoch
        steps: UpdateSettings,
        batches: "Batches | DiskBatches",
        rngs: Sequence[np.random.Generator],  # one
        workers: "Workers",  # share each batch; results do not depend on their number
    ) -> None:
        self.architecture = architecture
        self.parameters = parameters
        self.steps = steps
        self.batches = batches
        self.rngs = rngs
        self.workers = workers
        self.has_dropout = any(rate > 0 for rate in architecture.dropout)
        self.samples: Samples | None = None
        # vector 0 holds the parameters, the others the state of the optimizer
        names = steps.optimizer.state_names
        self.vectors = PaddedVectors(architecture, 1 + len(names))
        self.vectors.load(0, parameters)
        for number, name in enumerate(names, 1):
            self.vectors.load(number, getattr(steps.optimizer, name))
        self.pairs = self.vectors.pairs(0, parameters)
        arrays = {key: array[0] for key, array in self.vectors.arrays.items()}
        n_rows = min(batches.batch_size, len(batches.samples.y_encoded))
        self.network = CoreNetwork(architecture, arrays, n_rows, training=True)
        # fills the transposed weights
        get_core().prepare(ctypes.byref(self.network.structure))
        self.optimizer = structures.OptimizerStruct(
            kind=steps.kind,
            state_stride=self.vectors.memory.shape[1],
            t=steps.optimizer.t,
            l2=steps.regularization.l2,
            weight_decay=steps.regularization.weight_decay,
            **steps.settings,
        )

    def batch_sizes(self) -> list[int]:
        """Number of rows of each batch."""
        return self.batches.batch_sizes()

    def train_epoch(
        self,
        rates: Sequence[float],  # learning rate of each batch
        should_stop: Callable[[], bool],  # asked every SECONDS_PER_CALL, or batch
    ) -> list[float]:
        """Train for one epoch; return the loss of each batch before its step.

        Raises ValueError if a class index or a row index is out of bounds.
        """
        losses: list[float] = []
        for chunk in self.batches.iterate_chunks():
            if losses and should_stop():
                break
            self._load_samples(chunk.samples)
            losses += self._train_batches(chunk, rates[len(losses) :], should_stop)
        # back to the vector of the network, which is evaluated and saved
        for core, array in self.pairs:
            array[...] = core
        return losses

    def _load_samples(self, samples: "Samples") -> None:
        """Check samples and make their structure, unless it is there already."""
        if samples is self.samples:
            return
        _, y_encoded, weight, indices = samples
        x: Any = samples.x  # dense: the backend was chosen by it
        check_core_rows(self.architecture, x, y_encoded, indices)
        # kept alive along with this object, since the structure holds addresses only
        self.arrays = (
            None if indices is None else np.ascontiguousarray(indices, np.int64),
            np.ascontiguousarray(y_encoded, np.int64),
            None if weight is None else np.ascontiguousarray(weight),
        )
        self.structure = make_samples(x, *self.arrays)
        self.samples = samples

    def _train_batches(
        self,
        chunk: "Batches",
        rates: Sequence[float],
        should_stop: Callable[[], bool],
    ) -> list[float]:
        order = (
            chunk.draw_order()
        )  # (n_samples,), positions in the samples of the chunk
        check_indices("sample indices", order, len(chunk.samples.y_encoded))
        n_batches = -(-len(order) // self.batches.batch_size)
        losses = np.empty(n_batches)
        epoch = self._make_epoch(order, np.array(rates[:n_batches], np.float64), losses)
        # the core leaves an epoch after a while, and is called again for the rest of it
        n_done = 0
        while n_done < n_batches and not (n_done and should_stop()):
            n_done = self._run_batches(epoch)
            self.optimizer.t += n_done - epoch.first_batch
            epoch.first_batch = n_done
        return losses[:n_done].tolist()

    def _make_epoch(
        self, order: np.ndarray, rates: np.ndarray, losses: np.ndarray
    ) -> structures.EpochStruct:
        batch_size, n_rows = self.batches.batch_size, self.network.scratch.n_rows
        if min(batch_size, len(order)) > n_rows:
            raise ValueError(
                f"expected batches of at most {n_rows} rows, got {batch_size}. Make a "
                "learner for batches of this size."
            )
        order = np.ascontiguousarray(order, np.int64)
        n_batches = (len(losses),)
        epoch = structures.EpochStruct(
            order=check_address("order", order, np.int64, (len(order),)),
            n_samples=len(order),
            batch_size=batch_size,
            seconds=SECONDS_PER_CALL,
            # behind the order, so that dropout does not change it
            seed=int(self.rngs[0].integers(2**63)) if self.has_dropout else 0,
            label_smoothing=self.steps.label_smoothing,
            learning_rates=check_address(
                "learning rates", rates, np.float64, n_batches
            ),
            losses=check_address("losses", losses, np.float64, n_batches),
        )
        # kept alive with the structure: threads may still run after Ctrl-C
        epoch.arrays = order, rates, losses
        return epoch

    def _run_batches(self, epoch: structures.EpochStruct) -> int:
        """Train on some batches; return the number of the batch to go on from."""
        # each thread of the team calls the core, where they meet twice per step
        team = structures.TeamStruct(n_threads=self.workers.n_threads)
        run_worker = partial(self._run_worker, epoch, team)
        try:
            first, *_ = self.workers.map(run_worker, range(self.workers.n_threads))
        finally:
            team.is_aborted = 1  # no thread waits for one that was never started
        return first

    def _run_worker(
        self, epoch: structures.EpochStruct, team: structures.TeamStruct, thread: int
    ) -> int:
        # ctypes releases the GIL during the call
        parts = (self.network.structure, self.structure, self.optimizer, epoch, team)
        try:
            return get_core().train(*map(ctypes.byref, parts), thread)
        finally:
            team.is_aborted = 1  # nor for one that failed

    def penalty(self) -> float:
        """Penalty on the present weights."""
        with np.errstate(all="ignore"):
            return self.steps.regularization.value(self.parameters)

    def optimizer_state(self) -> "OptimizerState":
        """State of the optimizer, in vectors of the shape of the parameters."""
        state: OptimizerState = {"t": int(self.optimizer.t)}
        for number, name in enumerate(self.steps.optimizer.state_names, 1):
            state[name] = np.empty_like(self.parameters)
            self.vectors.store(number, state[name])
        return state
