"""Golden models: fits whose results must not change unless a commit says why.

``python tests/golden/models.py`` fits them all on both backends and writes what this
machine computes to ``golden.json``.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
import sklearn
import threadpoolctl
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from skmlp import MLPSoftmaxClassifier, PReLU
from skmlp.core.library import engine

PATH = Path(__file__).with_name("golden.json")

N_PROBABILITIES = 6
"""Entries of `predict_proba` that are recorded as numbers, beside the hash of all."""

Fitted = tuple[MLPSoftmaxClassifier, Any]
"""A fitted model, and rows to predict."""


def make_mixed_table(n_rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw a table with a column of each common type, and labels that depend on it."""
    rng = np.random.default_rng(seed)
    color = rng.choice(["red", "green", "blue"], n_rows)
    amount = rng.lognormal(size=n_rows).round(3)
    days = rng.integers(0, 700, n_rows)
    table = pd.DataFrame(
        {
            "amount": np.where(rng.random(n_rows) < 0.1, np.nan, amount),
            "count": rng.integers(0, 9, n_rows),
            "color": pd.Series(color, dtype=object).where(rng.random(n_rows) > 0.05),
            "is_new": rng.random(n_rows) < 0.5,
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "town": [f"town {number}" for number in rng.integers(0, 80, n_rows)],
        }
    )
    signal = np.log(amount) + (color == "red") + np.sin(days / 60)
    return table, np.where(signal + rng.normal(size=n_rows) > 0.5, "yes", "no")


def fit_default_small() -> Fitted:
    """Ensemble of 16 networks on a small table."""
    X, y = make_mixed_table(300)
    return MLPSoftmaxClassifier(max_iter=4, random_state=0).fit(X, y), X


def fit_default_large() -> Fitted:
    """Defaults of tables with more than 10,000 rows."""
    X, y = make_mixed_table(12_000)
    model = MLPSoftmaxClassifier(max_iter=2, n_estimators=2, random_state=0)
    return model.fit(X, y), X[:500]


def fit_wide() -> Fitted:
    """More than 50 columns: GELU, no embedding."""
    X, y = load_digits(return_X_y=True, as_frame=True)
    return MLPSoftmaxClassifier(max_iter=3, random_state=0).fit(X, y), X


def fit_text() -> Fitted:
    """Text that becomes TF-IDF components and log-odds."""
    rng = np.random.default_rng(0)
    words = np.array(
        [
            "good",
            "bad",
            "fine",
            "poor",
            "great",
            "awful",
            "tea",
            "coffee",
            "table",
            "chair",
        ]
    )
    picked = rng.integers(0, len(words), (400, 6))
    X = pd.DataFrame({"review": [" ".join(words[row]) for row in picked]})
    y = (picked % 2 == 0).sum(axis=1) > 2
    return MLPSoftmaxClassifier(max_iter=4, random_state=0).fit(X, y), X


def fit_sparse() -> Fitted:
    """Sparse rows, on the NumPy backend whatever the machine has."""
    X, y = load_digits(return_X_y=True)
    model = MLPSoftmaxClassifier((32,), n_estimators=2, max_iter=3, random_state=0)
    return model.fit(csr_matrix(X), y), csr_matrix(X)


def fit_lbfgs() -> Fitted:
    """Full-batch training."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = MLPSoftmaxClassifier((8,), solver="lbfgs", max_iter=15, random_state=0)
    return model.fit(X, y), X


def fit_float64() -> Fitted:
    """SGD with Nesterov momentum in float64."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = MLPSoftmaxClassifier(
        (16,), activation="tanh", solver="sgd", dtype="float64", n_estimators=2,
        max_iter=5, random_state=0,
    )  # fmt: skip
    return model.fit(X, y), X


def fit_in_parts() -> Fitted:
    """`partial_fit`, whose encoder is fitted again as rows come in."""
    X, y = make_mixed_table(1_200)
    model = MLPSoftmaxClassifier(random_state=0)
    for start in range(0, len(X), 300):
        rows = slice(start, start + 300)
        model.partial_fit(X[rows], y[rows], classes=["no", "yes"])
    return model, X


def fit_warm_start() -> Fitted:
    """A second `fit` from the weights and optimizer state of the first."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = MLPSoftmaxClassifier(max_iter=2, warm_start=True, random_state=0)
    return model.fit(X, y).fit(X, y), X


def fit_weighted() -> Fitted:
    """Class weights and sample weights, some of them 0."""
    X, y = make_mixed_table(400, seed=1)
    weight = np.random.default_rng(1).integers(0, 3, len(y))
    model = MLPSoftmaxClassifier(
        class_weight="balanced", dropout=0.2, max_iter=3, random_state=0
    )
    return model.fit(X, y, weight), X


def fit_parquet() -> Fitted:
    """A file with more rows than the encoder is fitted on."""
    X, y = make_mixed_table(900)
    model = MLPSoftmaxClassifier(
        encoder_rows=300, n_estimators=2, max_iter=2, random_state=0
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        X.assign(label=y).to_parquet(path)
        return model.fit(path, "label"), X


def fit_one_class() -> Fitted:
    """Labels that are all the same."""
    X, _ = make_mixed_table(60)
    return MLPSoftmaxClassifier(random_state=0).fit(X, ["no"] * 60), X


def fit_prelu() -> Fitted:
    """Learned slopes, one network shared by all threads."""
    X, y = load_wine(return_X_y=True)
    model = MLPSoftmaxClassifier(
        (300, 300), activation=PReLU(init=0.1), n_estimators=1, max_iter=4,
        random_state=0,
    )  # fmt: skip
    return model.fit(X, y), X


MODELS: dict[str, Callable[[], Fitted]] = {
    name.removeprefix("fit_"): function
    for name, function in list(globals().items())
    if name.startswith("fit_")
}


def describe_platform() -> str:
    """Everything on which the last digits of a model depend, seed and code aside."""
    blas = {pool["architecture"] for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "blas"}  # fmt: skip
    simd = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return (
        f"{engine()} backend; {platform.system()} {platform.machine()}; BLAS "
        f"{', '.join(sorted(blas))}; NumPy {np.__version__} {simd[-1]}; SciPy "
        f"{scipy.__version__}; scikit-learn {sklearn.__version__}; pandas "
        f"{pd.__version__}"
    )


def compute_record(name: str) -> dict[str, Any]:
    """Fit a golden model; hashes of what it learned and predicts, and some numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that training ends at `max_iter`
        model, X = MODELS[name]()
    probabilities = np.ascontiguousarray(model.predict_proba(X))
    first = probabilities.ravel()[:N_PROBABILITIES].astype(float).round(6)
    record = {"parameters": hash_bytes(model.parameters_), "first": first.tolist()}
    if model.engine_ != "numpy":
        # by NumPy, the last digits depend on how many threads share a product
        record["probabilities"] = hash_bytes(probabilities)
    return record


def hash_bytes(array: np.ndarray) -> str:
    """Hash the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def write_records() -> None:
    """Record the models of the present backend, beside what others have recorded."""
    golden = json.loads(PATH.read_text()) if PATH.exists() else {}
    golden[describe_platform()] = {name: compute_record(name) for name in MODELS}
    PATH.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write_records()
    if engine() != "numpy":
        environment = os.environ | {"SKMLP_ENGINE": "numpy"}
        subprocess.run([sys.executable, __file__], env=environment, check=True)
