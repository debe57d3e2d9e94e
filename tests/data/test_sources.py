"""Where rows come from: the same fit from memory and files, by name or by value."""

import gc
import os
import subprocess
import sys
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from sklearn.preprocessing import OneHotEncoder
from tasks import parameters

from skmlp import MLPSoftmaxClassifier
from skmlp.data import disk_matrix, parquet, sources
from skmlp.data.inputs import FittedInputs
from skmlp.data.prepare import ValidationData, prepare
from skmlp.data.sources import (
    MemorySource,
    ParquetSource,
    PartLabels,
    _merge_classes,
    open_source,
    resolve_columns,
    resolve_encoder_rows,
)

RNG = np.random.default_rng(0)
N_ROWS = 3000
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=N_ROWS),
        "town": pd.Series(RNG.choice(list("abcdef"), N_ROWS)).where(
            RNG.random(N_ROWS) > 0.1
        ),
        "day": pd.Timestamp("2024-01-01")
        + pd.to_timedelta(RNG.integers(300, size=N_ROWS), unit="D"),
        "code": [f"c{i}" for i in RNG.integers(200, size=N_ROWS)],
        "weight": RNG.integers(0, 4, N_ROWS).astype(float),
    }
)
SIGNAL = TABLE["size"] + (TABLE.town == "a") + RNG.logistic(size=N_ROWS) / 2
TABLE["label"] = np.select([SIGNAL < -0.5, SIGNAL < 0.5], ["low", "mid"], "high")
FEATURES = ["size", "town", "day", "code"]


def model(**given):
    settings = {"n_estimators": 2, "max_iter": 3, "random_state": 0} | given
    return MLPSoftmaxClassifier((16,), **settings)


@pytest.fixture
def folder(tmp_path):
    """The table in three files, the rows sorted by label."""
    folder = tmp_path / "table"
    folder.mkdir()
    rows = TABLE.sort_values("label", ignore_index=True)
    for start in range(0, N_ROWS, 1000):
        rows[start : start + 1000].to_parquet(folder / f"{start:04}.parquet")
    return folder


def in_parts(folder, columns=(*FEATURES, "label"), **given):
    """A fit of which the encoder sees 500 of 3000 rows, 200 of which come at a time."""
    return model(encoder_rows=500, **given).fit(
        ds.dataset(folder).replace_schema(
            pa.schema([ds.dataset(folder).schema.field(name) for name in columns])
        ),
        "label",
        "weight" if "weight" in columns else None,
    )


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_PIECE", 200)
    monkeypatch.setattr(disk_matrix, "BUCKET_BYTES", 1 << 14)


def same(a, b):
    return np.array_equal(a.parameters_, b.parameters_) and a.history_ == b.history_


# In memory


FRAMES = {
    "pandas": lambda table: table,
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
}


@pytest.mark.parametrize("library", FRAMES)
def test_labels_and_weights_by_name(library):
    frame = FRAMES[library](TABLE)
    expected = model().fit(TABLE[FEATURES], TABLE.label, TABLE.weight)
    assert same(model().fit(frame, "label", "weight"), expected)


def test_own_rows_by_name():
    train, own = TABLE[:2000], TABLE[2000:]
    expected = model().fit(
        train[FEATURES],
        train.label,
        X_val=own[FEATURES],
        y_val=own.label,
        sample_weight_val=own.weight,
    )
    by_name = model().fit(
        train[[*FEATURES, "label"]],
        "label",
        X_val=own,
        y_val="label",
        sample_weight_val="weight",
    )
    assert same(by_name, expected)


def test_the_caller_keeps_the_frame():
    before = TABLE.copy()
    model().fit(TABLE, "label", "weight")
    pd.testing.assert_frame_equal(TABLE, before)


@pytest.mark.parametrize(
    ("X_val", "y_val", "weight", "sentence"),
    [
        (TABLE, "lable", None, "y_val='lable' should name a column of X_val, but 0"),
        (TABLE, "label", "w", "sample_weight_val='w' should name a column of X_val"),
        (np.eye(3), "label", None, "y_val='label' names a column, but X_val is a ndar"),
        (np.eye(3), [], "w", "sample_weight_val='w' names a column, but X_val is a"),
    ],
)
def test_names_of_no_column_of_validation_rows(X_val, y_val, weight, sentence):
    with pytest.raises(ValueError, match=sentence):
        model().fit(TABLE, "label", X_val=X_val, y_val=y_val, sample_weight_val=weight)


