"""TableEncoder: chooses the kind of each column and owns the slices of the output."""

import warnings
from collections.abc import Hashable, Sequence
from functools import partial
from numbers import Integral
from typing import Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, assert_all_finite, check_random_state
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skmlp._parameter_validation import HintsMixin, to_plain
from skmlp._sklearn_compat import (
    Interval,
    InvalidParameterError,
    StrOptions,
    check_columns,
    check_feature_names_in,
    fit_context,
)
from skmlp._utils import restore_on_error
from skmlp.tabular.columns import (
    NUMERIC_COLUMNS,
    CategoricalBlock,
    Factorized,
    NumericColumn,
    RealColumn,
    factorize,
    infer_column_type,
    sorting_order,
)
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
from skmlp.tabular.labels import are_numbers, check_weights, read_labels
from skmlp.tabular.scaling import Numbers, SmoothScale
from skmlp.tabular.target_means import N_FOLDS, Target, TargetMeans, TrainingRows
from skmlp.tabular.text import (
    EncodedText,
    TextBlock,
    UniqueTexts,
    are_mostly_distinct,
    choose_analyzer,
)
from skmlp.tabular.text_parsing import is_text, keep_unparsable

BLOCK_OUT = 1 << 18
"""Cells of the matrix that are written at a time."""


LONGEST_SHOWN = 40
"""Characters of a text that a warning shows."""


class Reading(NamedTuple):
    """A table as numbers to be scaled, codes of its categories, and what text says."""

    n_rows: int
    numbers: Numbers
    codes: Sequence[np.ndarray]
    texts: Sequence[EncodedText]

    def rows(self, block: slice) -> "Reading":
        """Some of the rows."""
        numbers: Numbers
        if isinstance(self.numbers, np.ndarray):
            numbers = self.numbers[:, block]
        else:
            numbers = [column[block] for column in self.numbers]
        n_rows = min(block.stop, self.n_rows) - block.start
        codes = [column[block] for column in self.codes]
        texts = [told.rows(block) for told in self.texts]
        return Reading(n_rows, numbers, codes, texts)


