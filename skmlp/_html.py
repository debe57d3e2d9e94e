"""HTML of the network's table, for notebooks with light or dark themes."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from skmlp.fitting.run import format_epochs

if TYPE_CHECKING:
    from skmlp.classifier import MLPSoftmaxClassifier

# no colors, so that those of the notebook apply
TABLE = "border-collapse: collapse; margin: 0.5em 0;"
CELL = "padding: 0.15em 0.8em; border-bottom: 1px solid currentColor;"
TEXT, NUMBER = f"{CELL} text-align: left;", f"{CELL} text-align: right;"


def _format_details(summary: str, table: str, facts: Mapping[str, str]) -> str:
    """Format a block that unfolds: HTML of a table, and facts by name."""
    lines = "".join(
        f"<div>{escape(name)}: {escape(fact)}</div>" for name, fact in facts.items()
    )
    return f"<details><summary>{escape(summary)}</summary>{table}{lines}</details>"


def _format_table(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Format a table of text and integers."""
    head = "".join(f'<th scope="col" style="{TEXT}">{escape(h)}</th>' for h in header)
    body = "".join(f"<tr>{''.join(map(_format_cell, row))}</tr>" for row in rows)
    return (
        f'<table style="{TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _format_cell(content: str | int) -> str:
    """Format text, or an integer with a comma between groups of three digits."""
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
    return _format_details("Network", _format_table(header, rows), facts)
