"""Time of TableEncoder: a million rows, one row, and many strings.

    python benchmarks/encode.py

Each time is compared, in turn within one run, with that of what the encoding can't do
without: pandas.factorize and numpy.quantile on the same columns; or with scikit-learn's
boosted trees, which take the same tables, on one row.
"""

import time
import tracemalloc

import numpy as np
import pandas as pd
from _machine import describe_machine, markdown_table
from sklearn.ensemble import HistGradientBoostingClassifier

from skmlp import TableEncoder

N_ROWS = 1_000_000
N_STRINGS = 100_000
N_REPEATS = 5


def seconds(function, n_calls=1):
    start = time.perf_counter()
    for _ in range(n_calls):
        function()
    return (time.perf_counter() - start) / n_calls


def medians(functions, n_calls=1, n_repeats=N_REPEATS):
    times = [[seconds(f, n_calls) for f in functions] for _ in range(n_repeats + 1)]
    return np.median(times[1:], axis=0)


def numeric_table(n_rows, rng):
    return pd.DataFrame(rng.normal(size=(n_rows, 20))).add_prefix("x")


def mixed_table(n_rows, rng):
    """Ten columns of numbers, five of text, five of categories."""
    table = pd.DataFrame(rng.normal(size=(n_rows, 10))).add_prefix("x")
    table.iloc[rng.random(n_rows) < 0.1, 0] = np.nan
    for place in range(5):
        values = np.array([f"value {code}" for code in range(5 * (place + 1))])
        table[f"text{place}"] = rng.choice(values, n_rows)
        table[f"category{place}"] = pd.Categorical(rng.choice(values, n_rows))
    return table


def least_work(table):
    for name in table:
        column = table[name]
        if column.dtype.kind == "f":
            np.quantile(column.to_numpy(), [0.25, 0.5, 0.75])
        else:
            pd.factorize(column)


def compare_million_rows(rng):
    table = mixed_table(N_ROWS, rng)
    encoder = TableEncoder().fit(table)
    baseline, fit_transform, transform = medians(
        [
            lambda: least_work(table),
            lambda: TableEncoder().fit_transform(table),
            lambda: encoder.transform(table),
        ],
        n_repeats=3,
    )
    for name, ours in [("fit_transform", fit_transform), ("transform", transform)]:
        yield [
            f"{name}, {N_ROWS} mixed rows",
            f"{ours:.2f} s",
            f"{baseline:.2f} s",
            f"{ours / baseline:.2f}",
        ]


def compare_one_row(rng):
    for kind, make in {"numeric": numeric_table, "mixed": mixed_table}.items():
        table = make(5000, rng)
        if kind == "mixed":  # the trees take categories, but no text
            text = table.columns.str.startswith("text")
            table = table.astype(dict.fromkeys(table.columns[text], "category"))
        trees = HistGradientBoostingClassifier().fit(table, np.arange(5000) % 2)
        encoder = TableEncoder().fit(table)
        row = table.iloc[:1]
        ours, theirs = medians(
            [
                lambda e=encoder, r=row: e.transform(r),
                lambda t=trees, r=row: t.predict_proba(r),
            ],
            n_calls=50,
        )
        yield [
            f"transform, 1 {kind} row",
            f"{ours * 1e6:.0f} us",
            f"{theirs * 1e6:.0f} us",
            f"{ours / theirs:.2f}",
        ]


def measure_strings(rng):
    codes = np.concatenate(
        [np.arange(N_STRINGS), rng.integers(0, N_STRINGS, N_STRINGS)]
    )
    y = rng.integers(0, 2, len(codes))
    for dtype in ["str", "category", "object"]:
        text = pd.Series(codes).map("postcode {}".format).astype(dtype)
        table = pd.DataFrame({"text": text})
        took = min(
            seconds(lambda t=table: TableEncoder().fit_transform(t, y))
            for _ in range(3)
        )
        tracemalloc.start()
        encoder = TableEncoder().fit(table, y)
        encoder.transform(table)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        yield [
            f"{N_STRINGS} strings on {len(codes)} rows, {dtype}",
            f"{took:.2f} s",
            f"{peak / 1e6:.0f} MB at the peak",
            "",
        ]


def main():
    rng = np.random.default_rng(0)
    rows = [*compare_one_row(rng), *measure_strings(rng), *compare_million_rows(rng)]
    print(markdown_table(["what", "skmlp", "for comparison", "ratio"], rows))
    print("\n" + describe_machine("skmlp", "scikit-learn", "numpy", "pandas"))


if __name__ == "__main__":
    main()
