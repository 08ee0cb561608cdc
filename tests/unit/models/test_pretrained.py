import pytest
import timm
import torch
from safetensors.torch import save_file

from iqadistill.errors import InputError
from iqadistill.models import create_model, load_packaged_lite0
from iqadistill.models.backbone import Backbone
from iqadistill.models.pretrained import LITE0, create_pretrained
from iqadistill.models.rkiqt.convolutional_stem import ConvolutionalStem
from iqadistill.models.weights_file import read_state_dict

SIZE = 64


def save_random_network(folder, name, suffix=".safetensors", **settings):
    """A timm network with random weights, and the path of its saved weights."""
    torch.manual_seed(5)
    network = timm.create_model(name, **settings).eval()
    path = folder / f"{name}{suffix}"
    state = network.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save({"epoch": 3, "state_dict": state}, path)
    return network, str(path)


def pixels(size=SIZE):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("classes", [1000, 7])
def test_backbone_loads_weights_file(tmp_path, name, classes):
    network, path = save_random_network(tmp_path, name, num_classes=classes)
    backbone = Backbone(name, path, SIZE).eval()
    mean, std = (torch.tensor(network.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    expected = network.forward_intermediates((pixels() - mean) / std, intermediates_only=True)[-1]
    torch.testing.assert_close(backbone(pixels())[-1], expected)
    assert "state_dict" not in backbone.network.pretrained_cfg


@torch.inference_mode()
def test_stem_loads_weights_file(tmp_path):
    network, path = save_random_network(tmp_path, "test_resnet", ".pth")
    stem = ConvolutionalStem("test_resnet", path, 16).eval()
    expected = network.forward_intermediates(pixels(), intermediates_only=True)
    torch.testing.assert_close(stem(pixels()), next(m for m in expected if m.shape[-1] == SIZE // 16))


@torch.inference_mode()
def test_position_embedding_of_weights_file_is_resampled(tmp_path):
    network, path = save_random_network(tmp_path, "test_vit", num_classes=3)
    student = create_model("rkiqt", backbone="test_vit", size=SIZE, decoder_heads=4, weights=path)
    assert torch.equal(student.vit.blocks[0].attn.qkv.weight, network.blocks[0].attn.qkv.weight)
    network.set_input_size(img_size=(SIZE, SIZE))
    torch.testing.assert_close(student.vit.pos_embed, network.pos_embed)


def test_random_state_does_not_depend_on_weights(tmp_path):
    path = save_random_network(tmp_path, "test_resnet")[1]
    states = []
    for weights in ("none", path):
        torch.manual_seed(2)
        create_pretrained("test_resnet", weights, where="backbone", features_only=True)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


@torch.inference_mode()
def test_packaged_network_is_the_classifier_by_default():
    network = create_pretrained(LITE0, "packaged", where="stem")
    assert network.training
    torch.testing.assert_close(network.eval()(pixels()), load_packaged_lite0()(pixels()), rtol=0, atol=0)


def remove_tensor(state):
    del state["layer1.0.conv1.weight"]


def add_tensor(state):
    state["layer9.weight"] = torch.zeros(1)


def reshape_tensor(state):
    state["bn1.weight"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (remove_tensor, "layer1.0.conv1.weight"),
        (add_tensor, "layer9.weight"),
        (reshape_tensor, "bn1.weight"),
    ],
)
def test_mismatched_tensor_is_named(tmp_path, change, name):
    state = timm.create_model("test_resnet").state_dict()
    change(state)
    save_file(state, tmp_path / "changed.safetensors")
    with pytest.raises(InputError, match=rf"changed\.safetensors: .*test_resnet.*{name}"):
        Backbone("test_resnet", str(tmp_path / "changed.safetensors"), SIZE)


def test_state_dict_of_checkpoint_is_read(tmp_path):
    network, path = save_random_network(tmp_path, "test_resnet", ".pth")
    state = read_state_dict(path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_unreachable_hub_weights_are_refused(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"backbone test_resnet: .*hub.*no route to host.*packaged, hub, none"):
        create_model("adtrs", backbone="test_resnet", pretrained=True)
