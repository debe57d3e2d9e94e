"""The fitted network in what a Display is given."""

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skmlp.classifier import MLPSoftmaxClassifier


def fitted_classifier(estimator: BaseEstimator) -> MLPSoftmaxClassifier:
    """The fitted MLPSoftmaxClassifier that an estimator is, ends in, or has found."""
    if hasattr(estimator, "refit"):
        check_is_fitted(
            estimator,
            "best_estimator_",
            msg="This %(name)s has no best_estimator_; call its fit, with refit=True.",
        )
        return fitted_classifier(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        return fitted_classifier(estimator[-1])
    if not isinstance(estimator, MLPSoftmaxClassifier):
        raise TypeError(
            f"got {estimator!r}, which holds no network to draw; pass an "
            "MLPSoftmaxClassifier, a Pipeline that ends in one, or a search over one."
        )
    check_is_fitted(estimator)
    return estimator
