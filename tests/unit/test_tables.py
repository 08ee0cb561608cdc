import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iqadistill.errors import InputError
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table, embedding_matrix, embeddings_table, read_metadata, read_table, write_table


@pytest.fixture
def splits():
    return pd.DataFrame({"split": [0, 0], "image_id": ["a", "b"], "role": ["train", "test"]})


def test_written_table_is_read_back(tmp_path, splits):
    write_table(splits, tmp_path / "t.parquet", "splits")
    table = read_table(tmp_path / "t.parquet", "splits")
    assert table.schema.equals(SCHEMAS["splits"])
    pd.testing.assert_frame_equal(table.to_pandas(), splits.astype({"split": "int32"}), check_dtype=False)


def test_metadata_is_stored_in_the_file(tmp_path, splits):
    write_table(splits, tmp_path / "t.parquet", "splits", {"scores": "simulated"})
    facts = read_metadata(read_table(tmp_path / "t.parquet", "splits"))
    assert facts["scores"] == "simulated"
    assert facts["table"] == "splits" and facts["schema_version"] and facts["iqadistill_version"]


def test_missing_columns_become_null(splits):
    assert as_table(splits[["split", "image_id"]], "splits")["role"].null_count == 2


def test_unknown_column_is_refused(splits):
    with pytest.raises(InputError, match="rolle"):
        as_table(splits.rename(columns={"role": "rolle"}), "splits")


def test_table_of_other_kind_is_refused(tmp_path, splits):
    write_table(splits, tmp_path / "t.parquet", "splits")
    with pytest.raises(InputError, match=r"t\.parquet.*'splits'.*'images'"):
        read_table(tmp_path / "t.parquet", "images")


def test_table_of_other_schema_version_is_refused(tmp_path, splits):
    table = as_table(splits, "splits").replace_schema_metadata({"table": "splits", "schema_version": "0"})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet.*'0'"):
        read_table(tmp_path / "t.parquet", "splits")


def test_missing_and_truncated_files_are_refused(tmp_path, splits):
    with pytest.raises(InputError, match=r"none\.parquet"):
        read_table(tmp_path / "none.parquet", "splits")
    write_table(splits, tmp_path / "t.parquet", "splits")
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"t\.parquet"):
        read_table(tmp_path / "t.parquet", "splits")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_embeddings_keep_values_and_dtype(tmp_path, dtype):
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(dtype)
    write_table(embeddings_table(np.arange(5), list("aabbb"), vectors), tmp_path / "e.parquet", "embeddings")
    table = read_table(tmp_path / "e.parquet", "embeddings")
    assert table.schema.field("embedding").type == pa.list_(pa.from_numpy_dtype(dtype), 7)
    np.testing.assert_array_equal(embedding_matrix(table), vectors.astype("float32"))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_tables_of_every_kind_are_read_as_they_were_written(tmp_path, kind):
    table = pa.table([pa.nulls(2, field.type) for field in SCHEMAS[kind]], schema=SCHEMAS[kind])
    write_table(table, tmp_path / "t.parquet", kind, {"simulated": "yes"})
    assert read_table(tmp_path / "t.parquet", kind).equals(table)
    assert len(read_table(tmp_path / "t.parquet", kind, SCHEMAS[kind].names[:1])) == 2
