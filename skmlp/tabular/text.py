"""Text of many different values: its words, or parts of its words, as a few numbers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from skmlp.tabular.columns import factorize, find_value_types
from skmlp.tabular.frame import Column
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import N_FOLDS, Target, TrainingRows, is_informative

MAX_TERMS = 10_000
"""Most terms that a column of text is known by, those of most rows."""

MIN_ROWS = 2
"""Fewest training rows (or sum of their weights) of a term that counts."""

MOST_ROWS_OF_NAMES = 4
"""Rows per value from which categories and their target means are enough."""

PRIOR_MASS = 1.0
"""What each term counts for in each class before any text is seen."""

N_PASSES = 3
"""Times that directions are turned towards those of the largest components."""

SPARE_DIRECTIONS = 10
"""Directions that are turned beside those that are kept, which makes these exact."""

SMALLEST_SHARE = 1e-14
"""Of the largest eigenvalue: below it there is nothing but rounding."""


class Analyzer(NamedTuple):
    """What a text is taken apart into.

    Attributes
    ----------
    options : dict
        What CountVectorizer is told.
    longest : int
        How many characters of a text are read.
    """

    options: dict[str, object]
    longest: int


ANALYZERS: dict[str, Analyzer] = {
    # what stands between words (links, quotes, !!!) tells much as well
    "words": Analyzer({"ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]"}, 10_000),
    "characters": Analyzer({"analyzer": "char_wb", "ngram_range": (2, 5)}, 100),
}
"""Words and marks with pairs of these, or runs of characters within words."""


class EncodedText(NamedTuple):
    """What different texts say, a line per text, and which text each row has."""

    codes: np.ndarray
    table: np.ndarray

    def rows(self, block: slice) -> "EncodedText":
        """Some of the rows."""
        return self._replace(codes=self.codes[block])

    def write(self, out: np.ndarray) -> None:
        """Write what the text of each row says."""
        out[:] = self.table[self.codes]


class UniqueTexts(NamedTuple):
    """Different texts, and which of them each row has; missing text is empty text."""

    codes: np.ndarray
    distinct: Sequence[str]

    @classmethod
    def of(cls, codes: np.ndarray, distinct: Iterable[object]) -> "UniqueTexts":
        """Values by their numbers, -1 where missing; what is no text is missing."""
        texts = [value if isinstance(value, str) else "" for value in distinct]
        return cls(np.where(codes < 0, len(texts), codes), [*texts, ""])

    def n_rows(self, rows: TrainingRows) -> np.ndarray:
        """How many of the rows that count have each text, or the sum of their weights.

        Weights may be of any size, yet one of 2 is as good as a row that comes twice.
        """
        codes, n_texts = self.codes[rows.indices], len(self.distinct)
        n_rows = np.bincount(codes, minlength=n_texts)
        if rows.weight is None:
            return n_rows.astype(np.float64)
        return np.maximum(n_rows, np.bincount(codes, rows.weight, n_texts))

    def different(self, rows: TrainingRows) -> list[str]:
        """The different texts of the rows that count, missing aside."""
        places = np.unique(self.codes[rows.indices])
        return [self.distinct[place] for place in places if self.distinct[place]]


def choose_analyzer(
    texts: Sequence[str], n_rows: float, split_names: bool
) -> str | None:
    """What to take the different texts of some rows apart into; None to leave them."""
    unit = "words" if have_words(texts) else "characters"
    is_free = unit == "words" and are_mostly_distinct(texts, n_rows)
    are_rare = n_rows < MOST_ROWS_OF_NAMES * len(texts)
    return unit if is_free or (split_names and are_rare) else None


def have_words(texts: Sequence[str]) -> bool:
    """Whether most texts have several words."""
    return 2 * sum(len(text.split(maxsplit=1)) > 1 for text in texts) > len(texts)


def are_mostly_distinct(texts: Sequence[str], n_rows: float) -> bool:
    """Whether there are more different texts than half of the rows that have one."""
    return 2 * len(texts) > n_rows


class TextBlock:
    """A column of text, told by its terms: components of these, and odds of classes.

    Terms are weighed by tf-idf. The components are the largest of a singular value
    decomposition; the log-odds of a class are those that naive Bayes adds up over the
    terms. Both are linear in the terms. They are centred, scaled to unit variance and
    cut smoothly as numbers are.

    Parameters
    ----------
    position : int
        Which column of the table it is.
    unit : {"words", "characters"}
        What text is taken apart into.

    Attributes
    ----------
    terms : list of str
        The terms, sorted.
    idf : ndarray of shape (n_terms,)
        What a term weighs: the more, the fewer rows have it.
    weights : ndarray of shape (n_terms, n_outputs)
        What each term adds to each output.
    labels : list of str
        Name per output.
    scale : SmoothScale
        Mean and standard deviation of each output.
    """

    kind = "text"

    def __init__(self, position: int, unit: str) -> None:
        self.position = position
        self.unit = unit

    @np.errstate(all="ignore")
    def fit(
        self,
        texts: UniqueTexts,
        rows: TrainingRows,
        target: Target | None,
        n_components: int,
        rng: np.random.RandomState,
    ) -> EncodedText:
        """Learn from the rows that count, and return what is told of all rows.

        To the log-odds of a row, its own class has contributed nothing.
        """
        weight = texts.n_rows(rows)
        matrix = self._learn_terms(texts.distinct, weight)
        is_seen = weight > 0
        blocks = [
            compute_components(matrix[is_seen], weight[is_seen], n_components, rng)
        ]
        n_components = blocks[0].shape[1]
        self.labels = [f"text_{place + 1}" for place in range(n_components)]
        held_out = np.empty((len(texts.codes), 0))
        if target is not None and target.labels and self.terms:
            blocks.append(compute_log_odds(matrix, texts.codes, target, rows))
            self.labels += [f"log_odds_{target.labels[code]}" for code in target.codes]
            held_out = cross_fit_log_odds(matrix, texts.codes, target, rows)
        self.weights = np.hstack(blocks).astype(np.float32)
        outputs = matrix @ self.weights
        components = (outputs[texts.codes, place] for place in range(n_components))
        # that of the held-out odds: those of rows to come vary as little
        counted = (column[rows.indices] for column in chain(components, held_out.T))
        self.scale = SmoothScale().fit_moments(counted, rows.weight)
        told = scaled(outputs, self.scale)[texts.codes]
        behind = slice(n_components, None)
        told[:, behind] = scaled(held_out, self.scale.part(behind))
        return EncodedText(np.arange(len(told)), told)

    def drop_noise(
        self, told: EncodedText, target: Target | None, rows: TrainingRows
    ) -> None:
        """Set all outputs to 0 if the held-out odds say nothing of the classes."""
        if target is None or not (target.labels and self.terms):
            return
        odds = told.table[:, -len(target.codes) :]
        if not is_informative(odds, target, rows):
            self.weights[:] = self.scale.center[:] = told.table[:] = 0

    def _learn_terms(
        self, texts: Sequence[str], weight: np.ndarray
    ) -> sparse.csr_matrix:
        """Choose terms, and return the tf-idf of each text."""
        counter = self._counter()
        self.terms, self.idf = [], np.empty(0)
        if not any(text.strip() for text in texts):
            return sparse.csr_matrix((len(texts), 0))
        counts = counter.fit_transform(self._beginnings(texts))
        of_entries = np.repeat(weight, np.diff(counts.indptr))
        n_rows = np.bincount(counts.indices, of_entries, counts.shape[1])
        kept = np.flatnonzero(n_rows >= MIN_ROWS)
        often = np.argsort(-n_rows[kept], kind="stable")[:MAX_TERMS]
        kept = kept[np.sort(often)]
        self.terms = counter.get_feature_names_out()[kept].tolist()
        self.idf = np.log((1 + weight.sum()) / (1 + n_rows[kept])) + 1
        return self._weighed(counts[:, kept])

    def _counter(self, vocabulary: Mapping[str, int] | None = None) -> CountVectorizer:
        """What counts the terms of texts."""
        options = ANALYZERS[self.unit].options
        return CountVectorizer(vocabulary=vocabulary, dtype=np.float64, **options)

    def _beginnings(self, texts: Sequence[str]) -> list[str]:
        """As much of each text as is read."""
        longest = ANALYZERS[self.unit].longest
        return [text[:longest] for text in texts]

    def _weighed(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """The tf-idf of counts of terms; each text has length 1."""
        counts.sort_indices()
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return normalize(counts, copy=False) if self.terms else counts

    @np.errstate(all="ignore")
    def read(self, column: Column) -> EncodedText:
        """What is told of each row, or an error if nothing in the column is text."""
        found = factorize(column)
        came = find_value_types(found.distinct)
        if came and "text" not in came:
            raise ValueError(
                f"{column.describe()} holds {' and '.join(sorted(came))}, but held "
                "text in fit; convert it, or fit again."
            )
        texts = UniqueTexts.of(found.codes, found.distinct)
        vocabulary = {term: place for place, term in enumerate(self.terms)}
        counter = self._counter(vocabulary)
        counts = counter.transform(self._beginnings(texts.distinct))
        outputs = self._weighed(counts) @ self.weights
        return EncodedText(texts.codes, scaled(outputs, self.scale))


def scaled(outputs: np.ndarray, scale: SmoothScale) -> np.ndarray:
    """Outputs, a line per text or row, as the network gets them."""
    out = np.empty(outputs.shape, dtype=np.float32)
    scale.write(outputs.T, out)
    return out


# Components

# No long sum here is left to BLAS, whose last digits depend on the number of its
# threads: a model is the same on any.


def compute_components(
    matrix: sparse.csr_matrix,
    weight: np.ndarray,
    n_directions: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """The first right singular vectors of a matrix whose rows have weights, as columns.

    Randomised subspace iteration (Halko, Martinsson and Tropp, 2011).
    """
    n_terms = matrix.shape[1]
    size = min(n_directions + SPARE_DIRECTIONS, *matrix.shape)
    if n_directions == 0 or size == 0:
        return np.empty((n_terms, 0))
    rooted = sparse.diags(np.sqrt(weight / weight.max())).tocsr() @ matrix
    transposed = rooted.T.tocsr()
    basis = orthonormal(rng.normal(size=(n_terms, size)))
    for _ in range(N_PASSES):
        basis = orthonormal(transposed @ (rooted @ basis))
    _, turns = eigen(rooted @ basis)
    return product(basis, turns[:, :n_directions])


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span what the columns span."""
    values, turns = eigen(columns)
    is_there = values > SMALLEST_SHARE * values[0]
    return product(columns, turns[:, is_there] / np.sqrt(values[is_there]))


