"""scikit-learn's own checks of an estimator, over defaults, activations and solvers."""

import pytest
from networks import classic
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
    check_param_validation,
    parametrize_with_checks,
)

from skmlp import MLPSoftmaxClassifier
from skmlp.core.library import engine

DEFAULT = MLPSoftmaxClassifier()
# with the default (ReLU, Adam): every solver and dtype, with and without preprocessing
OTHERS = [
    classic(activation="prelu", early_stopping=True),
    classic(activation="sigmoid", solver="lbfgs"),
    classic(activation="tanh", solver="sgd", dtype="float64"),
    classic((), preprocessing=None),
]

DEPENDS_ON_BLAS = "check_methods_sample_order_invariance"
REASON = "NumPy's BLAS may round by the place of a row; this check wants 9 digits"

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def expected_failures(estimator):
    failures = {DEPENDS_ON_BLAS: REASON} if engine() == "numpy" else {}
    if estimator.solver != "lbfgs" and estimator.dtype == "float32":
        reason = "steps in float32 don't agree to 1e-7 over rows in another order"
        failures |= {
            "check_sample_weight_equivalence_on_dense_data": reason,
            "check_sample_weight_equivalence_on_sparse_data": reason,
        }
    if estimator.early_stopping is True:
        reason = "partial_fit refuses early_stopping=True, as scikit-learn's does"
        failures |= {
            "check_estimators_partial_fit_n_features": reason,
            "check_fit_score_takes_y": reason,
            "check_n_features_in_after_fitting": reason,
        }
    return failures


@parametrize_with_checks(OTHERS, expected_failed_checks=expected_failures)
def test_parametrized(estimator, check):
    if DEPENDS_ON_BLAS in str(check) and engine() == "numpy":
        pytest.xfail(REASON)
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.parametrize("estimator", [DEFAULT, *OTHERS], ids=repr)
def test_what_scikit_learn_asks_of_its_own(estimator, check):
    check("MLPSoftmaxClassifier", estimator)


def test_check_estimator_on_the_default():
    results = check_estimator(
        DEFAULT, expected_failed_checks=expected_failures(DEFAULT), on_skip=None
    )
    assert {result["status"] for result in results} <= {"passed", "skipped", "xfail"}
