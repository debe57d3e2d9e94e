"""Names of columns that scikit-learn does not remember: no strings, or not unique."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

ATTRIBUTE = "_column_names"
"""Where a fitted estimator keeps such names; it has none where there are none."""


def remember_names(estimator: object, X: object) -> None:
    """Let an estimator know the columns that it is fitted on."""
    names = list(X.columns) if isinstance(X, pd.DataFrame) else []
    if names and not has_sklearn_names(names):
        setattr(estimator, ATTRIBUTE, names)
    elif hasattr(estimator, ATTRIBUTE):
        delattr(estimator, ATTRIBUTE)


def get_remembered_names(estimator: object) -> list[Hashable] | None:
    """What an estimator knows of such names; None where it knows none."""
    return getattr(estimator, ATTRIBUTE, None)


def check_names(estimator: object, X: object) -> None:
    """Raise if a frame has other columns than those remembered, or in another order."""
    known = get_remembered_names(estimator)
    if known is None or not isinstance(X, pd.DataFrame):
        return
    came = list(X.columns)
    if came == known or has_sklearn_names(came):
        return
    now, before = to_index(came), to_index(known)
    if now.equals(before):
        return
    new, missing = list(now[~now.isin(before)]), list(before[~before.isin(now)])
    facts = [
        f"{what}: {format_list(names)}"
        for what, names in (("new", new), ("missing", missing))
        if names
    ]
    if facts or len(came) != len(known):
        facts.append(f"{len(came)} columns in place of {len(known)}")
        raise ValueError(
            f"the columns of X should be those of fit; there are {'; '.join(facts)}."
        )
    raise ValueError(
        f"the columns of X should be in the order of fit. {describe_order(came, known)}"
    )


def has_sklearn_names(names: Sequence[Hashable]) -> bool:
    """Return True if scikit-learn remembers such names, or refuses them by itself."""
    has_strings = any(isinstance(name, str) for name in names)
    return has_strings and len(set(names)) == len(names)


def to_index(names: Sequence[Hashable]) -> pd.Index:
    """Names in a form that finds NaN equal to NaN."""
    return pd.Index(names, dtype=object, tupleize_cols=False)


def format_list(values: Sequence[object] | np.ndarray, most: int = 10) -> str:
    """The first values as text, for messages."""
    first = values[:most]
    if isinstance(first, np.ndarray):
        first = first.tolist()  # numbers of Python, which print as such
    shown = ", ".join(map(repr, first))
    rest = len(values) - most
    return f"[{shown}]" if rest <= 0 else f"[{shown}, and {rest} more]"


def describe_order(came: Sequence[Hashable], known: Sequence[Hashable]) -> str:
    """What to say of the same names in another order."""
    pairs = zip(came, known, strict=True)
    place = [to_index([a]).equals(to_index([b])) for a, b in pairs].index(False)
    return (
        f"Column {came[place]!r} is where {known[place]!r} was; pass X with its "
        f"columns in this order: {format_list(known)}."
    )
