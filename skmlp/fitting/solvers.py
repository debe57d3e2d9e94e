"""The trainers by the names that the parameter `solver` takes."""

from skmlp.fitting.lbfgs import LbfgsTrainer
from skmlp.fitting.stochastic import StochasticTrainer
from skmlp.fitting.trainer import Trainer
from skmlp.optim.optimizers import OPTIMIZERS

SOLVERS: dict[str, type[Trainer]] = {
    **dict.fromkeys(OPTIMIZERS, StochasticTrainer),
    "lbfgs": LbfgsTrainer,
}


def check_supports(solver: str, feature: str, shown: str) -> None:
    """Raise if a solver does not support a feature, `shown` as a user writes it."""
    if feature in SOLVERS[solver].unsupported:
        others = [
            f'"{name}"'
            for name, trainer in SOLVERS.items()
            if feature not in trainer.unsupported
        ]
        raise ValueError(
            f'{shown} with solver="{solver}": {SOLVERS[solver].unsupported[feature]} '
            f"choose solver={' or '.join(others)}."
        )
