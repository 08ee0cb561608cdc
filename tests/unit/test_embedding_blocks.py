"""Embeddings in blocks, from memory and from Parquet files."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iqadistill.embedding_blocks import EmbeddingFile, HeldEmbeddings, ScaledEmbeddings, largest_magnitude, take_rows
from iqadistill.errors import InputError
from iqadistill.tables import embeddings_table, write_table

X = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float16)
NAMES = [f"{number}.png" for number in range(50)]


def written(path, vectors=X, names=NAMES, **options):
    """A file of embeddings."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(vectors).reshape(-1)), vectors.shape[1])
    pq.write_table(pa.table({"image_id": names, "embedding": column}), path, **options)
    return path


@pytest.mark.parametrize("rows", [1, 7, 50, 4096])
@pytest.mark.parametrize("row_group_size", [3, 50])
def test_blocks_are_the_rows_of_the_file_in_their_type_and_order(tmp_path, rows, row_group_size):
    file = EmbeddingFile(written(tmp_path / "x.parquet", row_group_size=row_group_size), rows)
    blocks = list(file.blocks())
    assert file.shape == (50, 8) and max(map(len, blocks)) <= rows and file.names() == NAMES
    for blocks in (file.blocks(), file.held().blocks()):
        found = np.concatenate(list(blocks))
        np.testing.assert_array_equal(found, X)
        assert found.dtype == np.float16
    np.testing.assert_array_equal(take_rows(file, np.array([0, 7, 8, 49])), X[[0, 7, 8, 49]])


def test_embeddings_tables_of_a_study_are_read(tmp_path):
    write_table(embeddings_table(np.arange(50), NAMES, X), tmp_path / "x.parquet", "embeddings")
    np.testing.assert_array_equal(EmbeddingFile(tmp_path / "x.parquet").held().matrix, X)


def test_lists_without_a_fixed_length_and_wider_numbers_are_read(tmp_path):
    pq.write_table(pa.table({"image_id": ["a", "b"], "embedding": [[1.0, 2.0], [3.0, 4.0]]}), tmp_path / "x.parquet")
    assert EmbeddingFile(tmp_path / "x.parquet").held().matrix.tolist() == [[1, 2], [3, 4]]


def test_files_too_large_for_memory_are_read_at_every_pass(tmp_path):
    file = EmbeddingFile(written(tmp_path / "x.parquet"))
    assert isinstance(file.held_within(X.nbytes), HeldEmbeddings)
    assert file.held_within(X.nbytes - 1) is file


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": ["a"], "embedding": [[1.0]]}, "no column 'image_id' but"),
        ({"image_id": ["a"]}, "no column 'embedding'"),
        ({"image_id": ["a"], "embedding": [1.0]}, "column embedding holds double, expected a list"),
        ({"image_id": ["a"], "embedding": [["x"]]}, "column embedding holds list"),
        ({"image_id": ["a"], "embedding": pa.array([[]], pa.list_(pa.float32()))}, "the first embedding is empty"),
        (
            {"image_id": ["a", "b"], "embedding": [[1.0, 2.0], [1.0]]},
            "rows 0 to 1: an embedding is missing or has other",
        ),
        (
            {"image_id": ["a", "b", "c"], "embedding": [[1.0, 2.0], [1.0], [1.0, 2.0, 3.0]]},
            "rows 0 to 2: an embedding is missing or has other",
        ),
        ({"image_id": [["a"]], "embedding": [[1.0]]}, "column image_id holds list"),
        ({"image_id": ["a", "b"], "embedding": [[1.0], None]}, "rows 0 to 1: an embedding is missing"),
        ({"image_id": ["a", "a"], "embedding": [[1.0], [2.0]]}, "row 1: image 'a' occurs twice"),
        ({"image_id": ["a", None], "embedding": [[1.0], [2.0]]}, "row 1: has no name"),
        ({"image_id": pa.array([], pa.string()), "embedding": pa.array([], pa.list_(pa.float32()))}, "no embedding"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=message):
        file = EmbeddingFile(tmp_path / "x.parquet")
        file.names()
        file.held()


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        EmbeddingFile(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"anything else")
    with pytest.raises(InputError, match="neither a folder nor a Parquet file"):
        EmbeddingFile(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(InputError, match="a damaged Parquet file"):
        EmbeddingFile(tmp_path / "x.parquet")
    data = bytearray(written(tmp_path / "y.parquet", write_page_checksum=True, use_dictionary=False).read_bytes())
    place = data.find(X.tobytes()[:6])
    data[max(place, 600)] ^= 255
    (tmp_path / "y.parquet").write_bytes(data)
    with pytest.raises(InputError, match="a damaged Parquet file"):
        EmbeddingFile(tmp_path / "y.parquet").held()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_magnitude_and_the_row_without_one(dtype):
    X = np.array([[1, -3], [2, 2]], dtype)
    assert largest_magnitude(X, 40) == 3
    for wrong in (np.nan, -np.inf):
        X[1, 1] = wrong
        with pytest.raises(InputError, match="row 41 holds NaN, infinite or huge values"):
            largest_magnitude(X, 40)
    if dtype == np.float64:
        X[1, 1] = 1e141
        with pytest.raises(InputError, match="row 41"):
            largest_magnitude(X, 40)


@pytest.mark.parametrize("exponent", [-1000, -130, -10, 0, 10, 120, 460])
def test_scaled_embeddings_have_squares_in_single_precision(exponent):
    X = np.ldexp(np.array([[1.0, -3.0], [0.5, 0.0]]), exponent)
    scaled = ScaledEmbeddings(HeldEmbeddings(X), largest_magnitude(X, 0))
    (block,) = scaled.blocks()
    assert block.dtype == np.float32 and scaled.shape == (2, 2)
    assert scaled.exponent == 0 if abs(exponent) <= 10 else 0.5 <= np.abs(block).max() <= 1
    np.testing.assert_array_equal(np.ldexp(block.astype(float), scaled.exponent), X)


def test_zeros_and_half_precision_stay_as_they_are():
    assert ScaledEmbeddings(HeldEmbeddings(np.zeros((2, 2))), 0.0).exponent == 0
    assert ScaledEmbeddings(HeldEmbeddings(X), float(np.finfo(np.float16).max)).exponent == 0
