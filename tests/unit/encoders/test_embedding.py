import numpy as np
import pyarrow as pa
import pytest
import torch
from timm_encoders import create_encoder

from iqadistill.encoders import embed_patches
from iqadistill.encoders import embedding as embedding_module
from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.panorama import extract_viewports
from iqadistill.patches.pixel_values import as_floats
from iqadistill.patches.reading import read_patches
from iqadistill.sampling import sample_crops, sample_erp, sample_latitude
from iqadistill.table_schemas import embeddings_schema
from iqadistill.tables import as_table, embedding_matrix


@pytest.fixture(scope="module")
def encoder():
    return create_encoder("test_efficientnet", "none", "stages")


def sample_patches(images, sample=sample_latitude, **settings):
    return sample(images, **{"count": 9, "size": 32, "seed": 0, **settings})


def pixels(images):
    paths = zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True)
    return {name: torch.from_numpy(np.array(read_image(path))).permute(2, 0, 1) for name, path in paths}


def test_embeddings_follow_patch_order(images, encoder):
    patches = sample_patches(images)
    table = embed_patches(images, patches, encoder)
    assert table.schema == embeddings_schema(encoder.width)
    assert table["patch_id"].equals(patches["patch_id"]) and table["image_id"].equals(patches["image_id"])
    decoded = pixels(images)
    for row, vector in zip(patches.to_pylist(), embedding_matrix(table), strict=True):
        image = decoded[row["image_id"]].float() / 255
        view = extract_viewports(image, [row["yaw"]], [row["pitch"]], row["fov"], row["size"])
        np.testing.assert_allclose(vector, encoder.embed(view)[0].numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sample, settings", [(sample_crops, {}), (sample_erp, {"projection": "crop", "size": 100})])
def test_crops_are_image_pixels_and_cross_the_seam(images, sample, settings):
    patches = sample_patches(images, sample, **settings)
    crops = torch.cat(list(read_patches(images, patches)))
    decoded, x = pixels(images), patches["x"].to_numpy()
    for row, crop in zip(patches.to_pylist(), crops, strict=True):
        rolled = decoded[row["image_id"]].roll(-row["x"], -1)
        assert torch.equal(crop, rolled[:, row["y"] : row["y"] + row["size"], : row["size"]])  # bytes
    assert sample is sample_crops or (x > 256 - 100).any()


def test_large_crops_are_cut_from_the_reduced_image(images):
    patches = sample_patches(images, sample_crops, size=64, longer_side=128)
    sides = patches["size"].to_numpy()
    pieces = as_floats(torch.cat(list(read_patches(images, patches, size=32))))
    assert (sides > 64).all() and pieces.shape[-2:] == (32, 32)
    decoded = pixels(images)
    for row, piece in zip(patches.to_pylist(), pieces, strict=True):
        crop = decoded[row["image_id"]][:, row["y"] : row["y"] + row["size"], row["x"] : row["x"] + row["size"]] / 255
        expected = torch.nn.functional.interpolate(crop[None], (32, 32), mode="bicubic", antialias=True)[0]
        # a shift of half a pixel and another filter at the borders remain
        assert (piece - expected).abs().mean() < 0.05 * (1 + expected.diff(dim=-1).abs().mean() * 20)


def test_patches_of_several_sizes_need_encoder_size(images, encoder):
    patches = sample_patches(images, sample_crops, size=64, longer_side=128)
    uneven = patches.set_column(
        patches.schema.get_field_index("size"), "size", pa.array(range(64, 64 + len(patches)), pa.int32())
    )
    with pytest.raises(InputError, match=r"encoder.* size"):
        embed_patches(images, uneven, encoder)


@pytest.mark.parametrize("batch_size", [1, 4, 9, 1000])
def test_embeddings_do_not_depend_on_batch_size_and_workers(images, encoder, batch_size):
    patches = sample_patches(images)
    expected = embedding_matrix(embed_patches(images, patches, encoder))
    embeddings = embedding_matrix(embed_patches(images, patches, encoder, batch_size=batch_size, workers=1))
    np.testing.assert_allclose(embeddings, expected, atol=1e-4, rtol=1e-4)


def test_embeddings_do_not_depend_on_thread_count(images, encoder):
    patches = sample_patches(images)
    expected = embed_patches(images, patches, encoder, batch_size=4)
    torch.set_num_threads(3)
    threaded = embed_patches(images, patches, encoder, batch_size=4, workers=3)
    torch.set_num_threads(1)
    assert threaded.equals(expected)


def test_batches_are_full_across_images(images):
    pieces = [torch.full((count, 3, 2, 2), float(count)) for count in (3, 1, 5, 0, 3)]
    batches = list(embedding_module._rebatch(pieces, 4))
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert torch.equal(torch.cat(batches), torch.cat(pieces))


def test_each_image_is_decoded_once(images, encoder, monkeypatch):
    from iqadistill.patches import reading

    seen = []
    monkeypatch.setattr(reading, "read_image", lambda path, *scale: (seen.append(path), read_image(path, *scale))[1])
    embed_patches(images, sample_patches(images), encoder, batch_size=2)
    assert sorted(seen) == sorted(images["path"].to_pylist())  # in any order: images are decoded ahead


def test_float16_embeddings_are_rounded_float32_embeddings(images, encoder):
    patches = sample_patches(images)
    half = embed_patches(images, patches, encoder, dtype="float16")
    assert half.schema == embeddings_schema(encoder.width, "float16")
    np.testing.assert_allclose(
        embedding_matrix(half), embedding_matrix(embed_patches(images, patches, encoder)), atol=1e-3, rtol=1e-3
    )


def is_noisy(batch):
    return as_floats(batch).diff(dim=-1).abs().mean((1, 2, 3)) > 0.1


class FailingEncoder:
    """Encoder that returns the given value for noisy patches."""

    width, size, device = 2, None, torch.device("cpu")

    def __init__(self, value):
        self.value = value

    def resize(self, batch):
        return batch

    def embed(self, batch):
        return torch.where(is_noisy(batch)[:, None], self.value, 1.0).expand(-1, 2)


@pytest.mark.parametrize("value, dtype", [(float("nan"), "float32"), (float("inf"), "float32"), (1e6, "float16")])
def test_non_finite_embedding_is_refused(images, value, dtype):
    patches = sample_patches(images, sample_crops, size=128, count=1)
    assert is_noisy(torch.cat(list(read_patches(images, patches)))).tolist() == [False, True, False]
    with pytest.raises(InputError, match=r"^rooms/two: .*NaN"):
        embed_patches(images, patches, FailingEncoder(value), dtype=dtype)


def test_missing_image_is_refused(images, encoder):
    frame = images.to_pandas()
    frame.loc[1, "path"] = "nowhere/two.png"
    with pytest.raises(InputError, match=r"nowhere/two\.png"):
        embed_patches(as_table(frame, "images"), sample_patches(images), encoder)


def test_patches_of_unknown_image_are_refused(images, encoder):
    with pytest.raises(InputError, match="'three'"):
        embed_patches(images.slice(0, 2), sample_patches(images), encoder)


def test_two_patch_sizes_in_one_image_are_refused(images):
    mixed = pa.concat_tables([sample_patches(images.slice(0, 1)), sample_patches(images.slice(0, 1), size=16)])
    with pytest.raises(InputError, match="rooms/one"):
        list(read_patches(images, mixed))


def test_no_patches_give_empty_table(images, encoder):
    table = embed_patches(images, sample_patches(images).slice(0, 0), encoder)
    assert len(table) == 0
    assert table.schema == embeddings_schema(encoder.width)
