"""Rounds: networks learn on each shard of the rows by themselves, and are averaged."""

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


class State(NamedTuple):
    """Where training stands between two rounds, for all networks as one stack.

    Attributes
    ----------
    parameters : ndarray of shape (n_members, n_parameters)
        The weights.
    optimizer_state : dict or None
        What the update rule remembers: vectors of the shape of the parameters by their
        names, and "t", the steps so far. None before the first step.
    draws : tuple of dict
        States of the networks' generators where the epoch began, the same on all
        shards.
    weight : float, default=0
        Weight of the rows that the last round has visited, in all.
    loss : float, default=0
        Mean training loss of these.
    first_loss : float, default=0
        That of their first batches.
    """

    parameters: np.ndarray
    optimizer_state: dict[str, Any] | None
    draws: Draws
    weight: float = 0.0
    loss: float = 0.0
    first_loss: float = 0.0


@np.errstate(all="ignore")
def mean_of_two(first: State, second: State) -> State:
    """The mean of two states, each of which counts by its weight.

    A state of weight 0 has visited no rows, and has nothing to say. Numbers that ran
    away are not passed over: the mean with NaN is NaN. The mean of two states that are
    the same is that state, to the last bit.
    """
    if second.weight == 0:
        return first
    if first.weight == 0:
        return second
    weight = first.weight + second.weight
    share = second.weight / weight

    def mean(a: Any, b: Any) -> Any:
        return a + (b - a) * share

    assert first.optimizer_state is not None, "it has visited rows"
    assert second.optimizer_state is not None, "so has this"
    vectors = {
        name: mean(memory, second.optimizer_state[name])
        for name, memory in first.optimizer_state.items()
        if name != "t"
    }
    # unequal shards take unequal numbers of steps; the moments are as old as the oldest
    n_steps = max(first.optimizer_state["t"], second.optimizer_state["t"])
    return State(
        mean(first.parameters, second.parameters),
        {"t": n_steps, **vectors},
        first.draws,
        weight,
        mean(first.loss, second.loss),
        mean(first.first_loss, second.first_loss),
    )


def in_pairs(parts: Iterable[Part], join: Callable[[Part, Part], Part]) -> Part:
    """Join neighbours, then neighbours of what came of that, until one is left.

    Who meets whom depends on the places of the parts alone, so that the outcome is the
    same to the last bit in whatever order they arrive.

    Examples
    --------
    >>> in_pairs("abcde", "({} {})".format)
    '(((a b) (c d)) e)'
    """
    parts = list(parts)
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd_one = parts[-1:] if len(parts) % 2 else []
        parts = [*(join(*pair) for pair in pairs), *odd_one]
    return parts[0]


def mean_of(states: Iterable[State]) -> State:
    """The mean of the states of all shards, in the order of these."""
    return in_pairs(states, mean_of_two)


class Visit(NamedTuple):
    """Which rows one shard visits in one round.

    An epoch of a shard is cut into rounds behind some of its batches. So it consists of
    the same steps in however many rounds, and on one shard it is the epoch of a fit
    that knows no rounds (with dropout, if it is of one round).

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 0.
    number : int
        Number of the round in its epoch, from 0.
    n_rounds : int
        Rounds per epoch.
    shard : int, default=0
        Number of the shard, from 0.
    n_shards : int, default=1
        How many there are.
    ended : frozenset of int, default=frozenset()
        Networks whose part in training is over.
    """

    epoch: int
    number: int
    n_rounds: int
    shard: int = 0
    n_shards: int = 1
    ended: frozenset[int] = frozenset()

    def batches(self, n_batches: int) -> range:
        """Which of so many batches per epoch it visits; maybe none, if they are few.

        Examples
        --------
        >>> [Visit(0, number, 4).batches(10) for number in range(4)]
        [range(0, 2), range(2, 5), range(5, 7), range(7, 10)]
        """
        start, stop = (
            (self.number + more) * n_batches // self.n_rounds for more in (0, 1)
        )
        return range(start, stop)

    def progress(self, n_batches: int, n_epochs: int) -> list[float]:
        """How far training has come before each step, from 0 to 1."""
        n_before = self.epoch * n_batches
        n_steps = n_epochs * n_batches
        return [(n_before + batch) / n_steps for batch in self.batches(n_batches)]

    def generators(self, shared: Generators) -> Generators:
        """Those that the shard draws from in this epoch, one per network.

        They are `shared` itself where nobody shares it. Else they follow from one draw
        of each, the same on all shards, and from the number of the shard.
        """
        if self.n_shards == 1:
            return shared
        return [
            np.random.default_rng([*rng.integers(2**63, size=2), self.shard])
            for rng in shared
        ]

    def draws_behind(self, before: Draws, shared: Generators) -> Draws:
        """The draws of the state behind it: those of the epoch, or of the next one."""
        return draws_of(shared) if self.number == self.n_rounds - 1 else before


def draws_of(rngs: Generators) -> Draws:
    """The states of generators, from which `generators_at` makes them again."""
    return tuple(dict(rng.bit_generator.state) for rng in rngs)


def generators_at(draws: Draws) -> list[np.random.Generator]:
    """Generators in these states."""
    rngs = [np.random.default_rng(0) for _ in draws]
    for rng, state in zip(rngs, draws, strict=True):
        rng.bit_generator.state = state
    return rngs


def learning_rate_factor(n_shards: int, n_epochs_before: float) -> float:
    """How much larger the learning rate is on so many shards than in one place.

    A shard takes fewer steps per epoch, and the mean of many is less noisy than each:
    so steps may be larger, about as much as there are fewer. But not at once: where
    networks set out with large steps, shards go ways that have no good mean. The factor
    grows from 1 over the first epoch (as in Goyal et al., 2017, for large batches).

    Parameters
    ----------
    n_shards : int
        How many there are.
    n_epochs_before : float
        Epochs before the round; half a one in the middle of the first.

    Examples
    --------
    >>> [learning_rate_factor(4, n_epochs) for n_epochs in (0, 0.5, 1, 2)]
    [1.0, 3.5, 6.0, 6.0]
    """
    if n_shards == 1:
        return 1.0
    factor = min(FACTOR_PER_SHARD * n_shards, LARGEST_FACTOR)
    return 1 + (factor - 1) * min(1.0, n_epochs_before)


def batch_size_on(n_shards: int, batch_size: int) -> int:
    """Rows per step on each of so many shards, where one place would take `batch_size`.

    From more than four shards on, each step takes fewer rows, so that a shard still
    takes steps enough; the mean makes up for the noise.

    Examples
    --------
    >>> [batch_size_on(n_shards, 512) for n_shards in (1, 4, 16, 64)]
    [512, 512, 256, 128]
    """
    return math.ceil(batch_size / max(1.0, math.sqrt(n_shards / 4)))
