"""What other processes run in the tests of forks."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_info

from skmlp import MLPSoftmaxClassifier
from skmlp.training.threads import ONE_THREAD

X = csr_array(np.random.default_rng(0).random((60, 4)))  # sparse: a thread per network
Y = np.arange(60) % 3


class Report(NamedTuple):
    """Probabilities of a new fit, and the threads that the process has after it."""

    probabilities: np.ndarray
    n_users: int
    n_allowed: int
    blas_threads: list[int]


def model(**params):
    defaults = {"n_estimators": 2, "max_iter": 3, "random_state": 0}
    return MLPSoftmaxClassifier((8,), **defaults | params)


def predictions(estimator):
    return estimator.fit(X, Y).predict_proba(X)


def blas_threads():
    pools = threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


def report():
    probabilities = predictions(model())
    n_allowed = ONE_THREAD.n_allowed()
    return Report(probabilities, len(ONE_THREAD.users), n_allowed, blas_threads())


def send(pipe, work):
    """Hand on what `work` returns."""
    pipe.send(work())
