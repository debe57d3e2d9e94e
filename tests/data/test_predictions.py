"""Predictions for data sets: those for the same rows in memory."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from networks import assert_same_predictions
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris

from skmlp import MLPSoftmaxClassifier
from skmlp.data import parquet, predictions

X, Y = load_iris(return_X_y=True, as_frame=True)
X = X.set_axis(["a", "b", "c", "d"], axis=1)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
MODEL = MLPSoftmaxClassifier((8,), n_estimators=1, max_iter=5, random_state=0)
MODEL.fit(X, NAMES)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Iris with its labels and a key in front, read 40 rows at a time."""
    monkeypatch.setattr(parquet, "ROWS_PER_PIECE", 40)
    path = tmp_path / "iris.parquet"
    frame = X[["d", "a", "b", "c"]].assign(label=NAMES)
    frame.insert(0, "key", np.arange(150) * 10)
    frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba", "predict"])
@pytest.mark.parametrize("source", [str, ds.dataset, pl.scan_parquet])
def test_pieces_are_those_of_the_whole(method, source, path):
    pieces = list(getattr(MODEL, method)(source(path)))
    assert [len(piece) for piece in pieces] == [40, 40, 40, 30]
    assert_same_predictions(np.concatenate(pieces), getattr(MODEL, method)(X))


def test_score_by_the_name_of_a_column(path):
    expected = MODEL.score(X, NAMES)
    assert MODEL.score(path, "label") == expected
    assert MODEL.score(X.assign(label=NAMES), "label") == expected
    assert MODEL.score(path, "label", "key") == MODEL.score(
        X, NAMES, np.arange(150) * 10
    )


def test_written_to_parquet(path, tmp_path):
    MODEL.predict_to_parquet(path, tmp_path / "out", keep=["key", "d"])
    found = pd.read_parquet(tmp_path / "out")
    probabilities = [f"probability_{name}" for name in MODEL.classes_]
    assert found.columns.tolist() == ["key", "d", "predicted", *probabilities]
    assert_array_equal(found.key, np.arange(150) * 10)
    assert_array_equal(found.d, X.d)
    assert_array_equal(found.predicted, MODEL.predict(X))
    assert_same_predictions(found[probabilities], MODEL.predict_proba(X))


def test_a_model_without_names_takes_all_columns(tmp_path):
    model = MLPSoftmaxClassifier((8,), n_estimators=1, max_iter=2).fit(X.to_numpy(), Y)
    X.to_parquet(tmp_path / "x.parquet")
    found = np.concatenate(list(model.predict(tmp_path / "x.parquet")))
    assert_array_equal(found, model.predict(X.to_numpy()))
    X.assign(e=1.0).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"has 5 columns, .* 4 columns without names"):
        model.predict(tmp_path / "x.parquet")


def test_columns_that_are_missing(path, tmp_path):
    X[["a", "c"]].to_parquet(path)
    with pytest.raises(ValueError, match=r"lacks columns .*: \['b', 'd'\]; it has"):
        MODEL.predict_proba(path)
    target = tmp_path / "out"
    with pytest.raises(ValueError, match="lacks columns"):
        MODEL.predict_to_parquet(path, target)
    assert not target.exists()


def test_what_can_not_be_kept(path, tmp_path):
    with pytest.raises(ValueError, match="keep='kye' is no column"):
        MODEL.predict_to_parquet(path, tmp_path / "out", keep=["kye"])
    X.assign(predicted=1).to_parquet(path)
    with pytest.raises(ValueError, match=r"keep names \['predicted'\]"):
        MODEL.predict_to_parquet(path, tmp_path / "out", keep=["predicted"])


def test_rows_in_memory_are_for_predict_proba(tmp_path):
    with pytest.raises(TypeError, match="got DataFrame; use predict_proba"):
        MODEL.predict_to_parquet(X, tmp_path / "out")


def test_a_file_is_there_in_full_or_as_before(path, tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"before")

    def pieces():
        yield pq.read_table(path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predictions.write_parquet(target, pieces())
    with pytest.raises(ValueError, match="no rows"):
        predictions.write_parquet(target, [])
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == sorted([path, target])


LARGE = 2**53


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([Decimal("1.5"), Decimal("22.25")], [Decimal("1.5"), Decimal("22.25")]),
        ([LARGE, LARGE + 1], [LARGE, LARGE + 1]),
        ([2**70, 1], [str(2**70), "1"]),
        ([Fraction(1, 2), Fraction(1, 3)], ["1/2", "1/3"]),
        ([True, False], [True, False]),
    ],
    ids=str,
)
def test_predicted_labels_have_one_type_in_all_pieces(
    labels, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(parquet, "ROWS_PER_PIECE", 40)
    rows = pd.DataFrame({"x": np.repeat([0.0, 1.0], 60)})
    rows.to_parquet(tmp_path / "rows")
    model = MLPSoftmaxClassifier((), n_estimators=1, max_iter=20, random_state=0)
    model.set_params(learning_rate_init=0.1).fit(
        rows, [labels[0]] * 60 + labels[1:] * 60
    )
    model.predict_to_parquet(tmp_path / "rows", tmp_path / "predicted")
    predicted = pq.read_table(tmp_path / "predicted")["predicted"].to_pylist()
    assert predicted == [expected[0]] * 60 + [expected[1]] * 60


@pytest.mark.parametrize(
    "ids",
    [
        [LARGE, LARGE + 1, LARGE + 2, LARGE + 3],
        [LARGE, LARGE + 1, None, 5],
        [Decimal(LARGE), Decimal(LARGE + 1), None, Decimal("0.5")],
    ],
    ids=["integers", "integers and missing", "decimals"],
)
def test_ids_stay_exact_where_the_model_knows_no_names(ids, tmp_path):
    rows = pa.table({"id": ids * 20, "x": [0.5, 1.5] * 40})
    pq.write_table(rows, tmp_path / "rows")
    as_array = np.array([rows["id"].to_pylist(), rows["x"].to_pylist()], dtype=object).T
    model = MLPSoftmaxClassifier(
        (), categorical_features=[0], n_estimators=1, max_iter=20, random_state=0
    )
    model.set_params(learning_rate_init=0.1).fit(as_array, [0, 1, 2, 3] * 20)
    (predicted,) = model.predict(tmp_path / "rows")
    assert predicted.tolist() == [0, 1, 2, 3] * 20
