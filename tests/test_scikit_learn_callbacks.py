"""scikit-learn's own tests of callbacks, run on MLPSoftmaxClassifier.

The modules are loaded a second time with our class in place of the estimator that they
train, and their test functions are collected here. What is left out is listed with the
reason; tests that only train other estimators pass in any case.
"""

import importlib.util
from unittest import mock

import pytest
import sklearn.datasets

utils = pytest.importorskip("sklearn.callback.tests._utils")

from callback_helpers import MaxIterEstimator, make_classes  # noqa: E402

PARTS = [
    "callback_context",
    "callback_support",
    "pickle",
    "progressbar",
    "scoring_monitor",
]
NAMES = "looks for tasks by a name that only their estimator gives; see test_callbacks"
SETS = "sets n_iter_, which is a property here"

LEFT_OUT = {
    "test_hook_calling_lazy_evaluation_reconstruction_attributes": SETS,
    "test_from_reconstruction_attributes": SETS,
    "test_score_after_fit": NAMES,
    "test_logged_values": NAMES,
    "test_logged_values_meta_estimator": NAMES,
    "test_scoring_monitor_no_callback_support": NAMES,
    "test_callbacks_refit_after_load_in_fresh_process": (
        "loads the estimator in a process that can't import the stand-in"
    ),
}


def load_their_tests():
    for part in PARTS:
        spec = importlib.util.find_spec(f"sklearn.callback.tests.test_{part}")
        module = importlib.util.module_from_spec(spec)
        with (
            mock.patch.object(utils, "MaxIterEstimator", MaxIterEstimator),
            mock.patch.object(sklearn.datasets, "make_regression", make_classes),
        ):
            spec.loader.exec_module(module)
        for name, test in vars(module).items():
            if name.startswith("test_"):
                yield name, test


THEIR_TESTS = dict(load_their_tests())
globals().update(
    {name: test for name, test in THEIR_TESTS.items() if name not in LEFT_OUT}
)


def test_nothing_is_left_out_that_is_not_there():
    assert LEFT_OUT.keys() <= THEIR_TESTS.keys()
