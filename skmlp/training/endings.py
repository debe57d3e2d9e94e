"""How training may end."""

from enum import StrEnum


class StopReason(StrEnum):
    """Why a run of training went no further.

    The values are what checkpoints hold.
    """

    CONVERGED = "converged"
    """Nothing improved any more, or the solver found that nothing was left to do."""

    DIVERGED = "diverged"
    """The loss ran away, or became no number."""

    OUT_OF_TIME = "time"
    """The deadline passed."""

    INTERRUPTED = "interrupted"
    """The user pressed Ctrl-C."""

    BY_CALLBACK = "callback"
    """A callback of scikit-learn's asked for it."""

    COMPLETED = "schedule"
    """All epochs that were wanted are over."""

    MAX_ITER_REACHED = "epochs"
    """The most epochs that there may be are over, and the loss had not settled."""