class TrainingTable(NamedTuple):
    """What an encoder was fitted on: as it came, as it was read, and what it is of."""

    X: TableData
    reading: Reading
    target: Target | None
    weight: np.ndarray | None


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

    scale_: SmoothScale
    is_categorical_: np.ndarray
    n_features_in_: int
    _number_columns: list[NumericColumn]
    _category_columns: list[CategoricalBlock]
    _text_columns: list[TextBlock] = []  # as in encoders pickled before there were any
    _missing_of: np.ndarray
    _is_sparse: bool

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
        X, reading, target, weight = self._fit(X, y, sample_weight)
        if is_sparse(X):
            return self.scale_.encode_sparse(X, self.dtype)
        out = self._write(reading)
        if target is not None:
            for column, codes, part in self._category_slices(reading, out):
                for block, slot in column.slices(part):
                    if isinstance(block, TargetMeans):
                        block.write_held_out(codes, slot, target, weight)
        return out

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
        """Encode rows for the estimator that a user knows, which messages name.

        It must have learned the same columns.
        """
        check_is_fitted(self, "scale_")
        X = self._validate(X, owner)
        if is_sparse(X):
            if self._is_sparse:
                return self.scale_.encode_sparse(X, self.dtype)
            X = X.toarray()
        return self._write(self._read(X))

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
        behind: list[CategoricalBlock | TextBlock]
        behind = [*self._category_columns, *self._text_columns]
        parts = [
            (column.position, part)
            for column in self._number_columns
            for part in column.parts
        ]
        names = [f"{inputs[place]}_{part}".removesuffix("_") for place, part in parts]
        names += [f"{inputs[parts[place][0]]}_missing" for place in self._missing_of]
        names += [
            f"{inputs[column.position]}_{label}"
            for column in behind
            for label in column.labels
        ]
        return np.array(make_unique(names), dtype=object)

    @property
    def n_features_out_(self) -> int:
        """Number of columns of the matrix."""
        widths = [len(column.labels) for column in self._category_columns]
        n_numbers = len(self.scale_.center) + len(self._missing_of)
        return n_numbers + sum(widths) + self._text_width()

    @property
    def n_numbers_(self) -> int:
        """Number of columns of the matrix, its first ones, that are scaled numbers."""
        return len(self.scale_.center)

    @property
    def categories_(self) -> list[np.ndarray]:
        """The values of each categorical column."""
        return [column.known.to_numpy() for column in self._category_columns]

    def columns_without_use(self) -> list[Hashable]:
        """The columns that the training rows had no two different values of.

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
        widths = [len(column.parts) for column in self._number_columns]
        firsts = np.cumsum([0, *widths])[:-1].astype(np.intp)
        has_use = ~self.scale_.is_constant
        odd = self._odd_columns()
        places = [
            column.position
            for column, first, width in zip(
                self._number_columns, firsts, widths, strict=True
            )
            if not has_use[first : first + width].any() and column.position not in odd
        ]
        places += [
            column.position for column in self._category_columns if column.n_codes < 2
        ]
        names = get_column_names(self)
        return [names[place] for place in sorted(places)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        # columns of a sparse matrix are numbers
        tags.input_tags.sparse = self._no_column_is_named()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _validate(self, X: TableLike, owner: BaseEstimator | None = None) -> TableData:
        """X as a table, a 2-D array or a CSR matrix; with the columns of fit.

        `owner` is the estimator that messages name; None to learn the columns.
        """
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
            X = read_rows(X, partial(array_of_lists, **options))
        X = check_array(X, input_name="X", **options)
        check_columns(owner or self, X, reset=owner is None)
        if is_sparse(X):
            check_sparse(X)
        return X

    def _hint_on_order(self, names: pd.DataFrame) -> str:
        """What to add to an error about columns that only come in another order."""
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
    ) -> "TrainingTable":
        """Learn, and return the table as it was read on the way."""
        check_not_lazy(y=y, sample_weight=sample_weight)
        X = self._validate(X)
        weight = None
        if sample_weight is not None:
            weight = check_weights(sample_weight, X.shape[0])
        rows = TrainingRows.from_weight(weight)
        rng = check_random_state(to_plain(self.random_state))
        target = None if y is None else self._target(y, X, rng)
        is_forced = self._forced_categories()
        self._is_sparse = is_sparse(X)
        if is_sparse(X):
            self._fit_sparse(X, rows, is_forced)
            return TrainingTable(X, Reading(X.shape[0], [], [], []), None, weight)
        reading = self._fit_columns(X, rows, target, rng, is_forced)
        return TrainingTable(X, reading, target, weight)

    def _fit_columns(
        self,
        X: Dense,
        rows: TrainingRows,
        target: Target | None,
        rng: np.random.RandomState,
        is_forced: np.ndarray,
    ) -> Reading:
        """Learn from each column, and return all as they were read on the way."""
        self._number_columns, self._category_columns = [], []
        self._text_columns = []
        self.is_categorical_ = is_forced.copy()
        numbers: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        texts: list[EncodedText] = []
        for column in read_columns(X, set(np.flatnonzero(is_forced))):
            kind, found = "categories", None
            if not is_forced[column.position]:
                counted = column._replace(data=column.data[rows.indices])
                if is_text(counted.data):
                    found = factorize(column)
                kind = infer_column_type(
                    counted, self.read_text, found and found.rows(rows)
                )
            if kind in NUMERIC_COLUMNS:
                reader = NUMERIC_COLUMNS[kind](column.position)
                arrays = reader.fit(column, rows)
                numbers += arrays
                self._number_columns.append(reader)
                is_odd = reader.odd_texts(counted, arrays[0][rows.indices])
                if not is_odd.any():
                    continue
                warn_of_odd_text(counted, kind, is_odd)
                column = odd_part(column, kind)
                found = factorize(column)
            is_told = found is not None and self._fit_text(
                column, found, rows, target, rng, texts
            )
            if not is_told:
                found = found or factorize(column)
                codes.append(self._fit_categories(column, found, rows, target))
        # one by one: a copy of all columns would double the memory that fit needs
        counted_numbers = (column[rows.indices] for column in numbers)
        self.scale_ = SmoothScale().fit(counted_numbers, rows.weight)
        self._missing_of = self._with_indicator(self.scale_.has_missing)
        matrix = read_matrix(X) if self._all_plain() else None
        all_numbers = numbers if matrix is None else matrix.T
        return Reading(X.shape[0], all_numbers, codes, texts)

    def _fit_text(
        self,
        column: Column,
        found: Factorized,
        rows: TrainingRows,
        target: Target | None,
        rng: np.random.RandomState,
        read: list[EncodedText],
    ) -> bool:
        """Learn what text says, if it has enough to say, and add that to `read`.

        Returns whether that is all there is to know, so that categories are of no use.
        """
        texts = UniqueTexts.of(found.codes, found.distinct)
        different = texts.different(rows)
        if len(different) <= self.max_categories:
            return False
        n_rows = texts.n_rows(rows)[:-1].sum()
        unit = choose_analyzer(different, n_rows, self.split_names)
        if unit is None:
            return False
        fitted = TextBlock(column.position, unit)
        own_target = target if self.text_odds else None
        told = fitted.fit(texts, rows, own_target, int(self.text_components or 0), rng)
        if not fitted.labels:
            return False
        fitted.drop_noise(told, own_target, rows)
        self._text_columns.append(fitted)
        read.append(told)
        return are_mostly_distinct(different, n_rows)

    def _fit_categories(
        self,
        column: Column,
        found: Factorized,
        rows: TrainingRows,
        target: Target | None,
    ) -> np.ndarray:
        self.is_categorical_[column.position] = True
        fitted = CategoricalBlock(
            column.position, int(self.max_categories), int(self.min_frequency)
        )
        self._category_columns.append(fitted)
        codes = fitted.fit(column, found, rows, target)
        # many columns are kept until the width of the matrix is known
        return codes.astype(np.min_scalar_type(fitted.n_codes))

    def _fit_sparse(
        self, X: SparseMatrix, rows: TrainingRows, is_forced: np.ndarray
    ) -> None:
        if is_forced.any():
            raise ValueError(
                "categorical_features names columns of a sparse matrix, whose columns "
                "are all numbers; pass a dense table, or leave categorical_features "
                'at "from_dtype".'
            )
        n_features = X.shape[1]
        self.scale_ = SmoothScale().fit_sparse(X[rows.indices].tocsc(), rows.weight)
        self.is_categorical_ = is_forced
        self._number_columns = [RealColumn(place) for place in range(n_features)]
        self._category_columns, self._text_columns = [], []
        self._missing_of = np.array([], dtype=np.intp)

    def _target(
        self, y: ArrayLike, X: TableData, rng: np.random.RandomState
    ) -> Target | None:
        """What means and odds are of; None where there would be too many."""
        given = column_or_1d(read_labels(y))
        check_consistent_length(X, given)
        folds = rng.permutation(len(given)) % N_FOLDS
        if given.dtype == object and are_numbers(given):
            # large integers are classes, which float64 would merge
            is_whole = all(isinstance(value, Integral) for value in given)
            given = given if is_whole else given.astype(np.float64)
        if given.dtype.kind == "f":
            assert_all_finite(given, input_name="y")
            if (given != np.rint(given)).any():
                return Target(given.astype(np.float64), folds=folds)
        codes, labels = factorize(Column(0, "y", given))
        if len(labels) > self.max_categories:
            return None
        order = sorting_order(labels)
        names = [str(label) for label in labels[order]]
        return Target(np.argsort(order)[codes], names, folds)

    def _no_column_is_named(self) -> bool:
        given = self.categorical_features
        return given is None or isinstance(given, str)

    def _forced_categories(self) -> np.ndarray:
        """Mask of the columns that `categorical_features` names."""
        n_features = self.n_features_in_
        mask = np.zeros(n_features, dtype=bool)
        if self._no_column_is_named():
            return mask
        given = np.asarray(self.categorical_features)
        if given.dtype.kind in "OT":  # truth values as objects, StringDType
            given = np.asarray(given.tolist())
        if given.ndim != 1:
            raise InvalidParameterError(
                "categorical_features must be a list of columns, got "
                f"{self.categorical_features!r}. Pass a mask, indices or names."
            )
        if given.size == 0:
            return mask
        if given.dtype.kind == "b":
            if given.shape != (n_features,):
                raise ValueError(
                    f"categorical_features is a mask of shape {given.shape}, but X "
                    f"has {n_features} columns; give one truth value per column."
                )
            return given.copy()
        if given.dtype.kind in "iu":
            outside = given[(given < 0) | (given >= n_features)]
            if len(outside):
                raise ValueError(
                    f"categorical_features has the indices {outside.tolist()}, but X "
                    f"has {n_features} columns; give indices from 0 to "
                    f"{n_features - 1}."
                )
            mask[given] = True
            return mask
        return self._named_categories(given, mask)

    def _named_categories(self, given: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if not all(isinstance(name, str) for name in given.ravel()):
            raise ValueError(
                "categorical_features must be a mask, indices or names, got "
                f"{self.categorical_features!r}."
            )
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            raise ValueError(
                f"categorical_features names {given.tolist()}, but the columns of X "
                "have no names; give indices, or pass a table with names."
            )
        unknown = sorted(set(given.tolist()) - set(names.tolist()))
        if unknown:
            raise ValueError(
                f"categorical_features names {unknown}, which are no columns of X."
            )
        return np.isin(names.astype(str), given.astype(str))

    def _with_indicator(self, has_missing: np.ndarray) -> np.ndarray:
        """Places of the numbers whose missingness is shown: one per column."""
        widths = [len(column.parts) for column in self._number_columns]
        firsts = np.cumsum([0, *widths])[:-1].astype(np.intp)
        return firsts[has_missing[firsts]]

    def _all_plain(self) -> bool:
        """Whether the table was nothing but columns of numbers."""
        return not (self._category_columns or self._text_columns) and all(
            isinstance(column, RealColumn) for column in self._number_columns
        )

    def _read(self, X: Dense) -> Reading:
        """The columns as `fit` learnt to read them."""
        if self._all_plain():
            matrix = read_matrix(X)
            if matrix is not None:
                return Reading(X.shape[0], matrix.T, [], [])
        exact = {fitted.position for fitted in self._category_columns}
        columns = read_columns(X, exact)
        numbers: list[np.ndarray] = []
        for reader in self._number_columns:
            numbers += reader.read(columns[reader.position])
        for place, kind in self._odd_columns().items():
            columns[place] = odd_part(columns[place], kind)
        codes = []
        for fitted in self._category_columns:
            column = columns[fitted.position]
            codes.append(fitted.codes(column, factorize(column)))
        texts = [fitted.read(columns[fitted.position]) for fitted in self._text_columns]
        return Reading(X.shape[0], numbers, codes, texts)

    def _odd_columns(self) -> dict[int, str]:
        """Kinds, by position, of columns whose other text is encoded beside them."""
        beside = {
            column.position
            for columns in (self._category_columns, self._text_columns)
            for column in columns
        }
        return {
            column.position: column.kind
            for column in self._number_columns
            if column.position in beside
        }

    def _write(self, reading: Reading) -> np.ndarray:
        """The matrix: numbers, where they are missing, and categories."""
        width = self.n_features_out_
        out = np.zeros((reading.n_rows, width), dtype=self.dtype)
        # all columns of some rows, while they are in the cache: 1.5 times as fast
        size = max(256, BLOCK_OUT // max(width, 1))
        for start in range(0, reading.n_rows, size):
            block = slice(start, start + size)
            self._write_rows(reading.rows(block), out[block])
        return out

    def _write_rows(self, reading: Reading, out: np.ndarray) -> None:
        n_numbers = len(self.scale_.center)
        behind = n_numbers + len(self._missing_of)
        if n_numbers:
            numbers, missing = out[:, :n_numbers], out[:, n_numbers:behind]
            self.scale_.write(reading.numbers, numbers, self._missing_of, missing)
        for column, codes, part in self._category_slices(reading, out):
            column.write(codes, part)
        start = out.shape[1] - self._text_width()
        for told in reading.texts:
            stop = start + told.table.shape[1]
            told.write(out[:, start:stop])
            start = stop

    def _text_width(self) -> int:
        return sum(len(column.labels) for column in self._text_columns)

    def _category_slices(
        self, reading: Reading, out: np.ndarray
    ) -> list[tuple[CategoricalBlock, np.ndarray, np.ndarray]]:
        """Each categorical column with its codes and its slice of the matrix."""
        slices = []
        start = len(self.scale_.center) + len(self._missing_of)
        for column, codes in zip(self._category_columns, reading.codes, strict=True):
            stop = start + len(column.labels)
            slices.append((column, codes, out[:, start:stop]))
            start = stop
        return slices


def array_of_lists(X: TableLike, **options: object) -> np.ndarray:
    """Check rows that are lists, and return them as an array."""
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


def odd_part(column: Column, kind: str) -> Column:
    """The text of a column that can't be read as its kind; the rest is missing."""
    return column._replace(data=keep_unparsable(column.data, kind))


