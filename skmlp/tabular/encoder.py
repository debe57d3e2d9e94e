"""TableEncoder: tables of any columns to one matrix of floats, by a list of blocks."""

import warnings
from collections.abc import Hashable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from skmlp._parameter_validation import HintsMixin, to_plain
from skmlp._sklearn_compat import (
    Interval,
    StrOptions,
    check_columns,
    check_feature_names_in,
    fit_context,
)
from skmlp._utils import restore_on_error
from skmlp.tabular.categorical import CategoricalBlock, EncodedCategories
from skmlp.tabular.column_types import infer_column_type, mask_columns, selects_columns
from skmlp.tabular.datetime import DateColumn, DurationColumn, TimeColumn
from skmlp.tabular.factorize import Factorized, factorize
from skmlp.tabular.frame import (
    Column,
    Dense,
    SparseMatrix,
    TableData,
    TableLike,
    as_table,
    check_names,
    check_not_lazy,
    format_list,
    get_remembered_names,
    is_frame,
    is_plain_number,
    is_sparse,
    read_columns,
    read_header,
    read_matrix,
    read_rows,
    remember_names,
)
from skmlp.tabular.labels import check_weights
from skmlp.tabular.numeric import (
    EmptyColumn,
    NumericBlock,
    NumericColumn,
    RealColumn,
)
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import Target, TrainingRows
from skmlp.tabular.text import (
    EncodedText,
    TextBlock,
    UniqueTexts,
    are_mostly_distinct,
    choose_analyzer,
)
from skmlp.tabular.text_parsing import is_text, keep_unparsable

CHUNK_CELLS = 1 << 18  # of the matrix, written at a time
MAX_SHOWN = 40  # characters of a text in a warning

# by type: how columns become numbers; the others are categories or text
NUMERIC_COLUMNS: dict[str, type[NumericColumn]] = {
    "numbers": RealColumn,
    "empty": EmptyColumn,
    "dates": DateColumn,
    "durations": DurationColumn,
    "times": TimeColumn,
}

ColumnBlock: TypeAlias = CategoricalBlock | TextBlock
"""Outputs of one column."""


