"""
How do I hand a model to somebody else?
=======================================

A model is trained here, and used next week, elsewhere, by other people. One learns here

* that ``save`` puts everything into one file, the encoder of the table included, and
  that ``skmlp.load`` reads it: the probabilities are the same to the last bit;
* that such a file runs no code when it is read, as a pickle can, and that one that was
  damaged on its way is refused in a sentence;
* how large the files are: about the weights, four bytes each.

Run it with ``python examples/plot_saving.py``.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _output import print_table, save, wants_docs
from sklearn.datasets import load_wine

import skmlp
from skmlp import MLPSoftmaxClassifier

N_NETWORKS = [1, 4, 16, 64]


def load_wines():
    """Wines of three growers, with one column as words and some values missing."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    X["colour"] = np.where(X.pop("color_intensity") > 5, "deep", "light")
    X.loc[::7, "ash"] = np.nan
    return X, y.map({0: "first", 1: "second", 2: "third"})


def there_and_back(model, X, path):
    """Save a model, load it, and compare."""
    model.save(path)
    loaded = skmlp.load(path)
    return {
        "networks": model.n_estimators_,
        "weights": model.n_estimators_ * model.n_parameters_,
        "bytes": path.stat().st_size,
        "same probabilities": np.array_equal(
            loaded.predict_proba(X), model.predict_proba(X)
        ),
    }


def show_refusal(path):
    """Flip one bit of a file, and print what is said of it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = path.with_name("damaged.skmlp")
    damaged.write_bytes(content)
    try:
        skmlp.load(damaged)
    except skmlp.FileRefusedError as error:
        print("\nOne bit flipped:", str(error).replace(f"{path.parent}/", ""))


def draw(rows):
    """Size of the file by number of weights, and what the weights alone take."""
    figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
    weights = rows["weights"]
    ax.plot(weights, rows["bytes"], "o-", color="#0072B2", label="file")
    ax.plot(weights, 4 * weights, "--", color="#D55E00", label="4 bytes per weight")
    ax.set(xscale="log", yscale="log", xlabel="weights", ylabel="bytes")
    ax.set_title("What a saved model takes")
    ax.legend()
    return figure


def main():
    docs = wants_docs(__doc__)
    X, y = load_wines()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wines.skmlp"
        rows = []
        for n_estimators in N_NETWORKS:
            model = MLPSoftmaxClassifier(
                n_estimators=n_estimators, max_iter=20, random_state=0
            )
            rows.append(there_and_back(model.fit(X, y), X, path))
        rows = pd.DataFrame(rows)
        print_table("Saved and loaded", rows)
        assert rows["same probabilities"].all()
        show_refusal(path)
    save(draw(rows), "plot_saving.png", docs)


if __name__ == "__main__":
    main()