def test_validation_rows_of_a_data_set_are_named(folder):
    for y_val, sentence in [
        ("lable", "y_val='lable' is no column of the data set"),
        (None, "X_val is a data set, of which y_val has to be the name of a column"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model().fit(TABLE, "label", X_val=folder, y_val=y_val)


@pytest.mark.parametrize(
    ("X", "y", "weight", "sentence"),
    [
        (TABLE, "lable", None, "y='lable' should name a column of X, but 0 of its"),
        (TABLE, "label", "w", "sample_weight='w' should name a column"),
        (TABLE.iloc[:, [0, 0]], "size", None, "2 of its columns have that name"),
        (np.eye(3), "label", None, "y='label' names a column, but X is a ndarray"),
        (pl.from_pandas(TABLE), "lable", None, "should name a column of X"),
    ],
)
def test_names_of_no_column(X, y, weight, sentence):
    with pytest.raises(ValueError, match=sentence):
        resolve_columns(X, y, weight)


# A data set that fits


@pytest.mark.parametrize("source", [str, ds.dataset, lambda f: pl.scan_parquet(f)])
def test_a_data_set_that_fits_is_the_table_bit_for_bit(source, folder):
    table = pd.read_parquet(folder)
    expected = model().fit(table[FEATURES], table.label, table.weight)
    found = model().fit(source(folder), "label", "weight")
    assert same(found, expected)
    assert_array_equal(found.feature_names_in_, FEATURES)


def test_as_many_rows_as_the_encoder_takes_still_fit(folder):
    given = parameters(encoder_rows=N_ROWS)
    with open_source(given, folder, "label", None) as source:
        assert isinstance(source, MemorySource)
    given.encoder_rows -= 1
    with open_source(given, folder, "label", None) as source:
        assert isinstance(source, ParquetSource)


def test_wide_tables_show_the_encoder_fewer_rows():
    assert resolve_encoder_rows(parameters(), 20) == 1_000_000
    assert resolve_encoder_rows(parameters(), 2000) == 10_000
    assert resolve_encoder_rows(parameters(encoder_rows=7), 2000) == 7


@pytest.mark.parametrize("label", [None, TABLE.label, 3])
def test_labels_of_a_data_set_have_a_name(label, folder):
    with pytest.raises(ValueError, match="y has to be the name of a column, got"):
        model().fit(folder, label)


# Beyond


def test_in_parts_it_learns_as_well_from_sorted_files_as_in_memory(folder):
    test = TABLE[FEATURES]
    settings = {"max_iter": 20, "n_estimators": 4}
    found = in_parts(folder, **settings)
    whole = model(**settings).fit(TABLE[FEATURES], TABLE.label)
    scores = [one.score(test, TABLE.label) for one in (found, whole)]
    assert scores[0] > scores[1] - 0.01
    assert found.n_features_in_ == 4
    assert found.engine_ == whole.engine_


def test_the_rows_are_all_there_once_with_their_labels(folder):
    """Of a network without hidden layers, known numbers come back from the file."""
    given = model(encoder_rows=500, preprocessing=None, early_stopping=True)
    table = pd.DataFrame({"x": np.arange(N_ROWS) / N_ROWS, "weight": TABLE.weight})
    table["label"] = np.arange(N_ROWS) % 3
    table.to_parquet(folder / "x.parquet")
    rng = np.random.default_rng(0)
    with open_source(given, folder / "x.parquet", "label", "weight") as source:
        source.read_targets(given)
        settings = sources.TrainConfig(**TINY)
        inputs = FittedInputs.of(given, is_fitted=False)
        nobodys = ValidationData(None, None, None)
        data = prepare(source, nobodys, given, settings, rng, inputs)
        samples, validation = data.samples, data.validation
        x = np.empty(samples.x.shape, samples.x.dtype)
        samples.x.read(0, x)
    numbers = np.rint(np.concatenate([x, validation.x])[:, 0] * N_ROWS).astype(int)
    counted = np.flatnonzero(TABLE.weight > 0)
    assert_array_equal(np.sort(numbers), counted)
    for part, rows in ((samples, x), (validation, validation.x)):
        number = np.rint(rows[:, 0] * N_ROWS).astype(int)
        assert_array_equal(part.y_encoded[0], number % 3)
        assert_array_equal(part.sample_weight[1], TABLE.weight[number])
    order = numbers[: len(x)]
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.1


TINY = {
    **dict.fromkeys(sources.TrainConfig._fields),
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_estimators": 2,
    "n_folds": 1,
}


def test_the_same_seed_gives_the_same_model(folder):
    assert same(in_parts(folder), in_parts(folder))
    assert not same(in_parts(folder), in_parts(folder, random_state=1))


def test_weights_and_classes_count(folder):
    columns = (*FEATURES, "label", "weight")
    weighed = in_parts(folder, columns, class_weight={"low": 1, "mid": 1, "high": 9})
    plain = in_parts(folder, columns)
    is_high = [np.mean(m.predict(TABLE[FEATURES]) == "high") for m in (weighed, plain)]
    assert is_high[0] > is_high[1] + 0.1
    balanced = in_parts(folder, class_weight="balanced")
    assert balanced.score(TABLE[FEATURES], TABLE.label) > 0.5


@pytest.mark.parametrize(
    "given",
    [
        {"shuffle": False},
        {"dtype": "float64"},
        {"solver": "lbfgs"},
        {"early_stopping": False},
        {"n_estimators": 1},
        {"solver": "sgd", "learning_rate_init": 0.05},
    ],
    ids=str,
)
def test_other_ways_to_train(given, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of epochs that were too few
        found = in_parts(folder, **given)
    assert found.score(TABLE[FEATURES], TABLE.label) > 0.55


def test_own_rows_beside_a_data_set(folder):
    found = model(encoder_rows=500).fit(
        folder, "label", X_val=folder / "0000.parquet", y_val="label"
    )
    assert len(found.validation_scores_) == found.n_iter_


def test_warm_start_goes_on_with_its_encoder(folder):
    found = in_parts(folder, warm_start=True)
    encoder, before = found.encoder_, found.parameters_.copy()
    again = found.fit(
        ds.dataset(folder).replace_schema(
            pa.schema(
                [ds.dataset(folder).schema.field(n) for n in (*FEATURES, "label")]
            )
        ),
        "label",
    )
    assert again.encoder_ is encoder
    assert not np.array_equal(again.parameters_, before)


def test_sparse_encodings_are_refused(folder):
    with pytest.raises(TypeError, match="preprocessing gives sparse rows"):
        in_parts(
            folder,
            ("town", "label"),
            preprocessing=OneHotEncoder(handle_unknown="ignore"),
        )


def test_labels_that_are_missing(folder):
    TABLE.assign(label=TABLE.label.where(TABLE["size"] > -2)).to_parquet(
        folder / "0000.parquet"
    )
    n_missing = int((TABLE["size"] <= -2).sum())
    sentence = f"^y has no label in {n_missing} rows"
    with pytest.raises(ValueError, match=sentence):
        in_parts(folder)
    with pytest.raises(ValueError, match=sentence):
        model().fit(folder, "label")
    fitted = model(max_iter=1).fit(TABLE[FEATURES], TABLE.label)
    with pytest.raises(ValueError, match=sentence):
        fitted.score(folder, "label")
    with pytest.raises(ValueError, match=f"^y_val has no label in {n_missing} rows"):
        model().fit(
            TABLE[FEATURES],
            TABLE.label,
            X_val=folder,
            y_val="label",
            sample_weight_val="weight",
        )


EXACT = {
    "decimals": [Decimal(2**53), Decimal(2**53 + 1), Decimal("0.5")],
    "int64": [2**53, 2**53 + 1, -1],
    "uint64": [2**63, 2**63 + 1, 2**53],
}


@pytest.mark.parametrize("encoder_rows", ["auto", 50])
@pytest.mark.parametrize("kind", EXACT)
def test_labels_and_ids_of_files_are_exact(kind, encoder_rows, tmp_path):
    y_encoded = np.arange(300) % 3
    values = np.array(EXACT[kind], dtype=object)[y_encoded]
    column = pa.array(values.tolist(), pa.uint64() if kind == "uint64" else None)
    table = pa.table({"id": column, "label": column})
    pq.write_table(table[:120], tmp_path / "a.parquet")
    pq.write_table(table[120:], tmp_path / "b.parquet")
    fitted = MLPSoftmaxClassifier(
        (),
        categorical_features=["id"],
        encoder_rows=encoder_rows,
        learning_rate_init=0.1,
        n_estimators=1,
        max_iter=20,
        random_state=0,
    ).fit(tmp_path, "label")
    assert fitted.classes_.tolist() == sorted(EXACT[kind])
    assert np.concatenate(list(fitted.predict(tmp_path))).tolist() == values.tolist()
    assert fitted.score(tmp_path, "label") == 1
    assert fitted.score(table, "label") == 1
    assert fitted.score(table.select(["id"]), values.tolist()) == 1


def test_labels_of_parts_of_other_types_are_compared_by_value():
    parts = [
        PartLabels.of(np.array([2**63 + 1, 5], np.uint64), None),
        PartLabels.of(np.array([-1, 5]), None),
        PartLabels.of(pd.Series([2**63, 5], dtype=object), None),
    ]
    labels = _merge_classes(parts)
    assert labels.tolist() == [-1, 5, 2**63, 2**63 + 1]
    assert [part.encode(labels).tolist() for part in parts] == [
        [3, 1],
        [0, 1],
        [2, 1],
    ]


def test_score_of_a_data_set_without_rows_is_an_error(tmp_path):
    TABLE[:0].to_parquet(tmp_path / "empty.parquet")
    fitted = model(max_iter=1).fit(TABLE[FEATURES], TABLE.label)
    with pytest.raises(ValueError, match="the data set has no rows"):
        fitted.score(tmp_path, "label")


def test_a_category_and_a_gap_in_one_file_only(folder):
    """What the encoder has not seen is rare, what is missing is as the median."""
    late = TABLE[:40].assign(town="only here", size=np.nan)
    late.to_parquet(folder / "late.parquet")
    assert in_parts(folder).score(TABLE[FEATURES], TABLE.label) > 0.55


def test_nothing_is_left_behind(folder, tmp_path, monkeypatch):
    """Neither after a fit nor after an error while rows are encoded."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(disk_matrix.tempfile, "tempdir", str(scratch))
    fitted = in_parts(folder)
    pieces = parquet.DataSet.pieces
    n_calls = []

    def broken(self, columns):
        n_calls.append(len(columns))
        for number, piece in enumerate(pieces(self, columns)):
            if number == 5 and len(n_calls) == 3:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(parquet.DataSet, "pieces", broken)
    before = vars(fitted).copy()
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(folder, "label")
    assert vars(fitted) == before
    gc.collect()
    assert list(scratch.iterdir()) == []
    if os.path.isdir("/proc/self/fd"):
        links = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        assert not [link for link in links if link.startswith(str(scratch))]


def test_a_fit_that_was_cut_off_goes_on(folder, tmp_path):
    settings = {"checkpoint": tmp_path / "fit.npz", "n_estimators": 2}
    whole = in_parts(folder, max_iter=4)

    class CutError(Exception):
        pass

    calls = []

    def scorer(estimator, X, y):
        calls.append(1)
        if len(calls) == 5:
            raise CutError
        return 0.0

    with pytest.raises(CutError):
        in_parts(folder, max_iter=4, scoring=scorer, **settings)
    calls.clear()
    calls += [1] * 5
    found = in_parts(folder, max_iter=4, scoring=scorer, **settings)
    assert len(calls) - 5 < 8
    assert found.n_iter_ == whole.n_iter_ == 4
    assert found.loss_curve_ == whole.loss_curve_
    (folder / "0000.parquet").touch()
    with pytest.raises(ValueError, match="of a fit with another X"):
        in_parts(folder, max_iter=4, scoring=scorer, **settings)


HELD = """
import resource, sys
from skmlp import MLPSoftmaxClassifier

def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

small, large = sys.argv[1:]
model = MLPSoftmaxClassifier(
    (8,),
    n_estimators=1,
    numeric_embedding=None,
    encoder_rows=5000,
    max_iter=1,
    early_stopping=False,
)
model.fit(small, "label")
for _ in model.predict_proba(small): pass
before = resident()
model.fit(large, "label")
for piece in model.predict_proba(large): assert len(piece) <= 1 << 17
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sizes of processes differ")
def test_memory_stays_far_below_the_size_of_the_table(tmp_path):
    """A million rows more are 200 MB as they come and 100 MB as float32.

    The smaller table is large enough for Arrow to hold as much as it ever does.
    """
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(50_000, 25))).add_prefix("x")
    table["label"] = rng.integers(2, size=50_000)
    for name, n_times in [("small", 8), ("large", 28)]:
        (tmp_path / name).mkdir()
        for number in range(n_times):
            table.to_parquet(tmp_path / name / f"{number}.parquet")
    result = subprocess.run(
        [sys.executable, "-c", HELD, tmp_path / "small", tmp_path / "large"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 80


def test_partial_fit_by_name():
    """The frame of each call has its labels and weights beside its columns."""
    by_name, by_value = model(), model()
    classes = ["high", "low", "mid"]
    for start in (0, 1500):
        part = TABLE[start : start + 1500]
        by_name.partial_fit(part, "label", classes, "weight")
        by_value.partial_fit(part[FEATURES], part.label, classes, part.weight)
    assert same(by_name, by_value)
