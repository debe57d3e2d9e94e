"""Data sets on disk: which columns there are, and all rows, a piece at a time."""

import sys
import tempfile
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from skmlp.data import parquet
from skmlp.data.parquet import DataSet, is_data_set

TABLE = pd.DataFrame(
    {
        "number": np.arange(20) / 4,
        "name": [f"name {i % 3}" for i in range(20)],
        "label": ["yes", "no"] * 10,
    }
)


@pytest.fixture
def folder(tmp_path):
    """The table in two Parquet files."""
    TABLE[:12].to_parquet(tmp_path / "a.parquet", index=False)
    TABLE[12:].to_parquet(tmp_path / "b.parquet", index=False)
    return tmp_path


def all_rows(data_set, columns=None):
    pieces = list(data_set.pieces(columns or data_set.columns))
    return pa.concat_tables(pieces).to_pandas()


def test_what_is_a_data_set(folder):
    for given in (folder, str(folder), ds.dataset(folder), pl.LazyFrame(TABLE)):
        assert is_data_set(given)
    for given in (TABLE, TABLE.to_numpy(), [[1.0]], pa.table(TABLE), pl.DataFrame()):
        assert not is_data_set(given)


SOURCES = {
    "folder": lambda path: path,
    "text": str,
    "file": lambda path: TABLE.to_parquet(path / "c.pq") or path / "c.pq",
    "data set": ds.dataset,
    "in memory": lambda path: ds.dataset(pa.table(TABLE)),
    "query": lambda path: pl.scan_parquet(path / "*.parquet").filter(pl.lit(True)),
    "filtered": lambda path: ds.dataset(path).filter(ds.field("number") >= 0),
    "csv": lambda path: (
        TABLE.to_csv(path / "c.csv", index=False)
        or ds.dataset(path / "c.csv", format="csv")
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_all_rows_come_in_order(source, folder):
    with DataSet(SOURCES[source](folder)) as data_set:
        assert data_set.columns == list(TABLE)
        assert data_set.n_rows == len(TABLE)
        pd.testing.assert_frame_equal(all_rows(data_set), TABLE)
        pd.testing.assert_frame_equal(
            data_set.table(["name"]).to_pandas(), TABLE[["name"]]
        )


def test_rows_come_in_pieces(folder, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_PIECE", 5)
    pieces = list(DataSet(folder).pieces(["number"]))
    # 12 and 8 rows, in batches of at most 5, put together to at least 5
    assert [len(piece) for piece in pieces] == [5, 5, 7, 3]
    assert pa.concat_tables(pieces)["number"].to_pylist() == TABLE.number.tolist()


def test_row_groups_are_read_one_by_one(folder):
    """Since Arrow would read ahead as much as it can."""
    table = pa.table({"x": np.arange(600_000.0)})
    path = folder / "x.parquet"
    pq.write_table(table, path, row_group_size=60_000)
    held = []
    for _ in DataSet(path).pieces(["x"]):
        time.sleep(0.01)  # for those who would run ahead
        held.append(pa.total_allocated_bytes() - table.nbytes)
    assert max(held) < table.nbytes / 2


def test_some_rows(folder):
    wanted = np.arange(20) % 3 == 1
    found = DataSet(folder).rows(["number"], wanted)
    assert found["number"].to_pylist() == TABLE.number[wanted].tolist()


def test_what_pandas_calls_its_index_is_no_column(tmp_path):
    path = tmp_path / "x.parquet"
    TABLE.set_index(TABLE.index**2).to_parquet(path)
    assert "__index_level_0__" in pq.read_schema(path).names
    assert DataSet(path).columns == list(TABLE)
    TABLE.set_index("name").to_parquet(path)
    assert DataSet(path).columns == ["number", "label"]


def test_folders_that_say_the_value_of_a_column(tmp_path):
    pq.write_to_dataset(pa.table(TABLE), tmp_path, partition_cols=["label"])
    data_set = DataSet(tmp_path)
    assert set(data_set.columns) == set(TABLE)
    assert all_rows(data_set).label.astype(str).value_counts().tolist() == [10, 10]


def test_numbers_that_are_whole_in_one_file_only(tmp_path):
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"x": [0.5]}).to_parquet(tmp_path / "b.parquet")
    for source in (tmp_path, ds.dataset(tmp_path)):
        assert all_rows(DataSet(source)).x.tolist() == [1.0, 2.0, 0.5]


def test_a_column_that_is_all_missing_in_one_file(tmp_path):
    pd.DataFrame({"x": [None, None]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"x": ["text"]}).to_parquet(tmp_path / "b.parquet")
    assert all_rows(DataSet(tmp_path)).x.isna().tolist() == [True, True, False]


def test_a_column_that_one_file_lacks(tmp_path):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"x": [2.0], "z": [3.0]}).to_parquet(tmp_path / "b.parquet")
    assert DataSet(tmp_path).columns == ["x", "z"]
    # whoever makes a data set of pyarrow says by that which columns there are
    assert DataSet(ds.dataset(tmp_path)).columns == ["x"]


def test_types_that_have_none_in_common(tmp_path):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"x": ["one"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"none in common: .*x.*; write them anew"):
        DataSet(tmp_path)


def test_columns_of_the_same_name(tmp_path):
    table = pa.table([[1.0], [2.0]], names=["x", "x"])
    with pytest.raises(ValueError, match=r"several columns of the names \['x'\]"):
        DataSet(ds.dataset(table))
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="duplicate field names"):
        DataSet(tmp_path / "a.parquet")


def test_files_of_another_kind(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"can't be read as Parquet.*pyarrow\.dataset"):
        DataSet(tmp_path / "table.csv")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="there is no Parquet file in"):
        DataSet(tmp_path)


def test_no_such_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        DataSet(tmp_path / "nowhere")


def test_a_column_that_is_not_there(folder):
    with pytest.raises(ValueError, match="y='lable' is no column of the data set"):
        DataSet(folder).check_column("lable", "y")


def test_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'skmlp\[parquet\]'"):
        DataSet("table.parquet")


def test_told_apart_by_names_sizes_and_times(folder):
    before = DataSet(folder).fingerprint()
    assert before == DataSet(str(folder)).fingerprint()
    path = folder / "b.parquet"
    path.write_bytes(path.read_bytes())
    assert DataSet(folder).fingerprint() != before


@pytest.mark.parametrize("source", ["query", "in memory"])
def test_what_has_no_files_can_not_be_told_apart(source, folder):
    with (
        DataSet(SOURCES[source](folder)) as data_set,
        pytest.raises(TypeError, match="write it to Parquet and pass the path"),
    ):
        data_set.fingerprint()


def test_the_outcome_of_a_query_is_removed(folder, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with DataSet(pl.scan_parquet(folder / "*.parquet")) as data_set:
        assert len(list(scratch.rglob("*.parquet"))) == 1
        assert data_set.n_rows == 20
    assert list(scratch.iterdir()) == []
