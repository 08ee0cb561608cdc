import numpy as np
import pyarrow as pa
import pytest
from timm_encoders import create_encoder

from iqadistill.encoders import embed_patches, embedding, shards
from iqadistill.encoders.shards import gather_shards, gathering_bytes, shard_of
from iqadistill.errors import InputError
from iqadistill.sampling import sample_crops, sample_latitude
from iqadistill.tables import embeddings_table, write_table

BATCH = 4


@pytest.fixture
def small_blocks(monkeypatch):
    """Parts that begin at any batch of 4 patches."""
    monkeypatch.setattr(shards, "BLOCK", BATCH)


@pytest.fixture(scope="module")
def encoder():
    return create_encoder("test_resnet", "none", "stages", size=32)


def parts_of(patches, count):
    return [shard_of(patches, number, count) for number in range(count)]


def test_parts_begin_where_a_batch_begins_on_every_device():
    assert shards.BLOCK % embedding._CPU_BATCH == shards.BLOCK % embedding._GPU_BATCH == 0


@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257, 1000, 2560, 99_999])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 50])
def test_parts_are_whole_blocks_in_order_and_differ_by_one_block(rows, count):
    patches = pa.table({"patch_id": range(rows)})
    parts = parts_of(patches, count)
    assert pa.concat_tables(parts).equals(patches)
    lengths = [len(part) for part in parts]
    full = [length for length in lengths if length % shards.BLOCK == 0]
    assert len(full) >= count - 1  # all but the last patches
    assert max(lengths) - min(lengths) <= shards.BLOCK


@pytest.mark.parametrize(
    ("sample", "settings"), [(sample_latitude, {"size": 32}), (sample_crops, {"size": 48, "longer_side": 128})]
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_embeddings_of_shards_are_those_of_one_job_to_the_bit(images, encoder, small_blocks, sample, settings, dtype):
    patches = sample(images, count=9, seed=0, **settings)
    whole = embed_patches(images, patches, encoder, batch_size=BATCH, dtype=dtype)
    for count in (2, 3, 12):  # of 7 blocks: images are cut, and some of twelve parts are empty
        parts = parts_of(patches, count)
        assert (min(map(len, parts)) == 0) == (count > 7)
        embedded = [embed_patches(images, part, encoder, batch_size=BATCH, dtype=dtype) for part in parts]
        assert gather_shards(embedded, patches).equals(whole)


def test_shards_of_other_patches_are_refused(images, encoder, small_blocks):
    patches = sample_latitude(images, count=9, size=32, seed=0)
    embedded = [embed_patches(images, part, encoder) for part in parts_of(patches, 3)]
    for wrong in (embedded[:2], [embedded[1], embedded[0], embedded[2]], [*embedded, embedded[2]]):
        with pytest.raises(InputError, match="results/embed_shard"):
            gather_shards(wrong, patches)


def test_memory_to_gather_is_that_of_all_numbers_however_small_their_files(tmp_path):
    files = [tmp_path / f"{number}.parquet" for number in range(3)]
    for rows, dtype, file in zip((300, 100, 0), ("float32", "float16", "float32"), files, strict=True):
        vectors = np.zeros((rows, 64), dtype)  # as of a network that ends in a ReLU, many times smaller on the disk
        write_table(embeddings_table(np.arange(rows), ["a"] * rows, vectors), file, "embeddings")
    assert gathering_bytes(files) == 64 * (4 * 400 + 20 * 300)
    files[1].write_bytes(b"")
    assert gathering_bytes(files) == 64 * (4 * 300 + 20 * 300)  # the job that reads the damaged part names it
    with pytest.raises(FileNotFoundError):
        gathering_bytes([tmp_path / "absent.parquet"])
