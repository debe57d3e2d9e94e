"""Time per training step beside scikit-learn, torch and the bare matrix products.

    python benchmarks/speed.py              the six workloads, a table and a chart
    python benchmarks/speed.py parts        where the time of a step of NumPy goes
    python benchmarks/speed.py growth       time against rows, features, width, batch
    python benchmarks/speed.py busy         some workloads with a core kept busy
    python benchmarks/speed.py stack        one network by itself and as a stack of one
    python benchmarks/speed.py separable    late epochs beside early, on easy classes
    python benchmarks/speed.py search       GridSearchCV with one and with two processes
    python benchmarks/speed.py import       what importing it adds to scikit-learn

Everyone trains the same network with Adam on the same batches, in turn within one run,
several times over; the median counts. scikit-learn and skmlp are handed the float64
data frame that a user holds, of numbers that need no encoding (preprocessing=None),
torch a float32 tensor. torch is optional.
"""

import argparse
import multiprocessing
import subprocess
import sys
import time
import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import pairwise, product
from typing import NamedTuple
from unittest import mock

import matplotlib as mpl
import numpy as np
import pandas as pd
from _classic import classic
from _engine import by_numpy, let_threads_settle
from _machine import describe_machine, markdown_table, save
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

import skmlp.nn.layers
from skmlp.core.library import engine
from skmlp.fitting.stochastic import StochasticTrainer
from skmlp.nn.layers import ActivationLayer, Dense
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.optim.optimizers import ParameterUpdater
from skmlp.training.batches import Batches
from skmlp.training.monitor import Monitor

try:
    import torch
except ImportError:
    torch = None

mpl.use("Agg")


COLORS = ["#0b5394", "#e69138", "#999999", "#dddddd"]
"""One per package, dark to light, so that they stay apart in grey."""


