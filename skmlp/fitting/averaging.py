"""Local SGD: networks train on each shard by themselves, and are averaged in rounds."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

FACTOR_PER_SHARD = 1.5
"""Times the number of shards, by which the learning rate is multiplied at last; of 4 to
8 on four shards, 6 was best, after a warm-up (`benchmarks/averaging.py`)."""

LARGEST_FACTOR = 16.0
"""On the learning rate, however many shards; 24 on 16 and 32 on 64 were no better."""

Draws = tuple[dict[str, Any], ...]
"""States of random generators, one per network; plain values, as in a checkpoint."""

Generators = Sequence[np.random.Generator]

Part = TypeVar("Part")


class TrainingState(NamedTuple):
    """State of all networks between two rounds, as one stack."""

    parameters: np.ndarray  # (n_members, n_parameters)
    # vectors of the shape of the parameters, and "t", the steps so far; None before any
    optimizer_state: dict[str, Any] | None
    draws: Draws  # state of each network's generator when the epoch began
    # of the rows of the last round
    weight: float = 0.0  # in all
    loss: float = 0.0  # mean training loss
    first_loss: float = 0.0  # that of the first batches


@np.errstate(all="ignore")
def _average_two_states(first: TrainingState, second: TrainingState) -> TrainingState:
    """Return the mean of two states by their weights.

    A state of weight 0 has visited no rows and has no influence. NaN is not skipped:
    the mean with NaN is NaN. The mean of two equal states is that state, to the last
    bit.
    """
    if second.weight == 0:
        return first
    if first.weight == 0:
        return second
    weight = first.weight + second.weight
    share = second.weight / weight

    def average(a: Any, b: Any) -> Any:
        return a + (b - a) * share

    assert first.optimizer_state is not None, "it has visited rows"
    assert second.optimizer_state is not None, "it has visited rows"
    vectors = {
        name: average(value, second.optimizer_state[name])
        for name, value in first.optimizer_state.items()
        if name != "t"
    }
    # unequal shards take unequal numbers of steps; the moments are as old as the oldest
    n_steps = max(first.optimizer_state["t"], second.optimizer_state["t"])
    return TrainingState(
        average(first.parameters, second.parameters),
        {"t": n_steps, **vectors},
        first.draws,
        weight,
        average(first.loss, second.loss),
        average(first.first_loss, second.first_loss),
    )


def _reduce_in_pairs(parts: Iterable[Part], join: Callable[[Part, Part], Part]) -> Part:
    """Join neighbors, then neighboring results, until one is left.

    Pairs depend on the places of the parts alone, so that the result is the same to the
    last bit in whatever order they arrive.

    Examples
    --------
    >>> _reduce_in_pairs("abcde", "({} {})".format)
    '(((a b) (c d)) e)'
    """
    parts = list(parts)
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd_one = parts[-1:] if len(parts) % 2 else []
        parts = [*(join(*pair) for pair in pairs), *odd_one]
    return parts[0]


def average_states(states: Iterable[TrainingState]) -> TrainingState:
    """Return the mean of the states of all shards, in their order."""
    return _reduce_in_pairs(states, _average_two_states)


class LocalSteps(NamedTuple):
    """The steps of one shard in one communication round.

    Rounds cut an epoch of a shard between its batches. So it consists of the same steps
    in any number of rounds, and on one shard it is the epoch of a fit without rounds
    (with dropout, if there is one round per epoch).
    """

    epoch: int  # from 0
    number: int  # of the round in its epoch, from 0
    n_rounds: int  # per epoch
    shard: int = 0
    n_shards: int = 1
    ended: frozenset[int] = frozenset()  # networks that are not trained any more

    def batches(self, n_batches: int) -> range:
        """Return the batches of the epoch that belong to it, none if they are few.

        Examples
        --------
        >>> [LocalSteps(0, number, 4).batches(10) for number in range(4)]
        [range(0, 2), range(2, 5), range(5, 7), range(7, 10)]
        """
        start, stop = (
            (self.number + more) * n_batches // self.n_rounds for more in (0, 1)
        )
        return range(start, stop)

    def progress(self, n_batches: int, n_epochs: int) -> list[float]:
        """Return the progress of training before each step, in [0, 1]."""
        n_before = self.epoch * n_batches
        n_steps = n_epochs * n_batches
        return [(n_before + batch) / n_steps for batch in self.batches(n_batches)]

    def generators(self, shared: Generators) -> Generators:
        """Return the generators of the shard in this epoch, one per network.

        A single shard has `shared` itself. Else they are seeded with a draw of each,
        the same on all shards, and the number of the shard.
        """
        if self.n_shards == 1:
            return shared
        return [
            np.random.default_rng([*rng.integers(2**63, size=2), self.shard])
            for rng in shared
        ]

    def next_draws(self, before: Draws, shared: Generators) -> Draws:
        """Return the draws of the state after it: of the epoch, or of the next one."""
        return (
            get_generator_states(shared) if self.number == self.n_rounds - 1 else before
        )


def get_generator_states(rngs: Generators) -> Draws:
    """Return the states of generators, for `restore_generators`."""
    return tuple(dict(rng.bit_generator.state) for rng in rngs)


def restore_generators(draws: Draws) -> list[np.random.Generator]:
    """Return generators in these states."""
    rngs = [np.random.default_rng(0) for _ in draws]
    for rng, state in zip(rngs, draws, strict=True):
        rng.bit_generator.state = state
    return rngs


def scale_learning_rate(n_shards: int, n_epochs_before: float) -> float:
    """Return the factor on the learning rate for a number of shards.

    A shard takes fewer steps per epoch, and the mean of many is less noisy than each:
    so steps may be larger, about as much as there are fewer. With large steps from the
    start, shards would reach weights that have no good mean: so the factor grows from 1
    over the first epoch (as in Goyal et al., 2017, for large batches).

    Examples
    --------
    >>> [scale_learning_rate(4, n_epochs) for n_epochs in (0, 0.5, 1, 2)]
    [1.0, 3.5, 6.0, 6.0]
    """
    if n_shards == 1:
        return 1.0
    factor = min(FACTOR_PER_SHARD * n_shards, LARGEST_FACTOR)
    return 1 + (factor - 1) * min(1.0, n_epochs_before)


def scale_batch_size(n_shards: int, batch_size: int) -> int:
    """Return the rows per step of each shard, given those of a fit without shards.

    With more than four shards each step takes fewer rows, so that a shard still takes
    enough steps; the mean makes up for the noise.

    Examples
    --------
    >>> [scale_batch_size(n_shards, 512) for n_shards in (1, 4, 16, 64)]
    [512, 512, 256, 128]
    """
    return math.ceil(batch_size / max(1.0, math.sqrt(n_shards / 4)))
