"""Peak memory of fit against the size of X, and of partial_fit over chunks.

    python benchmarks/memory.py

Each figure comes from a process of its own: the most memory that it held during the
call, less what it held with X in memory just before. For Linux.
"""

import argparse
import multiprocessing
from pathlib import Path

import numpy as np
import pandas as pd
from _classic import classic
from _machine import describe_machine, markdown_table

N_FEATURES = 100
MEGABYTE = 2**20


def forget_peak():
    """Let the peak of this process start anew from what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak():
    """Megabytes that this process has held at most since then."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def network(**params):
    return classic((32,), batch_size=4096, learning_rate="cosine", max_iter=1, **params)


def table(n_rows, kind, seed=0):
    X = np.random.default_rng(seed).random((n_rows, N_FEATURES))
    return pd.DataFrame(X).add_prefix("x") if kind == "frame" else X


def fit_once(kind, n_rows, params, queue):
    X, y = table(n_rows, kind), np.arange(n_rows) % 3
    network().set_params(batch_size=1000).fit(X[:1000], y[:1000])
    forget_peak()
    before = peak()
    network(**params).fit(X, y)
    queue.put(peak() - before)


def fit_in_chunks(n_chunks, n_rows, queue):
    model = network().set_params(learning_rate="constant")
    forget_peak()
    before = peak()
    for chunk in range(n_chunks):
        X, y = table(n_rows, "array", seed=chunk), np.arange(n_rows) % 3
        model.partial_fit(X, y, classes=[0, 1, 2])
    queue.put(peak() - before)


def in_a_process_of_its_own(function, *arguments):
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=function, args=(*arguments, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")
    return queue.get()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024, help="size of X")
    megabytes = parser.parse_args().megabytes
    n_rows = megabytes * MEGABYTE // (8 * N_FEATURES)
    rows = []
    for kind in ("array", "frame"):
        for params in ({}, {"early_stopping": True}):
            extra = in_a_process_of_its_own(fit_once, kind, n_rows, params)
            name = f"fit, float64 {kind}" + ", early_stopping" * bool(params)
            share = extra / (megabytes / 2)
            rows.append([name, str(megabytes), f"{extra:.0f}", f"{share:.2f}"])
    for n_chunks in (1, 10, 40):
        extra = in_a_process_of_its_own(fit_in_chunks, n_chunks, n_rows // 20)
        name = f"partial_fit, {n_chunks} chunks"
        rows.append([name, str(megabytes // 20), f"{extra:.0f}", ""])
    header = ["", "X, MB", "extra at the peak, MB", "extra / float32 copy of X"]
    print(markdown_table(header, rows))
    print("\n" + describe_machine("scikit-learn", "numpy", "pandas"))


if __name__ == "__main__":
    main()
