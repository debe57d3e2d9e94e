"""The network as HTML, for notebooks light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from skmlp.fitting.run import format_epochs

if TYPE_CHECKING:
    from skmlp.classifier import MLPSoftmaxClassifier

# colours are those of the notebook around it
TABLE = "border-collapse: collapse; margin: 0.5em 0;"
CELL = "padding: 0.15em 0.8em; border-bottom: 1px solid currentColor;"
TEXT, NUMBER = f"{CELL} text-align: left;", f"{CELL} text-align: right;"


def details(summary: str, table: str, facts: Mapping[str, str]) -> str:
    """A block that opens with a click: a table and some facts.

    Parameters
    ----------
    summary : str
        What is seen of it when it is closed.
    table : str
        HTML of the table.
    facts : dict of str to str
        What is said below it, by name.

    Examples
    --------
    >>> details("Network", "", {"best epoch": "3 < 5"})
    '<details><summary>Network</summary><div>best epoch: 3 &lt; 5</div></details>'
    """
    lines = "".join(
        f"<div>{escape(name)}: {escape(fact)}</div>" for name, fact in facts.items()
    )
    return f"<details><summary>{escape(summary)}</summary>{table}{lines}</details>"


def table(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """A table; numbers stand to the right, and groups of three digits apart."""
    head = "".join(f'<th scope="col" style="{TEXT}">{escape(h)}</th>' for h in header)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return (
        f'<table style="{TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def cell(content: str | int) -> str:
    """A text, or a whole number."""
    if isinstance(content, str):
        return f'<td style="{TEXT}">{escape(content)}</td>'
    return f'<td style="{NUMBER}">{content:,}</td>'


def format_network(model: "MLPSoftmaxClassifier") -> str:
    """Return the layers of a fitted model as a table, and the outcome of training."""
    times = " \N{MULTIPLICATION SIGN} "
    rows = [
        (name, activation, times.join(map(str, shape)), n_parameters)
        for name, activation, shape, n_parameters in model.architecture_.summary()
    ]
    best = format_epochs(np.atleast_1d(model.best_iter_))
    n_networks = model.n_estimators_
    kept = f"{best} of {model.n_iter_}" if model.n_iter_ else "the start"
    facts = {
        "networks": f"{n_networks} of {model.n_parameters_:,} parameters each",
        "weights of": kept,
    }
    if model.best_validation_score_ is None:
        facts["training loss"] = f"{model.loss_:.4g}"
    else:
        facts["best validation score"] = f"{model.best_validation_score_:.4g}"
        if isinstance(model.scoring, str):
            facts["scored by"] = model.scoring
    header = ["layer", "activation", "shape", "parameters"]
    return details("Network", table(header, rows), facts)
