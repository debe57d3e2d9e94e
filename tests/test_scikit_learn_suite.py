"""scikit-learn's own tests of its MLPClassifier, run on MLPSoftmaxClassifier.

The module is loaded a second time with our class in place of theirs, and its test
functions are collected here. What is left out is listed with the reason.
"""

import importlib.util
from unittest import mock

import pytest
from networks import classic
from sklearn import neural_network

PRIVATE = "looks at private attributes"
REGRESSION = "tests regression"
MULTILABEL = "tests multilabel output"

LEFT_OUT = {
    "test_fit": "one-unit binary output, and private attributes",
    "test_gradient": PRIVATE,
    "test_learning_rate_warmstart": PRIVATE,
    "test_adaptive_learning_rate": PRIVATE,
    "test_n_iter_no_change": PRIVATE,
    "test_n_iter_no_change_inf": PRIVATE,
    "test_multilabel_classification": MULTILABEL,
    "test_predict_proba_multilabel": MULTILABEL,
    "test_lbfgs_regression": REGRESSION,
    "test_lbfgs_regression_maxfun": REGRESSION,
    "test_multioutput_regression": REGRESSION,
    "test_partial_fit_regression": REGRESSION,
    "test_nonfinite_params": REGRESSION,
    "test_shuffle": REGRESSION,
    "test_mlp_regressor_dtypes_casting": REGRESSION,
    "test_mlp_loading_from_joblib_partial_fit": REGRESSION,
    "test_mlp_diverging_loss": REGRESSION,
    "test_mlp_sample_weight_with_early_stopping": REGRESSION,
    "test_mlp_vs_poisson_glm_equivalent": REGRESSION,
    "test_minimum_input_sample_size": REGRESSION,
    "test_early_stopping_stratified": (
        "wants an error for a class of one row; ours keeps the row for training"
    ),
    "test_mlp_param_dtypes": "wants the type of X; ours is what `dtype` says",
    "test_lbfgs_classification_maxfun": (
        "wants raw X to need more steps; encoded, it needs fewer. See test_classifier"
    ),
    "test_verbose_sgd": "wants the word Iteration; see test_verbose",
}


def load_their_tests():
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    # classic: many of them look at what scikit-learn's defaults lead to
    with mock.patch.object(neural_network, "MLPClassifier", classic):
        spec.loader.exec_module(module)
    return {name: test for name, test in vars(module).items() if name[:5] == "test_"}


THEIR_TESTS = load_their_tests()
globals().update(
    {name: test for name, test in THEIR_TESTS.items() if name not in LEFT_OUT}
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # digits have pixels that are always white
    pytest.mark.filterwarnings("ignore:.* columns hold no two different values"),
]


def test_nothing_is_left_out_that_is_not_there():
    assert LEFT_OUT.keys() <= THEIR_TESTS.keys()
