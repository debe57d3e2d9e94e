"""ONNX graphs of default models on real tables: the same probabilities? How fast?

    python benchmarks/exported.py                     all tables of suite.py
    python benchmarks/exported.py --tables wine,storms
    python benchmarks/exported.py --report            only prints results/exported.csv

For each table, half of the rows train a default model, and the others, spoilt on
purpose (holes, categories that nobody has seen, huge and infinite numbers), get their
probabilities from `predict_proba` on the frame and from onnxruntime on the graph of
`skmlp.onnx.to_onnx`. Times are the median of several calls, both in turn: of one raw
row, ten calls at a time, since a service calls but one of the two; and of 100000 rows
drawn with replacement (fewer of very wide tables; where text is read, the graph gets
1000 at a time).
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from _machine import append_row, describe_machine, markdown_table
from onnx import TensorProto
from sklearn.model_selection import train_test_split
from suite import rows_for_splits, suite

from skmlp import MLPSoftmaxClassifier
from skmlp.onnx import to_inputs, to_onnx

RESULTS = Path(__file__).parent / "results" / "exported.csv"
MANY_ROWS = 100_000
MOST_CELLS = 20_000_000
PART_WITH_TEXT = 1000
SPOILT = 0.1
"""Part of the cells of a column that are made holes, or unseen."""

ODD_NUMBERS = [np.inf, -np.inf, 1e300, -1e300, 1e-300, 0.0]


def spoil(X, onnx_model, rng):
    """Holes and odd values, as far as the type of an input has room for them."""
    types = {
        entry.name: entry.type.tensor_type.elem_type for entry in onnx_model.graph.input
    }
    X = X.copy()
    for name in X:
        holes, odd = rng.random((2, len(X))) < SPOILT
        elem_type = types[str(name)]
        if elem_type == TensorProto.STRING:
            X[name] = X[name].astype(object)
            X.loc[odd, name] = "never seen"
            X.loc[holes, name] = None
        elif elem_type == TensorProto.DOUBLE:
            X[name] = X[name].astype(np.float64)
            X.loc[odd, name] = rng.choice(ODD_NUMBERS, odd.sum())
            X.loc[holes, name] = np.nan
        elif X[name].dtype.kind == "M":
            X.loc[holes, name] = pd.NaT
    return X


def interleaved(functions, n_turns, n_calls):
    """Median seconds of each function: so many calls each, in turns."""
    times = np.empty((n_turns + 1, len(functions), n_calls))
    for turn, place, call in np.ndindex(times.shape):
        start = time.perf_counter()
        functions[place]()
        times[turn, place, call] = time.perf_counter() - start
    return np.median(times[1:], axis=(0, 2))


def run(session, feeds, size):
    """Probabilities of rows, so many at a time."""
    n_rows = len(next(iter(feeds.values())))
    parts = [
        {name: x[start : start + size] for name, x in feeds.items()}
        for start in range(0, n_rows, size)
    ]
    return [session.run(None, part) for part in parts]


def learnt_bytes(model):
    """Bytes of what a model has learnt: its numbers, and the texts that it knows."""
    encoder = model.encoder_
    size = model.parameters_.nbytes + encoder.scale_.center.nbytes * 2
    for column in encoder._categorical:
        size += sum(len(str(value).encode()) for value in column.known)
        size += sum(
            getattr(block, "table", np.empty(0)).nbytes for block in column.encodings
        )
    for column in encoder._text:
        size += sum(len(term.encode()) for term in column.terms)
        size += column.weights.nbytes + column.idf.nbytes
    return size


def measure(name, load):
    X, y = rows_for_splits(*load())
    X_train, X_test, y_train, _ = train_test_split(
        X, y, train_size=0.5, stratify=y, random_state=0
    )
    model = MLPSoftmaxClassifier(random_state=0).fit(X_train, y_train)
    onnx_model = to_onnx(model)
    file = onnx_model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    difference = 0.0
    for rows in X_test, spoil(X_test, onnx_model, rng):
        _, theirs = session.run(None, to_inputs(onnx_model, rows))
        difference = max(difference, np.abs(theirs - model.predict_proba(rows)).max())
    row = {
        "table": name,
        "largest_difference": difference,
        "size": len(file) / learnt_bytes(model),
        "megabytes": len(file) / 1e6,
        "nodes": len(onnx_model.graph.node),
    }
    n_many = min(MANY_ROWS, MOST_CELLS // X.shape[1])
    drawn = X_test.sample(n_many, replace=True, random_state=0)
    # terms of text are counted one by one: thousands of numbers per row
    size = PART_WITH_TEXT if model.encoder_._text else n_many
    one_row, many_rows = (drawn[:1], 20, 10, "one"), (drawn, 2, 1, "many")
    for rows, n_turns, n_calls, label in one_row, many_rows:
        feeds = to_inputs(onnx_model, rows)
        calls = partial(model.predict_proba, rows), partial(run, session, feeds, size)
        ours, theirs = interleaved(calls, n_turns, n_calls)
        row |= {f"{label}_ms": ours * 1000, f"{label}_onnx_ms": theirs * 1000}
    return row


SLOW = 10
"""Ratio of times above which tables are summed up apart."""

MANY_COLUMNS = "fashion_mnist"
"""The table of hundreds of columns, which is summed up apart."""


def summary(results):
    """Median and range of the figures, of exceptions apart."""
    is_wide = results["table"] == MANY_COLUMNS
    is_slow = results["many"] > SLOW
    figures = {
        "largest difference": results["largest_difference"],
        "by what was learnt": results["size"],
        "one row, ratio": results["one"][~is_wide],
        f"the same, {MANY_COLUMNS}": results["one"][is_wide],
        "100000 rows, ratio": results["many"][~is_slow],
        f"the same, more than {SLOW}": results["many"][is_slow],
    }
    return [
        [
            name,
            str(len(x)),
            *(f"{value:.3g}" for value in (x.median(), x.min(), x.max())),
        ]
        for name, x in figures.items()
    ]


def report():
    results = pd.read_csv(RESULTS)
    results["one"] = results["one_onnx_ms"] / results["one_ms"]
    results["many"] = results["many_onnx_ms"] / results["many_ms"]
    rows = [
        [
            entry.table,
            f"{entry.largest_difference:.1e}",
            f"{entry.megabytes:.2f}",
            f"{entry.size:.2f}",
            f"{entry.one_ms:.2f}",
            f"{entry.one_onnx_ms:.2f}",
            f"{entry.one:.2f}",
            f"{entry.many_ms:.0f}",
            f"{entry.many_onnx_ms:.0f}",
            f"{entry.many:.1f}",
        ]
        for entry in results.itertuples()
    ]
    header = ["table", "largest difference", "MB", "by what was learnt"]
    header += ["one row, ms", "onnxruntime", "ratio"]
    header += ["100000 rows, ms", "onnxruntime", "ratio"]
    print(markdown_table(header, rows))
    print(
        "\n" + markdown_table(["", "tables", "median", "from", "to"], summary(results))
    )
    print("\n" + describe_machine("onnxruntime", "onnx", "numpy", "pandas"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", help="names, with commas between")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if not given.report:
        tables = suite()
        names = given.tables.split(",") if given.tables else list(tables)
        known = set(pd.read_csv(RESULTS)["table"]) if RESULTS.exists() else set()
        for name in names:
            if name not in known:
                row = measure(name, tables[name])
                append_row(RESULTS, row)
                print(row, flush=True)
    report()


if __name__ == "__main__":
    main()
