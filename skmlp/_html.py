"""HTML of the network's table, for notebooks with light or dark themes."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

# no colors, so that those of the notebook apply
TABLE = "border-collapse: collapse; margin: 0.5em 0;"
CELL = "padding: 0.15em 0.8em; border-bottom: 1px solid currentColor;"
TEXT, NUMBER = f"{CELL} text-align: left;", f"{CELL} text-align: right;"


def format_details(summary: str, table: str, facts: Mapping[str, str]) -> str:
    """Format a block that unfolds: HTML of a table, and facts by name."""
    lines = "".join(
        f"<div>{escape(name)}: {escape(fact)}</div>" for name, fact in facts.items()
    )
    return f"<details><summary>{escape(summary)}</summary>{table}{lines}</details>"


def format_table(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
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
