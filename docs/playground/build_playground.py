"""Build the page on which a browser trains a network.

Run it with: python docs/playground/build_playground.py FOLDER

It compiles playground.c, and with it the core of the package, to WebAssembly by the
compiler that the package ziglang brings. What comes of it goes into one script, with
what JavaScript has to know of the package and with the points to learn from, so that
the page needs no server: a browser opens it from a disk as well.
"""

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import make_circles, make_moons
from sklearn.preprocessing import StandardScaler

from skmlp import ACTIVATIONS, MLPSoftmaxClassifier
from skmlp.core.layout import CORE_ACTIVATIONS as KNOWN
from skmlp.nn.layers import ActivationLayer

FOLDER = Path(__file__).parent
PAGE = ["index.html", "style.css", "network.js", "main.js"]
N_ROWS = 400
"""Of each data set; the first half is learnt, the other tells how well."""

INITIALIZERS = ["zeros", "glorot_uniform", "he_normal", "lecun_normal"]
"""In the order of playground.c."""

COMMAND = [
    *(sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi"),
    *("-mexec-model=reactor", "-msimd128", "-O3", "-std=c11", "-s"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
    *("-fvisibility=hidden", "-Wl,--export-dynamic"),
]


def compiled():
    """The bytes of the WebAssembly module."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "playground.wasm"
        subprocess.run([*COMMAND, FOLDER / "playground.c", "-o", module], check=True)
        return module.read_bytes()


def spirals(n_samples, noise, rng):
    """Three arms that wind around each other."""
    codes = np.arange(n_samples) % 3
    radius = np.sqrt(rng.uniform(0.02, 1, n_samples))
    angle = 6 * radius + codes * (2 * np.pi / 3) + rng.normal(0, noise, n_samples)
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)], codes


def data_sets():
    """Points of each data set, standardised, and their classes."""
    rng = np.random.default_rng(0)
    made = {
        "moons": make_moons(N_ROWS, noise=0.2, random_state=0),
        "circles": make_circles(N_ROWS, noise=0.12, factor=0.5, random_state=0),
        "spirals": spirals(N_ROWS, noise=0.15, rng=rng),
    }
    return {
        name: {
            "x": StandardScaler().fit_transform(x).round(3).ravel().tolist(),
            "codes": codes.tolist(),
        }
        for name, (x, codes) in made.items()
    }


def facts_of(kind):
    """What playground.c has to know of an activation of the package."""
    activation = kind()
    known = KNOWN[kind]
    slope = activation.initial.get("slope")
    return {
        "activation": known.number,
        "constant": known.constant(activation),
        "initializer": INITIALIZERS.index(activation.initializer),
        "has_slope": slope is not None,
        "slope": slope or 0,
        "slope_factor": ActivationLayer(activation, 1).learning_rates.get("slope", 1),
    }


def facts():
    """What JavaScript has to know of the package."""
    rule = MLPSoftmaxClassifier().get_params()
    return {
        "activations": {
            name: facts_of(kind)
            for name, kind in ACTIVATIONS.items()
            if name != "logistic"  # another name of sigmoid
        },
        "rule": {name: rule[name] for name in ("beta_1", "beta_2", "epsilon")},
        "data": data_sets(),
    }


def build(folder):
    """Write the page and all that it needs to a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    given = facts() | {"module": base64.b64encode(compiled()).decode()}
    (folder / "package.js").write_text(f"const PACKAGE = {json.dumps(given)};\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