def warn_of_odd_text(column: Column, kind: str, is_odd: np.ndarray) -> None:
    """Warn of text that is encoded beside the numbers or dates of a column."""
    texts = pd.unique(np.asarray(column.data[is_odd], dtype=object))
    some = format_list([text[:LONGEST_SHOWN] for text in texts], most=3)
    read = {"numbers": "pd.to_numeric", "dates": "pd.to_datetime"}
    convert = f'{read[kind]}(column, errors="coerce")' if kind in read else "None"
    warnings.warn(
        f"{column.describe()} holds {kind}, but in {is_odd.mean():.1%} of its rows "
        f"other text: {some}. It counts as missing among the {kind}, and is encoded "
        f"beside them. If it stands for missing values, replace it by {convert}; if "
        f"the {kind} are categories as well, name the column in the "
        "categorical_features of a TableEncoder.",
        UserWarning,
        stacklevel=2,
    )


def check_sparse(X: SparseMatrix) -> None:
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
    """Names of the columns of X; x0, x1 and so on where it had none in `fit`."""
    return get_remembered_names(encoder) or check_feature_names_in(encoder).tolist()


def make_unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that were there before."""
    taken = set(names)
    seen: set[str] = set()
    numbers: dict[str, int] = {}  # all lower ones are in use
    result = []
    for name in names:
        unique, number = name, numbers.get(name, 2)
        while unique in seen or (unique != name and unique in taken):
            unique, number = f"{name}_{number}", number + 1
        numbers[name] = number
        seen.add(unique)
        result.append(unique)
    return result
