"""Our default against others after a search, and against itself after one.

    python benchmarks/tuned.py              measures what is missing, reports
    python benchmarks/tuned.py --report     only reports

On the smaller tables of suite.py, each classifier is tuned by 30 trials of random
search for the log-loss of five stratified folds of the training rows, is fitted with
what was best, and gives probabilities of the same test rows as in accuracy.py (first
split). The spaces are those that are usual for each; ours is `search_spaces.FULL`.
Results are kept in results/tuned.csv.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _machine import append_row, describe_machine, markdown_table
from _peers import CLASSIFIERS, is_number_or_date, version
from accuracy import predict, score
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from suite import rows_for_splits, suite

from skmlp.search_spaces import FULL, for_step

RESULTS = Path(__file__).parent / "results" / "tuned.csv"
N_TRIALS = 30
N_FOLDS = 5
DEFAULT = "skmlp, untuned"
TABLES = [
    *("tae", "hayes-roth", "wine", "heart", "bupa", "saheart", "led7digit", "crx"),
    *("breast_cancer", "tic-tac-toe", "OJ", "CreditCard", "attrition", "HMDA", "Chile"),
]
SPACES = {
    "skmlp": FULL,
    "scikit-learn MLP": for_step(
        {
            "hidden_layer_sizes": [(50,), (100,), (200,), (50, 50), (100, 100)],
            "activation": ["relu", "tanh"],
            "alpha": loguniform(1e-5, 10),
            "learning_rate_init": loguniform(3e-4, 1e-2),
            "batch_size": [32, 64, 128],
            "max_iter": [20, 50, 100, 200],
        },
        "pipeline__mlpclassifier",
    ),
    "HistGradientBoosting": for_step(
        {
            "learning_rate": loguniform(0.01, 0.3),
            "max_iter": randint(30, 400),
            "max_leaf_nodes": randint(4, 64),
            "min_samples_leaf": randint(3, 60),
            "l2_regularization": loguniform(1e-3, 10),
            "max_features": uniform(0.4, 0.6),
        },
        "histgradientboostingclassifier",
    ),
    "LightGBM": for_step(
        {
            "learning_rate": loguniform(0.01, 0.3),
            "n_estimators": randint(30, 400),
            "num_leaves": randint(4, 64),
            "min_child_samples": randint(3, 60),
            "reg_lambda": loguniform(1e-3, 10),
            "colsample_bytree": uniform(0.4, 0.6),
            "subsample": uniform(0.5, 0.5),
            "subsample_freq": [1],
        },
        "lgbmclassifier",
    ),
    "CatBoost": for_step(
        {
            "learning_rate": loguniform(0.01, 0.3),
            "depth": randint(3, 9),
            "l2_leaf_reg": loguniform(0.5, 30),
            "random_strength": loguniform(0.1, 10),
            "bagging_temperature": uniform(0, 1),
        },
        "catboostclassifier",
    ),
}
FOR_SEARCH = {
    "CatBoost": {"catboostclassifier__thread_count": 1},
    "LightGBM": {"lgbmclassifier__n_jobs": 1},
}
"""What differs in a search; trials run side by side, so that each is held to a core."""


def tuned(name, X, y):
    """The search, which fits the best settings on all rows."""
    model = CLASSIFIERS[name](X, 0)
    if name == "CatBoost":
        # its clone fails where it was given a list; fit takes that as well
        encoder, classifier = model
        params = classifier.get_params()
        del params["cat_features"]
        model = make_pipeline(encoder, type(classifier)(**params))
    return RandomizedSearchCV(
        model.set_params(**FOR_SEARCH.get(name, {})),
        SPACES[name],
        n_iter=N_TRIALS,
        scoring="neg_log_loss",
        cv=StratifiedKFold(N_FOLDS, shuffle=True, random_state=0),
        n_jobs=-1,
        random_state=0,
    )


def measure(name, X, y):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=0
    )
    model = CLASSIFIERS["skmlp"](X, 0) if name == DEFAULT else tuned(name, X, y)
    given = {}
    if name == "CatBoost":
        categories = [column for column in X if not is_number_or_date(X[column])]
        given = {"catboostclassifier__cat_features": categories}
    start = time.perf_counter()
    model.fit(X_train, y_train, **given)
    seconds = time.perf_counter() - start
    classes = np.unique(y)
    found = score(y_test, predict(model, X_test, classes), classes)
    return found | {"seconds": seconds}


def read_results():
    if not RESULTS.exists():
        return pd.DataFrame(columns=["table", "classifier"])
    return pd.read_csv(RESULTS)


def measure_missing():
    found = read_results()
    done = set(zip(found.table, found.classifier, strict=True))
    tables = suite()
    for table in TABLES:
        X, y = rows_for_splits(*tables[table]())
        for name in [DEFAULT, *SPACES]:
            is_there = name == DEFAULT or version(name) is not None
            if (table, name) in done or not is_there:
                continue
            row = {"table": table, "classifier": name} | measure(name, X, y)
            append_row(RESULTS, row)
            print(
                f"{table:14} {name:22} {row['log_loss']:.4f} {row['seconds']:6.1f} s",
                flush=True,
            )


def report(results):
    losses = results.pivot_table(index="table", columns="classifier", values="log_loss")
    errors = results.groupby("classifier").calibration_error.mean()
    seconds = results.groupby("classifier").seconds.median()
    ranks = losses.rank(axis=1).mean().sort_values()
    of_accuracy = (
        results.pivot_table(index="table", columns="classifier", values="accuracy")
        .rank(axis=1, ascending=False)
        .mean()
    )
    rows = [
        [
            name if name == DEFAULT else f"{name}, tuned",
            f"{ranks[name]:.2f}",
            f"{of_accuracy[name]:.2f}",
            f"{errors[name]:.3f}",
            f"{seconds[name]:.1f} s",
        ]
        for name in ranks.index
    ]
    header = ["classifier", "mean rank in log-loss", "in accuracy"]
    header += ["calibration error", "search and fit, median"]
    print(f"\nOver {len(losses)} tables\n\n{markdown_table(header, rows)}\n")
    rows = [
        [table, *losses.loc[table, ranks.index].map("{:.4f}".format)]
        for table in TABLES
        if table in losses.index
    ]
    print(markdown_table(["log-loss", *ranks.index], rows))


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="measure nothing")
    if not parser.parse_args().report:
        measure_missing()
    report(read_results())
    print("\n" + describe_machine("scikit-learn", "numpy", "lightgbm", "catboost"))


if __name__ == "__main__":
    main()
