"""Callbacks, and our classifier as the estimator that scikit-learn's tests train."""

import numpy as np
from sklearn.datasets import load_wine, make_regression

from skmlp import MLPSoftmaxClassifier

DATA = load_wine(return_X_y=True)


def make_classes(n_samples, n_features, random_state):
    """Stands for make_regression: classes that are numbers, so that r2 scores them."""
    X, y = make_regression(n_samples, n_features, random_state=random_state)
    return X, (y > 0).astype(int)


class MaxIterEstimator(MLPSoftmaxClassifier):
    """As many epochs as `max_iter` says, on data of its own if `fit` gets none."""

    def __init__(self, max_iter=20, computation_intensity=0.0):
        super().__init__(
            (4,),
            max_iter=max_iter,
            n_iter_no_change=np.inf,
            early_stopping=False,
            learning_rate="cosine",  # has all its epochs, and no warning after them
            n_estimators=1,
            random_state=0,
        )
        self.computation_intensity = computation_intensity

    def fit(self, X=None, y=None, sample_weight=None):
        """Train, on data of our own if there are none."""
        if y is None:
            X, y = DATA
        return super().fit(X, y, sample_weight)


class Witness:
    """Writes down the tasks, keeps the fitted estimators, may end training."""

    def __init__(self, n_epochs=np.inf):
        self.n_epochs = n_epochs
        self.calls, self.models = [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.calls.append(("end", context.task_name))
        self.data = X, y, metadata
        if context.task_name == "epoch":
            self.models.append(fitted_estimator)
            return context.task_id + 1 >= self.n_epochs
        return False

    def teardown(self, estimator, context):
        self.calls.append("teardown")


class Idle:
    """Asks for nothing; an ever so cheap callback."""

    def setup(self, estimator, context):
        pass

    on_fit_task_begin = on_fit_task_end = teardown = setup