class TableEncoder(HintsMixin, TransformerMixin, BaseEstimator):
    """Encode a table of any columns as one matrix of floats for a neural network.

    Takes pandas, polars and pyarrow tables, other tables that narwhals reads, NumPy
    arrays and sparse matrices. What becomes of a column follows from its dtype, and for
    objects from the values:

    - Numbers ``x`` become ``z / sqrt(1 + (z / 3)**2)``, where
      ``z = (x - median) / interquartile range``, so that no outlier gets beyond 3.
      Where the interquartile range is 0, half the range takes its place; a constant
      column becomes 0. A missing number counts as the median, and where the training
      rows had any, a column of 0 and 1 says where.
    - Dates become elapsed seconds, and month (1 to 12), weekday (0 is Monday) and hour
      in local time where these vary, or in UTC if the training rows have several time
      zones; periods are the dates that they start on. Durations and times of the day
      become seconds. All are then treated as numbers.
    - Text, truth values, intervals and categories become one column of 0 and 1 per
      value; missing is a value of its own. Two values share one column of -1 and +1.
      Where there are more than `max_categories` values, the rarer ones share a column,
      and if `fit` was given `y`, the means of the target per value (cross-fitted, as in
      :class:`sklearn.preprocessing.TargetEncoder`) come on top. Values that the
      training rows did not have count as rare ones, or become 0.
    - Text that is a number, such as "12" or "-1e3", is read as numbers, and ISO 8601
      dates, such as "2024-02-29" or "2024-02-29T10:00:00Z", as dates, where most values
      of a column are such (see `read_text`). Codes with leading zeros stay text.
    - Text of more than `max_categories` values that come fewer than 4 times on average
      is taken apart: into words, marks and pairs of these where most values have
      several words, else into runs of 2 to 5 characters. Up to 10000 of these terms,
      of at least 2 rows, weighed by tf-idf, become `text_components` numbers by a
      singular value decomposition. If `fit` was given classes, the log-odds of each by
      naive Bayes come on top, cross-fitted as target means are. All are scaled to
      variance 1. Where the cross-fitted odds agree with the classes no better than by
      chance, as those of identifiers do, all are 0, and so are such target means. Where
      more than half of the values differ, they are not categories as well. Missing text
      is empty text. Of words, the first 10000 characters of a text are read, of others
      100.
    - Columns of sparse matrices are scaled without being centred; zeros stay zeros.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Columns that are categories whatever their dtype: a mask, indices or names.
        Other columns are treated by their dtype, as all are with "from_dtype" or None.

    max_categories : int, default=40
        Most columns that the categories of one column become, target means aside; at
        least 2.

    min_frequency : int, default=2
        Fewest training rows (or sum of their weights) of a category that gets a column
        of its own. It does not apply to missing.

    read_text : bool, default=True
        Whether text that stands for numbers or dates is read as these, where most of
        the training rows with a value hold such text, or numbers or dates themselves.
        Blank text is missing then, and so are "?", "-", "NA", "none" and the like.
        Other text is encoded beside the numbers, as text is, with a warning. In
        `transform`, text that can't be read counts as missing too, and numbers or dates
        may come in place of text. Columns of a dtype of categories, or named in
        `categorical_features`, are not read. If False, a column with text is nothing
        but text and categories.

    text_components : int or None, default=10
        Most numbers that sum up what the text of one column says; 0 or None for none.

    text_odds : bool, default=True
        Whether text also becomes cross-fitted log-odds of the classes in `y`: of two
        classes those of the second, else of each.

    split_names : bool, default=True
        Whether text is also taken apart where values are single words, or come several
        times. If False, only text is that has several words and is mostly distinct; all
        other text is nothing but categories.

    dtype : {"float32", "float64"}, default="float32"
        Type of the matrix. The arithmetic is in float64 either way, but for what text
        says, which is rounded to float32.

    random_state : int, RandomState instance or None, default=None
        Source of the folds that target means and log-odds are cross-fitted on, and of
        the start of the singular value decomposition.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, where the table has some that are all strings.
    n_features_out_ : int
        Number of columns of the matrix.
    n_numbers_ : int
        How many of them, the first ones, are scaled numbers.
    is_categorical_ : ndarray of shape (`n_features_in_`,)
        Which columns of the table are categories, among these text that comes apart but
        is not mostly distinct.
    categories_ : list of ndarray
        The values of each categorical column, in order of the columns, without missing.
    scale_ : SmoothScale
        Median and scale of what became numbers.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Put such encodings together by hand.
    sklearn.preprocessing.OneHotEncoder : Only categories; infrequent ones grouped.
    sklearn.preprocessing.TargetEncoder : Only categories, by target means.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmlp import TableEncoder
    >>> table = pd.DataFrame({
    ...     "age": [20.0, 30.0, 40.0, None],
    ...     "member": [True, False, True, True],
    ...     "color": ["red", "blue", "green", "red"],
    ... })
    >>> encoder = TableEncoder(min_frequency=1).set_output(transform="pandas")
    >>> encoder.fit_transform(table).round(2)
        age  age_missing  member_True  color_blue  color_green  color_red
    0 -0.49          0.0          1.0         0.0          0.0        1.0
    1  0.00          0.0         -1.0         1.0          0.0        0.0
    2  0.49          0.0          1.0         0.0          1.0        0.0
    3  0.00          1.0          1.0         0.0          0.0        1.0

    Text says what a network can learn from:

    >>> notes = pd.DataFrame({
    ...     "day": ["2024-01-01", "2024-01-02", "2024-02-01"] * 20,
    ...     "note": [f"good tea number {i}" for i in range(30)]
    ...     + [f"bad tea number {i}" for i in range(30)],
    ... })
    >>> liked = ["yes"] * 30 + ["no"] * 30
    >>> encoder = TableEncoder(text_components=2, random_state=0).fit(notes, liked)
    >>> print(*encoder.get_feature_names_out())
    day day_month day_weekday note_text_1 note_text_2 note_log_odds_yes
    >>> new = pd.DataFrame({"day": ["soon", "2024-01-09"], "note": ["good", "bad"]})
    >>> (encoder.transform(new)[:, -1] > 0).tolist()
    [True, False]
    """

    _parameter_constraints: dict = {
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "max_categories": [Interval(Integral, 2, None, closed="left")],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "read_text": ["boolean"],
        "text_components": [Interval(Integral, 0, None, closed="left"), None],
        "text_odds": ["boolean"],
        "split_names": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
    }

    is_categorical_: np.ndarray
    n_features_in_: int
    _numeric: NumericBlock  # of all numeric columns
    _column_blocks: list[ColumnBlock]  # categories, then text
    _is_sparse: bool  # True if the training rows were

    def __init__(
        self,
        categorical_features: ArrayLike | None = "from_dtype",
        *,
        max_categories: int = 40,
        min_frequency: int = 2,
        read_text: bool = True,
        text_components: int | None = 10,
        text_odds: bool = True,
        split_names: bool = True,
        dtype: Literal["float32", "float64"] = "float32",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.min_frequency = min_frequency
        self.read_text = read_text
        self.text_components = text_components
        self.text_odds = text_odds
        self.split_names = split_names
        self.dtype = dtype
        self.random_state = random_state

    @restore_on_error
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: TableLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn how to encode the columns of X.

        If it fails, the encoder stays as it was.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
            The training rows.
        y : array-like of shape (n_samples,), default=None
            Classes or numbers; only used for columns of many categories and for text.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight per row; None means 1. A row of weight 0 takes no part.

        Returns
        -------
        self : TableEncoder
            The fitted encoder.

        Raises
        ------
        ValueError, TypeError
            If a column can't be encoded; the message names it and says why.
        """
        self._fit(X, y, sample_weight)
        return self

    @restore_on_error
    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self,
        X: TableLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> np.ndarray | SparseMatrix:
        """Learn how to encode the columns of X, and encode its rows.

        The outcome is that of ``fit(X, y, sample_weight).transform(X)``, but for means
        of the target and log-odds by text: those of a row are here of other rows only,
        so that a model trained on them does not trust them too much.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
            The training rows.
        y : array-like of shape (n_samples,), default=None
            Classes or numbers; only used for columns of many categories and for text.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight per row; None means 1. A row of weight 0 takes no part.

        Returns
        -------
        encoded : ndarray of shape (n_samples, `n_features_out_`)
            The matrix; a CSR matrix where X is sparse.

        Raises
        ------
        ValueError, TypeError
            If a column can't be encoded; the message names it and says why.
        """
        X, values = self._fit(X, y, sample_weight)
        if is_sparse(X):
            return self.scale_.encode_sparse(X, self.dtype)
        return self._write(values, X.shape[0])

    def transform(self, X: TableLike) -> np.ndarray | SparseMatrix:
        """Encode rows, each as it would be by itself.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows with the columns that `fit` saw.

        Returns
        -------
        encoded : ndarray of shape (n_samples, `n_features_out_`)
            The matrix; a CSR matrix where X and the training rows are sparse.

        Raises
        ------
        ValueError, TypeError
            If columns are missing, in another order, or of another kind than in `fit`.
        """
        return self.transform_for(self, X)

    def transform_for(
        self, owner: BaseEstimator, X: TableLike
    ) -> np.ndarray | SparseMatrix:
        """Encode rows for an estimator with the same columns, which messages name."""
        check_is_fitted(self, "scale_")
        X = self._validate(X, owner)
        if is_sparse(X):
            if self._is_sparse:
                return self.scale_.encode_sparse(X, self.dtype)
            X = X.toarray()
        return self._write(self._read(X), X.shape[0])

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Names of the columns of the matrix, such as "age" or "color_red".

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Column names of the table, where it had none in `fit`; the default is then
            "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
            As many different names as there are columns.
        """
        check_is_fitted(self, "scale_")
        inputs = check_feature_names_in(self, input_features)
        twice = get_remembered_names(self) or []
        if input_features is None and any(isinstance(name, str) for name in twice):
            inputs = twice
        names = [name for block in self._blocks for name in block.get_names(inputs)]
        return np.array(make_unique(names), dtype=object)

    @property
    def n_features_out_(self) -> int:
        """Number of columns of the matrix."""
        return sum(block.n_outputs for block in self._blocks)

    @property
    def n_numbers_(self) -> int:
        """Number of columns of the matrix, its first ones, that are scaled numbers."""
        return self._numeric.n_numbers

    @property
    def scale_(self) -> SmoothScale:
        """Median and scale of what became numbers."""
        return self._numeric.scale

    @property
    def categories_(self) -> list[np.ndarray]:
        """Values of each categorical column."""
        return [block.known.to_numpy() for block in self._categorical]

    @property
    def _blocks(self) -> list[NumericBlock | ColumnBlock]:
        """All blocks, in order of their outputs."""
        return [self._numeric, *self._column_blocks]

    @property
    def _categorical(self) -> list[CategoricalBlock]:
        return [b for b in self._column_blocks if isinstance(b, CategoricalBlock)]

    @property
    def _text(self) -> list[TextBlock]:
        return [b for b in self._column_blocks if isinstance(b, TextBlock)]

    def columns_without_use(self) -> list[Hashable]:
        """List the columns that were constant in the training rows.

        Whatever may come in them, the matrix shows at most where it is missing.

        Returns
        -------
        names : list
            By name, or as "x0", "x1" and so on where columns have no names.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmlp import TableEncoder
        >>> table = pd.DataFrame({"age": [20, 30], "town": ["York", "York"]})
        >>> TableEncoder().fit(table).columns_without_use()
        ['town']
        """
        mixed = self._find_mixed()
        places = [
            place for place in self._numeric.find_constant() if place not in mixed
        ]
        places += [block.position for block in self._categorical if block.n_codes < 2]
        names = get_column_names(self)
        return [names[place] for place in sorted(places)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        # columns of a sparse matrix are numbers
        tags.input_tags.sparse = not selects_columns(self.categorical_features)
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _validate(self, X: TableLike, owner: BaseEstimator | None = None) -> TableData:
        """Check X and its columns; return a frame, a 2-D array or a CSR matrix."""
        # messages name the owner, which a user knows; without one, columns are learned
        X = as_table(X).data
        if owner is None:
            remember_names(self, X)
        else:
            check_names(self, X)
        if is_frame(X):
            names = read_header(X)
            try:
                check_columns(owner or self, names, reset=owner is None)
            except ValueError as error:
                raise ValueError(f"{error}{self._hint_on_order(names)}") from error
            for axis, what in enumerate(["sample", "feature"]):
                if X.shape[axis] == 0:
                    raise ValueError(
                        f"Found array with 0 {what}(s) (shape={X.shape}) while a "
                        "minimum of 1 is required."
                    )
            return X
        options: dict[str, object] = {
            "dtype": None,
            "accept_sparse": "csr",
            "ensure_all_finite": False,
        }
        if not hasattr(X, "dtype"):
            X = read_rows(X, partial(_check_lists, **options))
        X = check_array(X, input_name="X", **options)
        check_columns(owner or self, X, reset=owner is None)
        if is_sparse(X):
            _check_sparse(X)
        return X

    def _hint_on_order(self, names: pd.DataFrame) -> str:
        """Return advice on columns in another order; empty if that is not the fault."""
        came = list(names.columns)
        known = list(getattr(self, "feature_names_in_", []))
        if came == known or sorted(map(str, came)) != sorted(known):
            return ""
        place = [a == b for a, b in zip(came, known, strict=True)].index(False)
        return (
            f"Column {came[place]!r} is where {known[place]!r} was; pass "
            "X[list(model.feature_names_in_)].\n"
        )

    def _fit(
        self,
        X: TableLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
    ) -> tuple[TableData, list[Any]]:
        """Fit all blocks; return the checked table, and the values of each block."""
        check_not_lazy(y=y, sample_weight=sample_weight)
        X = self._validate(X)
        weight = None
        if sample_weight is not None:
            weight = check_weights(sample_weight, X.shape[0])
        rows = TrainingRows.from_weight(weight)
        rng = check_random_state(to_plain(self.random_state))
        target = None
        if y is not None:
            target = Target.from_labels(y, X, self.max_categories, rng)
        names = getattr(self, "feature_names_in_", None)
        is_forced = mask_columns(self.categorical_features, self.n_features_in_, names)
        self._is_sparse = is_sparse(X)
        if is_sparse(X):
            self._fit_sparse(X, rows, is_forced)
            return X, []
        return X, self._fit_columns(X, rows, target, rng, is_forced)

    def _fit_columns(
        self,
        X: Dense,
        rows: TrainingRows,
        target: Target | None,
        rng: np.random.RandomState,
        is_forced: np.ndarray,
    ) -> list[Any]:
        """Choose the blocks, fit them, and return the training values of each."""
        columns: list[NumericColumn] = []
        arrays: list[np.ndarray] = []
        categorical: list[tuple[ColumnBlock, Any]] = []  # with the values of each block
        text: list[tuple[ColumnBlock, Any]] = []
        self.is_categorical_ = is_forced.copy()
        for column in read_columns(X, set(np.flatnonzero(is_forced))):
            kind, factorized = "categories", None
            if not is_forced[column.position]:
                kind, factorized = self._infer_type(column, rows)
            if kind in NUMERIC_COLUMNS:
                fitted = NUMERIC_COLUMNS[kind](column.position)
                parts = fitted.fit(column, rows)
                columns.append(fitted)
                arrays += parts
                is_unparsable = fitted.mask_unparsable(column, parts[0])[rows.indices]
                if not is_unparsable.any():
                    continue
                # text among numbers is missing there, and encoded by blocks of its own
                column = _keep_unparsable(column, kind, rows, is_unparsable)
                factorized = factorize(column)
            found = self._fit_text(column, factorized, rows, target, rng)
            if found is not None:
                block, values, is_prose = found
                text.append((block, values))
                if is_prose:
                    continue
            categories = CategoricalBlock(
                column.position, int(self.max_categories), int(self.min_frequency)
            )
            factorized = factorized or factorize(column)
            codes, means = categories.fit(column, factorized, rows, target)
            if means is not None:
                means = means.astype(self.dtype)  # kept until the matrix is written
            categorical.append((categories, EncodedCategories(codes, means)))
            self.is_categorical_[column.position] = True
        # one by one: a copy of all arrays would double the memory of fit
        counted = (array[rows.indices] for array in arrays)
        self._numeric = NumericBlock(columns, SmoothScale().fit(counted, rows.weight))
        self._column_blocks = [block for block, _ in [*categorical, *text]]
        matrix = read_matrix(X) if self._is_matrix else None
        numbers = arrays if matrix is None else matrix.T
        return [numbers, *(values for _, values in [*categorical, *text])]

    def _infer_type(
        self, column: Column, rows: TrainingRows
    ) -> tuple[str, Factorized | None]:
        """Infer the type of a column from its training rows, and factorize text."""
        counted = column._replace(data=column.data[rows.indices])
        if not is_text(counted.data):
            return infer_column_type(counted, self.read_text), None
        factorized = factorize(column)
        texts = Factorized(factorized.codes[rows.indices], factorized.distinct)
        return infer_column_type(counted, self.read_text, texts), factorized

    def _fit_text(
        self,
        column: Column,
        factorized: Factorized | None,
        rows: TrainingRows,
        target: Target | None,
        rng: np.random.RandomState,
    ) -> tuple[TextBlock, EncodedText, bool] | None:
        """Fit a text block, if there is enough text; True if few texts are repeated."""
        if factorized is None:  # no text
            return None
        texts = UniqueTexts.from_factorized(factorized)
        present = texts.list_present(rows)
        n_rows = texts.count_rows(rows)[:-1].sum()
        analyzer = choose_analyzer(present, n_rows, self.split_names)
        if len(present) <= self.max_categories or analyzer is None:
            return None
        block = TextBlock(column.position, analyzer)
        target = target if self.text_odds else None
        n_components = int(self.text_components or 0)
        values = block.fit(texts, rows, target, n_components, rng)
        if not block.labels:
            return None
        return block, values, are_mostly_distinct(present, n_rows)

    def _fit_sparse(
        self, X: SparseMatrix, rows: TrainingRows, is_forced: np.ndarray
    ) -> None:
        """Fit the numeric block, which is all that a sparse matrix needs."""
        if is_forced.any():
            raise ValueError(
                "categorical_features names columns of a sparse matrix, whose columns "
                "are all numbers; pass a dense table, or leave categorical_features "
                'at "from_dtype".'
            )
        scale = SmoothScale().fit_sparse(X[rows.indices].tocsc(), rows.weight)
        columns = [RealColumn(position) for position in range(X.shape[1])]
        self._numeric = NumericBlock(columns, scale)
        self._column_blocks = []
        self.is_categorical_ = is_forced

    @property
    def _is_matrix(self) -> bool:
        """True if training had nothing but columns of real numbers."""
        return not self._column_blocks and self._numeric.is_matrix

    def _find_mixed(self) -> dict[int, str]:
        """Find numeric columns with a block for other text: types by position."""
        further = {block.position for block in self._column_blocks}
        return {
            column.position: column.kind
            for column in self._numeric.columns
            if column.position in further
        }

    def _read(self, X: Dense) -> list[Any]:
        """Read the values of each block."""
        if self._is_matrix:
            matrix = read_matrix(X)
            if matrix is not None:
                return [matrix.T]
        columns = read_columns(X, {block.position for block in self._categorical})
        values: list[Any] = [self._numeric.read(columns)]
        for place, kind in self._find_mixed().items():
            texts = keep_unparsable(columns[place].data, kind)
            columns[place] = columns[place]._replace(data=texts)
        return values + [b.read(columns[b.position]) for b in self._column_blocks]

    def _write(self, values: Sequence[Any], n_rows: int) -> np.ndarray:
        """Write the matrix, each block to its slice."""
        parts, width = [], 0
        for block, block_values in zip(self._blocks, values, strict=True):
            columns = slice(width, width + block.n_outputs)
            parts.append((block, block_values, columns))
            width = columns.stop
        out = np.zeros((n_rows, width), dtype=self.dtype)
        # all blocks of some rows while these are in the cache: 1.5 times as fast
        size = max(256, CHUNK_CELLS // max(width, 1))
        for start in range(0, n_rows, size):
            rows = slice(start, start + size)
            for block, block_values, columns in parts:
                block.write(block_values, rows, out[rows, columns])
        return out


def _check_lists(X: TableLike, **options: object) -> np.ndarray:
    """Check rows that are lists, and convert them to an array."""
    try:
        return check_array(X, **options)
    except ValueError as error:
        cells = np.asarray(X, dtype=object)
        nested = [cell for cell in cells.ravel() if isinstance(cell, list | tuple)]
        if cells.ndim != 2 or not nested:
            raise
        raise ValueError(
            f"expected one value per cell of X, got {nested[0]!r} in one. Spread the "
            "values over columns of their own."
        ) from error


def _keep_unparsable(
    column: Column, kind: str, rows: TrainingRows, is_unparsable: np.ndarray
) -> Column:
    """Return the text among numbers or dates, and warn of that of the training rows."""
    texts = column.data[rows.indices][is_unparsable]
    distinct = pd.unique(np.asarray(texts, dtype=object))
    some = format_list([text[:MAX_SHOWN] for text in distinct], most=3)
    read = {"numbers": "pd.to_numeric", "dates": "pd.to_datetime"}
    convert = f'{read[kind]}(column, errors="coerce")' if kind in read else "None"
    warnings.warn(
        f"{column.describe()} holds {kind}, but in {is_unparsable.mean():.1%} of its "
        f"rows other text: {some}. It counts as missing among the {kind}, and is "
        "encoded beside them. If it stands for missing values, replace it by "
        f"{convert}; if the {kind} are categories as well, name the column in the "
        "categorical_features of a TableEncoder.",
        UserWarning,
        stacklevel=2,
    )
    return column._replace(data=keep_unparsable(column.data, kind))


def _check_sparse(X: SparseMatrix) -> None:
    """Raise unless a CSR matrix holds real numbers, none of them missing."""
    if not is_plain_number(X.dtype) and X.dtype.kind != "b":
        raise TypeError(f"a sparse X must hold real numbers, got dtype {X.dtype}.")
    if X.dtype.kind == "f" and np.isnan(X.data).any():
        columns = np.unique(X.indices[np.isnan(X.data)])
        shown = ", ".join(f"x{place}" for place in columns[:5])
        raise ValueError(
            f"a sparse X must not hold NaN, but {len(columns)} columns do (the first: "
            f"{shown}); fill them in, or pass a dense X, where NaN counts as missing."
        )


def get_column_names(encoder: TableEncoder) -> list[Hashable]:
    """Return the names of the columns of X; x0, x1 and so on if it had none in fit."""
    return get_remembered_names(encoder) or check_feature_names_in(encoder).tolist()


def make_unique(names: Sequence[str]) -> list[str]:
    """Append a number to names that were there before."""
    taken = set(names)
    seen: set[str] = set()
    numbers: dict[str, int] = {}  # next number of a name: all lower ones are in use
    result = []
    for name in names:
        unique, number = name, numbers.get(name, 2)
        while unique in seen or (unique != name and unique in taken):
            unique, number = f"{name}_{number}", number + 1
        numbers[name] = number
        seen.add(unique)
        result.append(unique)
    return result
