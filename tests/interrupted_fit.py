"""Fits that Ctrl-C interrupts at random moments, in a process of their own."""

import random
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from skmlp import MLPSoftmaxClassifier
from skmlp.training.threads import ONE_THREAD, _get_limits

SETTINGS = {  # rows, and parameters
    "batches shared by threads": (600, {"hidden_layer_sizes": (512, 512)}),
    "default layers": (12_000, {"batch_size": 512}),
    "members side by side": (600, {"n_estimators": 4}),
    "without early stopping": (600, {"early_stopping": False, "batch_size": 256}),
    "full batch": (600, {"solver": "lbfgs", "n_estimators": 2}),
}
ALL = {"n_estimators": 1, "random_state": 0, "max_iter": 1000, "tol": 0.0}
LONGEST_WAIT = 0.15
"""Seconds of a fit within which the interrupt comes."""


class Interrupt:
    """Does what Ctrl-C does, some seconds after a block began and only within it."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.is_active = True
        signal.signal(signal.SIGALRM, self.press)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def press(self, *_):
        if self.is_active:
            raise KeyboardInterrupt

    def __exit__(self, *_):
        self.is_active = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(name, n_times):
    """Interrupt fits of one setting; each either raises or leaves a usable model."""
    warnings.simplefilter("ignore")
    n_rows, params = SETTINGS[name]
    X = np.random.default_rng(0).normal(size=(n_rows, 20)).astype(np.float32)
    y = np.digitize(X[:, 0] + X[:, 1], [-1, 1])
    moments = random.Random(name)
    with threadpool_limits(2, user_api="blas"), tempfile.TemporaryDirectory() as folder:
        for _ in range(n_times):
            model = MLPSoftmaxClassifier(**ALL | params)
            try:
                with Interrupt(moments.uniform(1e-6, LONGEST_WAIT)):
                    model.fit(X, y)
            except KeyboardInterrupt:  # before training began
                assert not hasattr(model, "parameters_")
                continue
            assert np.isfinite(model.predict_proba(X[:100])).all()
            model.save(Path(folder) / "model.skmlp")
        assert not ONE_THREAD.users
        assert max(_get_limits()) == 2


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
