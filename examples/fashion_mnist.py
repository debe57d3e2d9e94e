"""
Fashion-MNIST: what is a modern recipe worth?
=============================================

The network is the one that most courses begin with: 784 pixels, a hidden layer of 256
units, 10 kinds of clothes. One learns here what the recipe around it is worth, over
the same 10 epochs:

* the classic recipe: stochastic gradient descent at a constant learning rate of 0.1,
  without momentum, in batches of 256, with ReLU;
* a modern one: Adam with a learning rate that rises and falls once ("one cycle"), and
  a little dropout.

Both train one network on all rows to the last epoch; the default of
MLPSoftmaxClassifier, several networks that stop each other from being too sure, is in
benchmarks/accuracy.py.

Then one looks at the pictures about which the better network was most certain, and
wrong.

The data come from Debian's package dataset-fashion-mnist, from where it is installed,
or fetched once with apt-get (no root needed) into ~/.cache/skmlp/fashion-mnist.

Run it with ``python examples/fashion_mnist.py``.
"""

# sphinx_gallery_thumbnail_path = 'images/fashion_mnist.png'

import gzip
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _output import print_table, save, wants_docs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss

from skmlp import MLPSoftmaxClassifier

PACKAGE = "dataset-fashion-mnist"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")
CACHE = Path.home() / ".cache" / "skmlp" / "fashion-mnist"
FILES = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]
NAMES = np.array(
    [
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ]
)

ONE_NETWORK = {
    "hidden_layer_sizes": (256,),
    "activation": "relu",
    "n_estimators": 1,
    "preprocessing": None,  # pixels from 0 to 1 have one scale already
    "early_stopping": False,
    "weight_decay": 0.0,
    "batch_size": 256,
    "max_iter": 10,
    "random_state": 0,
}
RECIPES = {
    "classic: sgd, constant 0.1": MLPSoftmaxClassifier(
        solver="sgd",
        learning_rate="constant",
        learning_rate_init=0.1,
        momentum=0,
        dropout=0.0,
        **ONE_NETWORK,
    ),
    "modern: adam, one cycle, dropout": MLPSoftmaxClassifier(
        learning_rate="one_cycle", learning_rate_init=0.003, dropout=0.2, **ONE_NETWORK
    ),
}


def has_files(folder):
    return all((folder / name).is_file() for name in FILES)


def find_files():
    """The folder with the four files, fetched if they are nowhere yet."""
    for folder in (INSTALLED, CACHE):
        if has_files(folder):
            return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        sys.exit(
            f"Put the four files of Fashion-MNIST, {', '.join(FILES)}, into {CACHE}: "
            f"there is no apt-get here to fetch Debian's package {PACKAGE} with."
        )
    fetch()
    return CACHE


def fetch():
    """Unpack Debian's package into the cache, without installing it."""
    print(f"Fetching Debian's package {PACKAGE} (31 MB) into {CACHE}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        # as root, apt would warn that its own user can't write into our folder
        subprocess.run(
            ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", PACKAGE],
            cwd=folder,
            check=True,
        )
        (archive,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            unpacked = Path(folder) / INSTALLED.relative_to("/") / name
            shutil.move(unpacked, CACHE / name)


def read_idx(path):
    """An array from an IDX file: a magic number, the shape, then bytes."""
    content = gzip.decompress(path.read_bytes())
    # two zeros, 8 for "unsigned bytes", and the number of dimensions
    n_dimensions = content[3]
    if content[:3] != b"\x00\x00\x08" or n_dimensions not in (1, 3):
        raise ValueError(
            f"{path} starts with {content[:4]!r}, which is not the magic number of "
            "an IDX file of bytes; delete it, so that it is fetched anew"
        )
    shape = np.frombuffer(content, dtype=">i4", count=n_dimensions, offset=4)
    start = 4 + 4 * n_dimensions
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def load():
    """Pixels in [0, 1] and names of the clothes, to learn from and to test on."""
    folder = find_files()
    parts = []
    for images, labels in (FILES[:2], FILES[2:]):
        pixels = read_idx(folder / images).reshape(-1, 784).astype(np.float32) / 255
        parts += [pixels, NAMES[read_idx(folder / labels)]]
    return parts


def fit_without_complaint(network, X, y):
    """Fit, and take it as given that ten epochs are not enough at a constant rate."""
    with warnings.catch_warnings():
        # the classic recipe ends while its loss is still falling, and the library says
        # so; ten epochs for both is what is compared here
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(X, y)


def compare(X_train, y_train, X_test, y_test):
    """Train with each recipe and test it."""
    rows = []
    for name, network in RECIPES.items():
        start = time.perf_counter()
        fit_without_complaint(network, X_train, y_train)
        seconds = time.perf_counter() - start
        rows.append(
            {
                "recipe": name,
                "epochs": network.n_iter_,
                "seconds": seconds,
                "accuracy": accuracy_score(y_test, network.predict(X_test)),
                "log-loss": log_loss(y_test, network.predict_proba(X_test)),
            }
        )
    return pd.DataFrame(rows)


def most_confidently_wrong(network, X, y, n_images):
    """Rows where the network is wrong, the most certain of them first."""
    probabilities = network.predict_proba(X)
    predicted = network.classes_[probabilities.argmax(axis=1)]
    certainty = np.where(predicted == y, 0, probabilities.max(axis=1))
    rows = certainty.argsort()[::-1][:n_images]
    return rows, predicted[rows], certainty[rows]


def draw_curves(ax, n_epochs=ONE_NETWORK["max_iter"]):
    styles = [("#D55E00", "--", "s"), ("#0072B2", "-", "o")]
    for (name, network), (colour, linestyle, marker) in zip(
        RECIPES.items(), styles, strict=True
    ):
        ax.plot(
            range(1, n_epochs + 1),
            network.loss_curve_,
            color=colour,
            linestyle=linestyle,
            marker=marker,
            label=name,
        )
    ax.set(xlabel="epoch", ylabel="training loss", xticks=range(1, n_epochs + 1))
    ax.legend()


def draw_mistakes(axes, network, X, y):
    found = most_confidently_wrong(network, X, y, len(axes))
    for ax, row, predicted, certainty in zip(axes, *found, strict=True):
        ax.imshow(X[row].reshape(28, 28), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{predicted}?\n{certainty:.1%} sure", fontsize=9)
        ax.set_xlabel(f"is: {y[row]}", fontsize=9)


def draw(X_test, y_test, n_images=8):
    figure = plt.figure(figsize=(9, 5.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.7, 1))
    draw_curves(top.subplots())
    top.suptitle("Fashion-MNIST, 784-256-10: loss of each epoch")
    bottom.suptitle("Most certain of the modern recipe's mistakes on the test images")
    better = list(RECIPES.values())[-1]
    draw_mistakes(bottom.subplots(1, n_images), better, X_test, y_test)
    return figure


def main():
    docs = wants_docs(__doc__)
    X_train, y_train, X_test, y_test = load()
    table = compare(X_train, y_train, X_test, y_test)
    print_table(
        f"Fashion-MNIST: {len(X_train)} images to learn from, {len(X_test)} to test on",
        table,
        {"seconds": ".1f", "accuracy": ".2%", "log-loss": ".4f"},
    )
    save(draw(X_test, y_test), "fashion_mnist.png", docs)


if __name__ == "__main__":
    main()
