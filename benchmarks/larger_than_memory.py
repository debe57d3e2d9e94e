"""A Parquet folder that is larger than the process may be: fit, and predict.

    python benchmarks/larger_than_memory.py                     30 million rows, 4 GB
    python benchmarks/larger_than_memory.py --rows 3000000      a smaller one

Makes the folder, unless it is there, and then fits on it and writes predictions in a
process that is killed as soon as its resident size is above 1.5 GB. For Linux.
"""

import argparse
import multiprocessing
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from _machine import describe_machine, markdown_table

FOLDER = Path.home() / ".cache" / "skmlp" / "larger_than_memory"
ROWS_PER_FILE = 1_000_000
GIGABYTE = 2**30
LIMIT = int(1.5 * GIGABYTE)


def some_rows(n_rows, seed):
    """Twenty columns, numbers, dates, truth values and names, and a label."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, 12))
    towns = rng.integers(4000, size=n_rows)
    kinds, makers = rng.integers(8, size=n_rows), rng.integers(60, size=n_rows)
    ages, counts = rng.integers(18, 90, size=n_rows), rng.poisson(3, size=n_rows)
    days = rng.integers(3650, size=n_rows)
    known = rng.random(n_rows) > 0.1
    signal = (
        np.sin(2 * numbers[:, 0])
        + numbers[:, 1] * numbers[:, 2]
        + np.cos(towns)
        + (kinds == 3)
        + np.sin(days / 58)
        + 0.02 * (ages - 50)
        + rng.logistic(size=n_rows)
    )
    frame = pd.DataFrame(numbers).add_prefix("number_")
    frame["number_3"] = frame.number_3.where(known)
    frame["age"], frame["count"] = ages, counts
    frame["size"] = rng.gamma(2.0, size=n_rows).astype("float32")
    frame["day"] = pd.Timestamp("2015-01-01") + pd.to_timedelta(days, unit="D")
    frame["is_new"] = rng.random(n_rows) > 0.5
    frame["town"] = pd.Categorical.from_codes(towns, [f"town {i}" for i in range(4000)])
    frame["kind"] = pd.Categorical.from_codes(kinds, list("abcdefgh"))
    frame["maker"] = pd.Categorical.from_codes(
        makers, [f"maker {i}" for i in range(60)]
    )
    frame["label"] = np.select([signal < -1, signal < 1], ["low", "middle"], "high")
    return frame


def make_folder(n_rows):
    """Parquet files with so many rows, made once; their folder."""
    folder = FOLDER / str(n_rows)
    if folder.exists():
        return folder
    making = FOLDER / f"{n_rows}.part"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for number, start in enumerate(range(0, n_rows, ROWS_PER_FILE)):
        frame = some_rows(min(ROWS_PER_FILE, n_rows - start), seed=number)
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, making / f"{number:04}.parquet", row_group_size=200_000)
    making.rename(folder)
    return folder


def fit_and_predict(folder, queue):
    """What one process does, and how large it became."""
    from skmlp import MLPSoftmaxClassifier

    facts = {}
    start = time.perf_counter()
    model = MLPSoftmaxClassifier(random_state=0).fit(folder, "label")
    facts["fit, s"] = time.perf_counter() - start
    facts["epochs"] = model.n_iter_
    n_rows = sum(pq.read_metadata(path).num_rows for path in folder.iterdir())
    facts["encoded, GB"] = 4 * n_rows * model.encoder_.n_features_out_ / 1e9
    facts["held-out log-loss"] = min(model.validation_loss_curve_)
    facts["largest size after fit, GB"] = resident()
    start = time.perf_counter()
    target = folder.with_suffix(".predicted")
    model.predict_to_parquet(folder, target, keep=["label"])
    facts["predict, s"] = time.perf_counter() - start
    facts["largest size after it, GB"] = resident()
    facts["accuracy"] = accuracy_of(target)
    target.unlink()
    queue.put(facts)


def accuracy_of(path):
    """Part of the rows whose label was predicted, a file's batch at a time."""
    n_right = n_rows = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=["label", "predicted"]):
        n_right += pc.sum(pc.equal(batch["label"], batch["predicted"])).as_py()
        n_rows += len(batch)
    return n_right / n_rows


def resident():
    """Gigabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIGABYTE


def resident_of(pid):
    """Bytes that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=30_000_000)
    parser.add_argument("--limit", type=int, default=LIMIT, help="bytes")
    arguments = parser.parse_args()
    folder = make_folder(arguments.rows)
    size = sum(path.stat().st_size for path in folder.iterdir()) / GIGABYTE
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=fit_and_predict, args=(folder, queue))
    process.start()
    while process.is_alive():
        if resident_of(process.pid) > arguments.limit:
            process.kill()
            raise SystemExit("the process became too large and was killed")
        process.join(timeout=0.02)
    if process.exitcode:
        raise SystemExit(f"the process ended with {process.exitcode}")
    facts = {"rows": arguments.rows, "Parquet, GB": size} | queue.get()
    rows = [[name, f"{value:,.4g}"] for name, value in facts.items()]
    print(markdown_table(["", ""], rows))
    print("\n" + describe_machine("numpy", "pyarrow", "scikit-learn"))


if __name__ == "__main__":
    main()
