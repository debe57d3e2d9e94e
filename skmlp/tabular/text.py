"""Text of many values: TF-IDF of words or characters, its SVD, and log-odds of classes.

Both are linear in the terms, so that one matrix of weights gives all outputs.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from skmlp.tabular.factorize import Factorized, check_value_types, factorize
from skmlp.tabular.frame import Column
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import N_FOLDS, Target, TrainingRows, is_informative

MAX_TERMS = 10_000  # per column, those of most rows
MIN_ROWS = 2  # of a term, or the sum of their weights
MIN_ROWS_PER_CATEGORY = 4  # from which on categories and target means say enough
PRIOR_MASS = 1.0  # count of each term in each class before any text is seen

N_ITERATIONS = 3  # of the subspace iteration
N_OVERSAMPLES = 10  # further directions, which make those that are kept exact
MIN_EIGENVALUE = 1e-14  # of the largest one: smaller ones are rounding errors


class Analyzer(NamedTuple):
    """A way to split text into terms."""

    options: dict[str, object]  # of CountVectorizer
    longest: int  # number of characters of a text that are read


ANALYZERS: dict[str, Analyzer] = {
    # words, punctuation (links, quotes, !!! tell much as well), and pairs of these
    "words": Analyzer({"ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]"}, 10_000),
    # runs of characters within words
    "characters": Analyzer({"analyzer": "char_wb", "ngram_range": (2, 5)}, 100),
}


class EncodedText(NamedTuple):
    """Outputs per distinct text, and the text of each row."""

    codes: np.ndarray  # (n_rows,)
    table: np.ndarray  # (n_texts, n_outputs), float32


class UniqueTexts(NamedTuple):
    """Distinct texts, and the text of each row; missing text is empty text."""

    codes: np.ndarray  # (n_rows,)
    distinct: Sequence[str]  # the last one is empty

    @classmethod
    def from_factorized(cls, factorized: Factorized) -> "UniqueTexts":
        """Replace values that are no text by empty text."""
        codes, distinct = factorized
        texts = [value if isinstance(value, str) else "" for value in distinct]
        return cls(np.where(codes < 0, len(texts), codes), [*texts, ""])

    def count_rows(self, rows: TrainingRows) -> np.ndarray:
        """Count the training rows of each text (n_texts,), or sum up their weights."""
        codes, n_texts = self.codes[rows.indices], len(self.distinct)
        n_rows = np.bincount(codes, minlength=n_texts)
        if rows.weight is None:
            return n_rows.astype(np.float64)
        # weights below 1 count as rows, yet a weight of 2 is as good as two rows
        return np.maximum(n_rows, np.bincount(codes, rows.weight, n_texts))

    def list_present(self, rows: TrainingRows) -> list[str]:
        """List the distinct texts of the training rows, empty text aside."""
        places = np.unique(self.codes[rows.indices])
        return [self.distinct[place] for place in places if self.distinct[place]]


def choose_analyzer(
    texts: Sequence[str], n_rows: float, split_names: bool
) -> str | None:
    """Choose how to split distinct texts of some rows; None if they are categories."""
    analyzer = "words" if _have_words(texts) else "characters"
    is_prose = analyzer == "words" and are_mostly_distinct(texts, n_rows)
    are_rare = n_rows < MIN_ROWS_PER_CATEGORY * len(texts)
    return analyzer if is_prose or (split_names and are_rare) else None


def _have_words(texts: Sequence[str]) -> bool:
    """Return True if most texts have several words."""
    return 2 * sum(len(text.split(maxsplit=1)) > 1 for text in texts) > len(texts)


def are_mostly_distinct(texts: Sequence[str], n_rows: float) -> bool:
    """Return True if there are more distinct texts than half of the rows."""
    return 2 * len(texts) > n_rows


class TextBlock:
    """One column of text: components of its terms, then log-odds of the classes."""

    kind = "text"
    terms: list[str]  # (n_terms,), sorted
    idf: np.ndarray  # (n_terms,): the fewer rows have a term, the larger
    weights: np.ndarray  # (n_terms, n_outputs), float32
    labels: list[str]  # (n_outputs,): suffix of the name of each output
    scale: SmoothScale  # mean and standard deviation of each output

    def __init__(self, position: int, analyzer: str) -> None:
        self.position = position
        self.analyzer = analyzer

    @np.errstate(all="ignore")
    def fit(
        self,
        texts: UniqueTexts,
        rows: TrainingRows,
        target: Target | None,
        n_components: int,
        rng: np.random.RandomState,
    ) -> EncodedText:
        """Learn from the training rows, and return all rows, log-odds cross-fitted."""
        weight = texts.count_rows(rows)
        tfidf = self._fit_terms(texts.distinct, weight)  # (n_texts, n_terms)
        is_seen = weight > 0
        weights = [
            _compute_components(tfidf[is_seen], weight[is_seen], n_components, rng)
        ]
        n_components = weights[0].shape[1]
        self.labels = [f"text_{place + 1}" for place in range(n_components)]
        odds = np.empty((len(texts.codes), 0))
        if not self.terms or (target is not None and not target.labels):
            target = None  # numbers have no log-odds
        if target is not None:
            weights.append(_compute_log_odds(tfidf, texts.codes, target, rows))
            self.labels += [f"log_odds_{target.labels[j]}" for j in target.classes]
            odds = _cross_fit_log_odds(tfidf, texts.codes, target, rows)
        self.weights = np.hstack(weights).astype(np.float32)
        outputs = tfidf @ self.weights  # (n_texts, n_outputs)
        projections = (outputs[texts.codes, place] for place in range(n_components))
        # scaled as the cross-fitted odds are: those of new rows vary as little
        counted = (column[rows.indices] for column in chain(projections, odds.T))
        self.scale = SmoothScale().fit_moments(counted, rows.weight)
        encoded = _scale(outputs, self.scale)[texts.codes]  # (n_rows, n_outputs)
        columns = slice(n_components, None)
        encoded[:, columns] = _scale(odds, self.scale.select(columns))
        if target is not None and not is_informative(encoded[:, columns], target, rows):
            # such as identifiers, of which no output may tell rows apart
            self.weights[:] = self.scale.center[:] = encoded[:] = 0
        return EncodedText(np.arange(len(encoded)), encoded)

    def _fit_terms(self, texts: Sequence[str], weight: np.ndarray) -> sparse.csr_matrix:
        """Choose the terms, and return the TF-IDF of each text (n_texts, n_terms)."""
        self.terms, self.idf = [], np.empty(0)
        if not any(text.strip() for text in texts):
            return sparse.csr_matrix((len(texts), 0))
        counter = self._make_counter()
        counts = counter.fit_transform(self._truncate(texts))
        weight_of_entries = np.repeat(weight, np.diff(counts.indptr))
        n_rows = np.bincount(counts.indices, weight_of_entries, counts.shape[1])
        kept = np.flatnonzero(n_rows >= MIN_ROWS)
        most_frequent = np.argsort(-n_rows[kept], kind="stable")[:MAX_TERMS]
        kept = kept[np.sort(most_frequent)]
        self.terms = counter.get_feature_names_out()[kept].tolist()
        self.idf = np.log((1 + weight.sum()) / (1 + n_rows[kept])) + 1
        return self._weigh(counts[:, kept])

    def _make_counter(
        self, vocabulary: Mapping[str, int] | None = None
    ) -> CountVectorizer:
        """Make a counter of the terms of texts."""
        options = ANALYZERS[self.analyzer].options
        return CountVectorizer(vocabulary=vocabulary, dtype=np.float64, **options)

    def _truncate(self, texts: Sequence[str]) -> list[str]:
        """Return the part of each text that is read."""
        longest = ANALYZERS[self.analyzer].longest
        return [text[:longest] for text in texts]

    def _weigh(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Turn counts of terms, overwriting them, into TF-IDF of length 1 per text."""
        counts.sort_indices()
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return normalize(counts, copy=False) if self.terms else counts

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return len(self.labels)

    def get_names(self, inputs: Sequence[str]) -> list[str]:
        """Name each output, after the names of the table's columns."""
        return [f"{inputs[self.position]}_{label}" for label in self.labels]

    @np.errstate(all="ignore")
    def read(self, column: Column) -> EncodedText:
        """Encode the texts of a column; raise if none of its values is text."""
        factorized = factorize(column)
        check_value_types(column, factorized.distinct, {"text"})
        texts = UniqueTexts.from_factorized(factorized)
        counter = self._make_counter({term: j for j, term in enumerate(self.terms)})
        counts = counter.transform(self._truncate(texts.distinct))
        outputs = self._weigh(counts) @ self.weights
        return EncodedText(texts.codes, _scale(outputs, self.scale))

    def write(self, values: EncodedText, rows: slice, out: np.ndarray) -> None:
        """Write the outputs of some rows (n_rows, n_outputs)."""
        out[:] = values.table[values.codes[rows]]


