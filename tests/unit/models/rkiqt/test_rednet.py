import pytest
import torch
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models import create_model
from iqadistill.models.backbone import Backbone
from iqadistill.models.rkiqt.involution import Involution

SIZE = 64
PUBLISHED_KEYS = {
    "backbone.stem.0.conv.weight": (32, 3, 3, 3),
    "backbone.stem.0.bn.running_var": (32,),
    "backbone.stem.1.conv1.conv.weight": (8, 32, 1, 1),
    "backbone.stem.1.conv2.conv.bias": (18,),
    "backbone.stem.2.weight": (32,),
    "backbone.stem.4.conv.weight": (64, 32, 3, 3),
    "backbone.layer1.0.conv1.weight": (64, 64, 1, 1),
    "backbone.layer1.0.conv2.conv1.bn.weight": (16,),
    "backbone.layer1.0.conv2.conv2.conv.weight": (196, 16, 1, 1),
    "backbone.layer2.0.downsample.0.weight": (512, 256, 1, 1),
    "backbone.layer3.3.bn3.num_batches_tracked": (),
    "backbone.layer4.0.downsample.1.running_mean": (2048,),
    "head.fc.weight": (1000, 2048),
    "head.fc.bias": (1000,),
}


@pytest.fixture(scope="module")
def published_checkpoint(tmp_path_factory):
    """A RedNet-26 with random weights, and the file of its weights with the tensor names of the authors."""
    torch.manual_seed(0)
    network = create_model("rednet26").eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            nn.init.uniform_(module.weight, 0.5, 1)
    state = {name if name.startswith("backbone.") else f"head.{name}": t for name, t in network.state_dict().items()}
    path = tmp_path_factory.mktemp("published") / "rednet26.pth"
    torch.save({"meta": {"epoch": 130, "CLASSES": ["tench"]}, "state_dict": state}, path)
    return network, path


def pixels(count=2, size=SIZE):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("depth", "millions"), [(26, 9.23), (38, 12.39), (50, 15.54), (101, 25.65)])
def test_parameter_count_matches_the_paper(depth, millions):
    with torch.device("meta"):
        model = create_model(f"rednet{depth}", num_classes=1000)
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(millions * 1e6, rel=0.001)


def test_multiplication_count_matches_the_paper():
    counted = {"convolution": 0, "involution": 0}

    def count(layer, _, out):
        if isinstance(layer, Involution):
            counted["involution"] += out.numel() * layer.kernel_size**2
        else:
            counted["convolution"] += out.numel() * layer.in_channels * layer.kernel_size[0] ** 2

    with torch.device("meta"):
        model = create_model("rednet101").eval()
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, Involution)):
                module.register_forward_hook(count)
        model(torch.empty(1, 3, 224, 224))
    assert counted["involution"] == pytest.approx(0.113e9, rel=0.01)
    # the paper gives 4.74 G, without saying how they are counted
    assert sum(counted.values()) == pytest.approx(4.66e9, rel=0.002)


def test_stages_have_channels_and_strides_of_a_resnet():
    model = create_model("rednet26").eval()
    with torch.inference_mode():
        maps = model.stages(pixels())
        assert [tuple(stage.shape) for stage in maps] == [
            (2, 256, 16, 16),
            (2, 512, 8, 8),
            (2, 1024, 4, 4),
            (2, 2048, 2, 2),
        ]
        expected = maps[-1].mean((2, 3)) @ model.fc.weight.T + model.fc.bias
        torch.testing.assert_close(model(pixels()), expected)


@pytest.mark.parametrize(("classes", "shape"), [(1, (2,)), (5, (2, 5))])
def test_single_class_gives_one_score_per_image(classes, shape):
    assert create_model("rednet26", num_classes=classes).eval()(pixels()).shape == shape


def test_checkpoint_has_published_names_and_shapes(published_checkpoint):
    state = torch.load(published_checkpoint[1], weights_only=True)["state_dict"]
    assert {name: tuple(state[name].shape) for name in PUBLISHED_KEYS} == PUBLISHED_KEYS


@torch.inference_mode()
def test_published_checkpoint_is_loaded(published_checkpoint):
    network, path = published_checkpoint
    loaded = create_model("rednet26", pretrained=str(path)).eval()
    torch.testing.assert_close(loaded(pixels()), network(pixels()), rtol=0, atol=0)


@torch.inference_mode()
def test_other_class_count_skips_the_classifier_weights(published_checkpoint):
    network, path = published_checkpoint
    loaded = create_model("rednet26", num_classes=1, pretrained=str(path)).eval()
    torch.testing.assert_close(loaded.stages(pixels()), network.stages(pixels()), rtol=0, atol=0)
    assert loaded(pixels()).shape == (2,)


@torch.inference_mode()
def test_backbone_normalises_pixels_for_rednet(published_checkpoint):
    network, path = published_checkpoint
    backbone = Backbone("rednet26", str(path), SIZE).eval()
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(backbone(pixels()), network.stages((pixels() - mean) / deviation))
    assert backbone.channels == [256, 512, 1024, 2048]
    assert backbone.cells == 2
    assert not any(name.startswith("network.fc") for name in backbone.state_dict())


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = create_model("rednet26", num_classes=1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # the last of a block starts at zero
    model(pixels()).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


class ArbitraryObject:
    """An object that a checkpoint may not contain, as loading it would run code."""


def test_invalid_checkpoints_are_refused(tmp_path, published_checkpoint):
    files = {name: tmp_path / f"{name}.pth" for name in ("garbage", "code", "bare", "headless")}
    files["garbage"].write_bytes(b"not a checkpoint")
    torch.save({"state_dict": {}, "meta": ArbitraryObject()}, files["code"])
    torch.save([1, 2], files["bare"])
    state = torch.load(published_checkpoint[1], weights_only=True)["state_dict"]
    torch.save({"state_dict": {name: t for name, t in state.items() if "head" not in name}}, files["headless"])
    for settings, match in [
        (("rednet26", tmp_path / "none.pth"), r"weights: .*none\.pth"),
        (("rednet26", files["garbage"]), r"garbage\.pth"),
        (("rednet26", files["code"]), r"code\.pth"),
        (("rednet26", files["bare"]), r"bare\.pth"),
        (("rednet26", files["headless"]), r"headless\.pth: .*RedNet-26"),
        (("rednet38", published_checkpoint[1]), "RedNet-38"),
        (("rednet26", True), "weights"),
    ]:
        with pytest.raises(InputError, match=match):
            create_model(settings[0], pretrained=settings[1] if settings[1] is True else str(settings[1]))


def test_invalid_settings_are_refused():
    with pytest.raises(InputError, match="num_classes 0"):
        create_model("rednet26", num_classes=0)
    with pytest.raises(InputError, match="'rednet"):
        create_model("rednet34")
    with pytest.raises(InputError, match="'rednet"):
        Backbone("rednet27", "none", SIZE)