class Workload(NamedTuple):
    n_rows: int
    n_features: int
    n_classes: int
    hidden: tuple
    batch: int
    n_epochs: int

    def __str__(self):
        hidden = "-".join(map(str, self.hidden))
        sizes = f"{self.n_rows}x{self.n_features} -> {self.n_classes}"
        return f"{sizes}, ({hidden}), {self.batch}"

    @property
    def n_steps(self):
        return self.n_epochs * -(-self.n_rows // self.batch)

    def data(self):
        """Rows whose values don't matter: a step takes as long on any numbers."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.n_rows, self.n_features))
        y = rng.integers(0, self.n_classes, self.n_rows)
        return pd.DataFrame(X).add_prefix("x"), y


WORKLOADS = [
    Workload(1797, 64, 10, (100,), 32, 30),
    Workload(1797, 64, 10, (100,), 200, 60),
    Workload(20000, 16, 26, (100,), 128, 6),
    Workload(20000, 16, 26, (256, 256), 256, 5),
    Workload(20000, 30, 2, (256, 256, 256), 256, 4),
    Workload(60000, 784, 10, (256,), 256, 4),
]


def common_parameters(workload):
    return {
        "hidden_layer_sizes": workload.hidden,
        "batch_size": workload.batch,
        "max_iter": workload.n_epochs,
        "n_iter_no_change": workload.n_epochs,
        "tol": 0.0,
        "random_state": 0,
    }


def time_estimator(estimator, workload, X, y):
    """Microseconds per step of one fit."""
    with warnings.catch_warnings():
        # it is meant to end after so many epochs
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        estimator.fit(X, y)
    return (time.perf_counter() - start) / workload.n_steps * 1e6


def time_skmlp(workload, X, y):
    model = classic(preprocessing=None, **common_parameters(workload))
    return time_estimator(model, workload, X, y)


def time_scikit_learn(workload, X, y):
    model = MLPClassifier(**common_parameters(workload))
    return time_estimator(model, workload, X, y)


def time_torch(workload, X, y):
    """A plain training loop with the fused Adam."""
    start = time.perf_counter()
    x = torch.tensor(X.to_numpy(), dtype=torch.float32)
    codes = torch.from_numpy(y)
    sizes = (workload.n_features, *workload.hidden)
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    network = torch.nn.Sequential(
        *layers, torch.nn.Linear(sizes[-1], workload.n_classes)
    )
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    for _ in range(workload.n_epochs):
        order = torch.randperm(workload.n_rows)
        for rows in order.split(workload.batch):
            optimizer.zero_grad()
            loss(network(x[rows]), codes[rows]).backward()
            optimizer.step()
    return (time.perf_counter() - start) / workload.n_steps * 1e6


def time_bare_products(workload, X, y):
    """The matrix products of a step alone, in float32, into arrays that are there."""
    rng = np.random.default_rng(0)
    sizes = (workload.n_features, *workload.hidden, workload.n_classes)
    x = [rng.random((workload.batch, size), dtype=np.float32) for size in sizes]
    weights = [rng.random(shape, dtype=np.float32) for shape in pairwise(sizes)]
    out = [np.empty_like(array) for array in x]
    gradients = [np.empty_like(weight) for weight in weights]
    n_steps = max(20, workload.n_steps // 2)
    start = time.perf_counter()
    for _ in range(n_steps):
        for layer, weight in enumerate(weights):
            np.matmul(x[layer], weight, out=out[layer + 1])
        for layer in reversed(range(len(weights))):
            np.matmul(x[layer].T, x[layer + 1], out=gradients[layer])
            if layer:
                np.matmul(x[layer + 1], weights[layer].T, out=out[layer])
    return (time.perf_counter() - start) / n_steps * 1e6


def runners():
    found = {"skmlp": time_skmlp, "scikit-learn": time_scikit_learn}
    if torch is not None:
        found["torch"] = time_torch
    return found | {"bare products": time_bare_products}


def measure(workloads, n_repeats, names=None):
    """Median microseconds per step, {workload: {name: time}}, interleaved."""
    timers = {n: timer for n, timer in runners().items() if names is None or n in names}
    medians = {}
    for workload in workloads:
        X, y = workload.data()
        times = {name: [] for name in timers}
        for repeat in range(n_repeats + 1):
            for name, timer in timers.items():
                let_threads_settle()
                elapsed = timer(workload, X, y)
                if repeat:  # the first round warms up
                    times[name].append(elapsed)
        medians[workload] = {name: float(np.median(t)) for name, t in times.items()}
        shown = ", ".join(f"{name} {t:.0f}" for name, t in medians[workload].items())
        print(f"{workload}: {shown} us per step", flush=True)
    return medians


def compare(n_repeats):
    medians = measure(WORKLOADS, n_repeats)
    names = list(next(iter(medians.values())))
    header = [
        "rows x features -> classes, hidden, batch",
        *(f"{name}, us" for name in names),
        *(f"{name} / skmlp" for name in names[1:-1]),
        "skmlp / bare products",
    ]
    rows = [
        [
            str(workload),
            *(f"{times[name]:.0f}" for name in names),
            *(f"{times[name] / times['skmlp']:.1f}" for name in names[1:-1]),
            f"{times['skmlp'] / times['bare products']:.2f}",
        ]
        for workload, times in medians.items()
    ]
    print("\n" + markdown_table(header, rows))
    draw_comparison(medians, names)


def draw_comparison(medians, names):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 6.2), layout="constrained")
    height = 0.8 / len(names)
    colors = dict(zip(names, COLORS, strict=False))
    hatches = dict(zip(names, ["", "//", "..", ""], strict=False))
    for place, name in enumerate(names):
        bars = ax.barh(
            np.arange(len(medians)) + (place - (len(names) - 1) / 2) * height,
            [times[name] for times in medians.values()],
            height,
            label=name,
            color=colors[name],
            hatch=hatches[name],
            edgecolor="black",
            linewidth=0.5,
        )
        ax.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    ax.set_yticks(np.arange(len(medians)), [str(workload) for workload in medians])
    ax.invert_yaxis()
    ax.set(
        xscale="log",
        xlabel="microseconds per training step (log scale, less is better)",
        title="One step of Adam on a network of the same sizes",
    )
    ax.margins(x=0.12)
    figure.legend(loc="outside upper center", ncols=len(names))
    save(figure, "speed.png")


PARTS = {
    "products": [(skmlp.nn.layers, "product")],
    "bias": [(Dense, "forward"), (Dense, "backward")],
    "activation": [(ActivationLayer, "forward"), (ActivationLayer, "backward")],
    "loss": [(SoftmaxCrossEntropy, "loss_and_grad")],
    "Adam, decay": [(ParameterUpdater, "step")],
    "gather rows": [(Batches, "gather")],
}


@contextmanager
def stopwatches():
    """Seconds spent in each part of a step, {part: seconds}, while the block runs.

    A part that another one calls counts only for itself, as products do in a layer.
    """
    seconds = dict.fromkeys(PARTS, 0.0)
    inner = [0.0]

    def timed(part, function):
        def call(*args, **kwargs):
            inner.append(0.0)
            start = time.perf_counter()
            result = function(*args, **kwargs)
            elapsed = time.perf_counter() - start
            seconds[part] += elapsed - inner.pop()
            inner[-1] += elapsed
            return result

        return call

    with ExitStack() as patches:
        for part, places in PARTS.items():
            for owner, name in places:
                function = timed(part, getattr(owner, name))
                patches.enter_context(mock.patch.object(owner, name, function))
        yield seconds


def parts(n_repeats):
    """Where the time of a step goes, beside the same products with nothing between.

    By NumPy: in the compiled core there is nothing that a stopwatch could stand around.
    """
    rows = []
    for workload in WORKLOADS:
        X, y = workload.data()
        measured = []
        for repeat in range(n_repeats + 1):
            with by_numpy(), stopwatches() as seconds:
                whole = time_skmlp(workload, X, y)
            part = [1e6 * elapsed / workload.n_steps for elapsed in seconds.values()]
            bare = time_bare_products(workload, X, y)
            if repeat:
                measured.append([bare, *part, whole - sum(part), whole])
        medians = np.median(measured, axis=0)
        rows.append([str(workload), *(f"{median:.0f}" for median in medians)])
        print(*rows[-1], flush=True)
    header = ["workload", "bare products", *PARTS, "all else", "whole step"]
    print("\n" + markdown_table(header, rows))


def growth(n_repeats):
    """Time of an epoch as one size grows and the others stay."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    base = Workload(8000, 32, 10, (128,), 256, 8)
    axes = {
        "n_rows": [2000, 4000, 8000, 16000, 32000],
        "n_features": [8, 32, 128, 512],
        "hidden": [(32,), (64,), (128,), (256,), (512,)],
        "batch": [32, 64, 128, 256, 512, 1024],
    }
    labels = {
        "n_rows": "rows",
        "n_features": "features",
        "hidden": "units in the hidden layer",
        "batch": "rows per batch",
    }
    names = [name for name in runners() if name != "bare products"]
    figure, panels = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for panel, (field, values) in zip(panels, axes.items(), strict=True):
        workloads = [base._replace(**{field: value}) for value in values]
        medians = measure(workloads, n_repeats, names)
        sizes = [value[0] if field == "hidden" else value for value in values]
        for name, marker, color in zip(names, "osD", COLORS, strict=False):
            milliseconds = [
                medians[workload][name] * workload.n_steps / workload.n_epochs / 1e3
                for workload in workloads
            ]
            panel.loglog(sizes, milliseconds, marker=marker, color=color, label=name)
        panel.set_xlabel(labels[field])
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.minorticks_off()
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("milliseconds per epoch")
    figure.suptitle(
        "Unless it is on the axis: 8000 rows, 32 features, 128 units, batches of 256"
    )
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    save(figure, "growth.png")


def keep_busy(stop):
    while not stop.is_set():
        sum(range(1000))


def busy(n_repeats):
    """Some workloads, with the other core idle and with it kept busy."""
    workloads = WORKLOADS[:4]
    idle = measure(workloads, n_repeats, ["skmlp"])
    stop = multiprocessing.Event()
    other = multiprocessing.Process(target=keep_busy, args=(stop,))
    other.start()
    loaded = measure(workloads, n_repeats, ["skmlp"])
    stop.set()
    other.join()
    rows = [
        [
            str(workload),
            f"{idle[workload]['skmlp']:.0f}",
            f"{loaded[workload]['skmlp']:.0f}",
            f"{loaded[workload]['skmlp'] / idle[workload]['skmlp']:.2f}",
        ]
        for workload in workloads
    ]
    print("\n" + markdown_table(["workload", "idle, us", "busy, us", "ratio"], rows))


def stack(n_repeats):
    """Why NumPy's learner of one network sees it without the axis that stacks have."""

    def as_a_stack(trainer, run, state, rngs, workers, steps=None):
        members = slice(0, 1)
        return [trainer._build_learner(run, state, members, rngs, workers, steps)]

    rows = []
    for workload in WORKLOADS[:5]:
        X, y = workload.data()
        times = []
        for _ in range(n_repeats + 1):
            with by_numpy():
                alone = time_skmlp(workload, X, y)
                method = "_build_learners"
                with mock.patch.object(StochasticTrainer, method, as_a_stack):
                    times.append([alone, time_skmlp(workload, X, y)])
        alone, stacked = np.median(times[1:], axis=0)
        rows.append(
            [str(workload), f"{alone:.0f}", f"{stacked:.0f}", f"{stacked / alone:.2f}"]
        )
    print(markdown_table(["workload", "alone, us", "stack of one, us", "ratio"], rows))


SEPARABLE = {
    "(100), Adam": {},
    "(100, 100), Adam": {"hidden_layer_sizes": (100, 100)},
    "(100, 100), Adam, alpha 0": {"hidden_layer_sizes": (100, 100), "alpha": 0.0},
    "(100, 100), Adam, decay": {"hidden_layer_sizes": (100, 100), "weight_decay": 0.1},
    "(100, 100), Adam, PReLU": {
        "hidden_layer_sizes": (100, 100),
        "activation": "prelu",
    },
    "(100, 100), Adam, tanh": {"hidden_layer_sizes": (100, 100), "activation": "tanh"},
    "(100), SGD": {"solver": "sgd"},
    "(100, 100), Adam, float64": {"hidden_layer_sizes": (100, 100), "dtype": "float64"},
}


def epoch_times(model, X, y):
    """Seconds of each epoch of a fit."""
    starts = []

    def begin(monitor):
        starts.append(time.perf_counter())

    with mock.patch.object(Monitor, "begin_epoch", begin), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    return np.diff([*starts, time.perf_counter()])


def separable(n_repeats):
    """The last 20 of 300 epochs beside the first 20, where all rows are soon right."""
    X, y = make_blobs(1600, n_features=10, centers=3, random_state=0)
    n_epochs = 300
    common = {"max_iter": n_epochs, "n_iter_no_change": n_epochs, "tol": 0.0}
    common |= {"batch_size": 200, "learning_rate_init": 0.01, "random_state": 0}
    rows = []
    for (name, params), chosen in product(SEPARABLE.items(), (nullcontext, by_numpy)):
        times = []
        for _ in range(n_repeats):
            model = classic(preprocessing=None, **common | params)
            with chosen():
                seconds = epoch_times(model, X, y)
            times.append([np.median(seconds[:20]), np.median(seconds[-20:])])
        first, last = 1e3 * np.min(times, axis=0)
        ratio = f"{last / first:.2f}"
        rows.append([name, model.engine_, f"{first:.2f}", f"{last:.2f}", ratio])
    header = ["network", "engine", "first, ms", "last, ms", "last / first"]
    print(markdown_table(header, rows))


def search(n_repeats):
    """A grid of small networks in one process and in two."""
    X, y = WORKLOADS[1].data()
    grid = {"hidden_layer_sizes": [(50,), (100,)], "alpha": [1e-4, 1e-2, 1.0, 100.0]}
    rows = []
    params = {"max_iter": 200, "n_iter_no_change": 200, "tol": 0, "random_state": 0}
    models = [classic(preprocessing=None, **params), MLPClassifier(**params)]
    for model in models:
        times = {1: [], 2: []}
        for repeat in range(n_repeats + 1):
            for n_jobs, elapsed in times.items():
                start = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    GridSearchCV(model, grid, cv=5, n_jobs=n_jobs).fit(X, y)
                if repeat:
                    elapsed.append(time.perf_counter() - start)
        one, two = (float(np.median(elapsed)) for elapsed in times.values())
        rows.append(
            [type(model).__name__, f"{one:.2f}", f"{two:.2f}", f"{one / two:.2f}"]
        )
    print(markdown_table(["", "n_jobs=1, s", "n_jobs=2, s", "times faster"], rows))


def import_cost(n_repeats):
    """What `import skmlp` takes beyond `import sklearn.neural_network`."""
    code = (
        "import time, sklearn.neural_network; start = time.perf_counter();"
        "import skmlp; print(time.perf_counter() - start)"
    )
    times = [
        float(subprocess.check_output([sys.executable, "-c", code]))
        for _ in range(n_repeats + 1)
    ]
    print(f"import skmlp adds {1000 * float(np.median(times[1:])):.0f} ms")


SECTIONS = {
    "compare": compare,
    "parts": parts,
    "growth": growth,
    "busy": busy,
    "stack": stack,
    "separable": separable,
    "search": search,
    "import": import_cost,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="?", choices=SECTIONS, default="compare")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    SECTIONS[arguments.section](arguments.repeats)
    packages = ["scikit-learn", "numpy", "scipy", "pandas", "torch"]
    print(f"\n{describe_machine(*packages)}, engine {engine()}")


if __name__ == "__main__":
    main()