def _scale(outputs: np.ndarray, scale: SmoothScale) -> np.ndarray:
    """Scale outputs (n_texts, n_outputs)."""
    return scale.transform(outputs.astype(np.float64)).astype(np.float32)


# No long sum here is left to BLAS, whose last digits depend on the number of threads:
# hence einsum, and not scikit-learn's randomized_svd.


def _compute_components(
    tfidf: sparse.csr_matrix,
    weight: np.ndarray,
    n_components: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Compute the first right singular vectors (n_terms, n_components) of the rows."""
    # randomized subspace iteration (Halko, Martinsson and Tropp, 2011)
    n_terms = tfidf.shape[1]
    size = min(n_components + N_OVERSAMPLES, *tfidf.shape)
    if n_components == 0 or size == 0:
        return np.empty((n_terms, 0))
    # a row of weight 2 counts as two rows
    rows = sparse.diags(np.sqrt(weight / weight.max())).tocsr() @ tfidf
    transposed = rows.T.tocsr()
    basis = _orthonormalize(rng.normal(size=(n_terms, size)))
    for _ in range(N_ITERATIONS):
        basis = _orthonormalize(transposed @ (rows @ basis))
    _, rotation = _decompose_gram(rows @ basis)
    return np.einsum("ki,ij->kj", basis, rotation[:, :n_components])


def _orthonormalize(columns: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span the same space."""
    values, vectors = _decompose_gram(columns)
    kept = values > MIN_EIGENVALUE * values[0]
    return np.einsum("ki,ij->kj", columns, vectors[:, kept] / np.sqrt(values[kept]))


def _decompose_gram(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues and eigenvectors of columns.T @ columns, the largest first."""
    values, vectors = np.linalg.eigh(np.einsum("ki,kj->ij", columns, columns))
    return values[::-1], vectors[:, ::-1]


def _compute_log_odds(
    tfidf: sparse.csr_matrix, codes: np.ndarray, target: Target, rows: TrainingRows
) -> np.ndarray:
    """Compute each term's part (n_terms, n_classes) of the log-odds of naive Bayes."""
    n_texts = tfidf.shape[0]
    codes, weight = codes[rows.indices], rows.weight
    if weight is None:
        weight = np.ones(len(codes))
    # weights below 1 on average count as 1
    weight = weight / min(1.0, weight.mean())
    transposed = tfidf.T.tocsr()
    total = transposed @ np.bincount(codes, weight, n_texts)
    odds = []
    for values in target.columns():
        of_class = np.bincount(codes, weight * values[rows.indices], n_texts)
        mass = transposed @ of_class
        odds.append(_log_share(mass) - _log_share(total - mass))
    return np.stack(odds, axis=1)


def _log_share(mass: np.ndarray) -> np.ndarray:
    """Return the logarithm of the smoothed share of each term."""
    mass = np.maximum(mass, 0) + PRIOR_MASS
    return np.log(mass / mass.sum())


def _cross_fit_log_odds(
    tfidf: sparse.csr_matrix, codes: np.ndarray, target: Target, rows: TrainingRows
) -> np.ndarray:
    """Compute log-odds (n_rows, n_classes) without the labels of each row's fold."""
    odds = np.zeros((len(codes), len(target.classes)))
    full_weight = rows.to_full_weight(len(codes))
    for fold in range(N_FOLDS):
        is_held_out = target.folds == fold
        weight = np.where(is_held_out, 0.0, full_weight)
        if weight.any():
            others = TrainingRows.from_weight(weight)
            weights = _compute_log_odds(tfidf, codes, target, others)
            odds[is_held_out] = (tfidf @ weights)[codes[is_held_out]]
    return odds
