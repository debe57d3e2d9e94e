"""Log-loss on real tables: straight in, and through a pipeline made by hand.

    python benchmarks/tables.py

The same network and the same split (70/30, stratified), three splits per table. By hand
means: numbers with the median for what is missing, a column that says where, and
StandardScaler; everything else one-hot.
"""

import time
import warnings

import numpy as np
from _classic import classic
from _machine import describe_machine, markdown_table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from suite import suite

TABLES = [
    "credit_data",
    "wa_churn",
    "attrition",
    "hpc_data",
    "lending_club",
    "stackoverflow",
    "leaf_id_flavia",
    "cells",
    "HMDA",
    "CreditCard",
    "Chile",
    "OJ",
    "email",
    "storms",
    "diamonds",
    "nassCDS",
]
SEEDS = (0, 1, 2)


def network(**params):
    return classic(learning_rate="cosine", max_iter=30, random_state=0, **params)


def by_hand(model, **one_hot):
    """A pipeline of the usual steps before `model`; one-hot encoding is as given."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    categories = OneHotEncoder(sparse_output=False, **one_hot)
    return make_pipeline(
        make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (categories, make_column_selector(dtype_exclude="number")),
        ),
        model,
    )


def models():
    """Straight in, by hand."""
    return [network(), by_hand(network(preprocessing=None), handle_unknown="ignore")]


def losses(X, y):
    """Log-loss and seconds: straight in, by hand."""
    found = []
    for seed in SEEDS:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=seed
        )
        row = []
        for model in models():
            start = time.perf_counter()
            model.fit(X_train, y_train)
            elapsed = time.perf_counter() - start
            p = model.predict_proba(X_test)
            row += [log_loss(y_test, p, labels=model.classes_), elapsed]
        found.append(row)
    return np.mean(found, axis=0)


def main():
    warnings.simplefilter("ignore")
    rows, ratios = [], []
    for name in TABLES:
        X, y = suite()[name]()
        ours, seconds, theirs, their_seconds = losses(X, y)
        ratios.append(ours / theirs)
        figures = [
            f"{ours:.4f}",
            f"{theirs:.4f}",
            f"{ours / theirs:.3f}",
            f"{seconds:.2f}",
            f"{their_seconds:.2f}",
        ]
        rows.append([name, f"{len(X)}x{X.shape[1]}", *figures])
        print(*rows[-1], flush=True)
    header = ["table", "size", "straight in", "by hand", "ratio", "s", "s by hand"]
    print("\n" + markdown_table(header, rows))
    mean = np.exp(np.mean(np.log(ratios)))
    n_better = np.sum(np.array(ratios) < 1)
    print(
        f"\ngeometric mean of the ratios {mean:.3f}; better on {n_better} of "
        f"{len(ratios)} tables"
    )
    print("\n" + describe_machine("scikit-learn", "numpy", "pandas"))


if __name__ == "__main__":
    main()