def eigen(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the products of columns, the largest first."""
    values, vectors = np.linalg.eigh(np.einsum("ki,kj->ij", columns, columns))
    return values[::-1], vectors[:, ::-1]


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product of a tall matrix and a small one."""
    return np.einsum("ki,ij->kj", left, right)


# Odds


def compute_log_odds(
    matrix: sparse.csr_matrix, codes: np.ndarray, target: Target, rows: TrainingRows
) -> np.ndarray:
    """What each term adds to the log-odds of each class, by naive Bayes."""
    n_texts = matrix.shape[0]
    codes, weight = codes[rows.indices], rows.weight
    if weight is None:
        weight = np.ones(len(codes))
    # weights of any size, yet those below 1 on average count as 1
    weight = weight / min(1.0, weight.mean())
    transposed = matrix.T.tocsr()
    of_all = transposed @ np.bincount(codes, weight, n_texts)
    odds = []
    for values in target.columns():
        inside = np.bincount(codes, weight * values[rows.indices], n_texts)
        mass = transposed @ inside
        rest = of_all - mass
        odds.append(log_shares(mass) - log_shares(rest))
    return np.stack(odds, axis=1)


def log_shares(mass: np.ndarray) -> np.ndarray:
    """Logarithms of the shares of terms in a class."""
    mass = np.maximum(mass, 0) + PRIOR_MASS
    return np.log(mass / mass.sum())


def cross_fit_log_odds(
    matrix: sparse.csr_matrix, codes: np.ndarray, target: Target, rows: TrainingRows
) -> np.ndarray:
    """The log-odds of each row as the rows of the other folds tell them."""
    odds = np.zeros((len(codes), len(target.codes)))
    full = rows.to_full_weight(len(codes))
    for fold in range(N_FOLDS):
        is_held_out = np.asarray(target.folds) == fold
        weight = np.where(is_held_out, 0.0, full)
        if weight.any():
            learnt = compute_log_odds(
                matrix, codes, target, TrainingRows.from_weight(weight)
            )
            odds[is_held_out] = (matrix @ learnt)[codes[is_held_out]]
    return odds
