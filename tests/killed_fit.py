"""What a process runs that is to be killed in the midst of a fit."""

import itertools
import os
import signal
import sys
import threading
import warnings

from sklearn.datasets import load_wine

from skmlp import MLPSoftmaxClassifier


def fit(params, n_calls):
    """Train on the wine data until Python has called or left so many functions."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    warnings.simplefilter("ignore")
    calls = itertools.count(1)

    def count(*_):
        if next(calls) == n_calls:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)
    MLPSoftmaxClassifier(**params).fit(X, y)
