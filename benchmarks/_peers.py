"""Classifiers to compare, each with what it needs around it to take a raw table."""

import importlib.metadata
import logging
from collections.abc import Callable
from functools import partial

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tables import by_hand

import skmlp
from skmlp import MLPSoftmaxClassifier


def is_number(column):
    return pd.api.types.is_numeric_dtype(column)


def is_number_or_date(column):
    return is_number(column) or holds_dates(column)


def dates_as_days(X):
    """Dates, also those that are text, as days since 1970: few classifiers read any."""
    return X.assign(**{name: in_days(X[name]) for name in X if holds_dates(X[name])})


def in_days(dates):
    since = pd.to_datetime(dates, utc=True) - pd.Timestamp(0, tz="UTC")
    return since / pd.Timedelta(days=1)


def holds_dates(column):
    """Whether a column has the type of dates, or is text of the form 2013-01-01."""
    if is_number(column):
        return False
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    values = column.dropna().astype(str)
    return values.str.match(r"\d{4}-\d\d-\d\d").all()


def as_text(column):
    """Text of a column's values, in which what is missing stays missing."""
    return column.astype(object).map(str, na_action="ignore")


class AsCategories(TransformerMixin, BaseEstimator):
    """Numbers as floats, all else as pandas categories of the values seen in `fit`.

    Columns are named c0, c1 and so on, as some libraries refuse special characters.
    What was not seen in `fit`, or is rarer than `most_values` others, is missing.
    """

    def __init__(self, most_values=None):
        self.most_values = most_values

    def fit(self, X, y=None):
        X = dates_as_days(X)
        self.values_ = {
            name: as_text(X[name]).value_counts().index[: self.most_values]
            for name in X
            if not is_number(X[name])
        }
        return self

    def transform(self, X):
        X = dates_as_days(X)
        columns = {
            f"c{place}": (
                pd.Categorical(as_text(X[name]), categories=self.values_[name])
                if name in self.values_
                else X[name].astype(float)
            )
            for place, name in enumerate(X)
        }
        return pd.DataFrame(columns, index=X.index)


class AsText(TransformerMixin, BaseEstimator):
    """Numbers as they are, all else as text, with "missing" for what is missing."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = dates_as_days(X)
        texts = {
            name: as_text(X[name]).fillna("missing")
            for name in X
            if not is_number(X[name])
        }
        return X.assign(**texts)

    def __sklearn_is_fitted__(self):
        return True


def by_hand_with_rare_values(model):
    """A pipeline of the usual steps, in which rare values share a column."""
    encoded = by_hand(
        model,
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        max_categories=40,
    )
    return make_pipeline(FunctionTransformer(dates_as_days), encoded)


def logistic_regression(X, seed):
    return by_hand_with_rare_values(LogisticRegression(max_iter=1000))


def perceptron(X, seed):
    return by_hand_with_rare_values(MLPClassifier(random_state=seed))


def random_forest(X, seed):
    # on all cores, as the other trees are by default
    return by_hand_with_rare_values(
        RandomForestClassifier(n_jobs=-1, random_state=seed)
    )


def boosted_trees(X, seed):
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=seed
    )
    return make_pipeline(AsCategories(model.max_bins), model)


def lightgbm(X, seed):
    from lightgbm import LGBMClassifier

    return make_pipeline(
        AsCategories(), LGBMClassifier(verbosity=-1, random_state=seed)
    )


def catboost(X, seed):
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        iterations=500,
        cat_features=[name for name in X if not is_number_or_date(X[name])],
        verbose=False,
        allow_writing_files=False,
        random_seed=seed,
    )
    return make_pipeline(AsText(), model)


def realmlp(kind, X, seed):
    import pytabkit

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    fill = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include=float)),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = getattr(pytabkit, kind)(device="cpu", random_state=seed)
    return make_pipeline(AsCategories(), fill, model)


CLASSIFIERS: dict[str, Callable] = {
    "skmlp": lambda X, seed: MLPSoftmaxClassifier(random_state=seed),
    "logistic regression": logistic_regression,
    "scikit-learn MLP": perceptron,
    "random forest": random_forest,
    "HistGradientBoosting": boosted_trees,
    "LightGBM": lightgbm,
    "CatBoost": catboost,
    "RealMLP-TD": partial(realmlp, "RealMLP_TD_Classifier"),
    "RealMLP-TD-S": partial(realmlp, "RealMLP_TD_S_Classifier"),
}
"""Functions of a table and a seed, each of which returns an unfitted classifier."""

SLOW = ["RealMLP-TD", "RealMLP-TD-S"]
PACKAGES = {
    "LightGBM": "lightgbm",
    "CatBoost": "catboost",
    "RealMLP-TD": "pytabkit",
    "RealMLP-TD-S": "pytabkit",
}
"""Where a classifier comes from, if not from here or from scikit-learn."""


def version(name):
    """Version of the package of a classifier, or None if it is not installed."""
    if name == "skmlp":
        return skmlp.__version__
    try:
        return importlib.metadata.version(PACKAGES.get(name, "scikit-learn"))
    except importlib.metadata.PackageNotFoundError:
        return None
