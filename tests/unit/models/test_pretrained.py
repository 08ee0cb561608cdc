import pytest
import timm
import torch
from safetensors.torch import save_file

from iqadistill.errors import InputError
from iqadistill.models import create_model, load_packaged_lite0
from iqadistill.models.backbone import Backbone
from iqadistill.models.pretrained import LITE0, create_pretrained, read_state_dict
from iqadistill.models.rkiqt.convolutional_stem import ConvolutionalStem

SIZE = 64


def saved(folder, name, suffix=".safetensors", **settings):
    """A network of timm with random weights, and the file of them."""
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
def test_a_backbone_is_filled_from_a_file(tmp_path, name, classes):
    network, path = saved(tmp_path, name, num_classes=classes)
    backbone = Backbone(name, path, SIZE).eval()
    mean, std = (torch.tensor(network.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    expected = network.forward_intermediates((pixels() - mean) / std, intermediates_only=True)[-1]
    torch.testing.assert_close(backbone(pixels())[-1], expected)
    assert "state_dict" not in backbone.network.pretrained_cfg


@torch.inference_mode()
def test_a_stem_is_filled_from_a_file(tmp_path):
    network, path = saved(tmp_path, "test_resnet", ".pth")
    stem = ConvolutionalStem("test_resnet", path, 16).eval()
    expected = network.forward_intermediates(pixels(), intermediates_only=True)
    torch.testing.assert_close(stem(pixels()), next(m for m in expected if m.shape[-1] == SIZE // 16))


@torch.inference_mode()
def test_a_vision_transformer_from_a_file_has_its_positions_resampled(tmp_path):
    network, path = saved(tmp_path, "test_vit", num_classes=3)
    student = create_model("rkiqt", backbone="test_vit", size=SIZE, decoder_heads=4, weights=path)
    assert torch.equal(student.vit.blocks[0].attn.qkv.weight, network.blocks[0].attn.qkv.weight)
    network.set_input_size(img_size=(SIZE, SIZE))
    torch.testing.assert_close(student.vit.pos_embed, network.pos_embed)


def test_weights_of_a_file_draw_as_random_ones_do(tmp_path):
    path = saved(tmp_path, "test_resnet")[1]
    states = []
    for weights in ("none", path):
        torch.manual_seed(2)
        create_pretrained("test_resnet", weights, where="backbone", features_only=True)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


@torch.inference_mode()
def test_the_packaged_network_without_settings_is_the_classifier():
    network = create_pretrained(LITE0, "packaged", where="stem")
    assert network.training
    torch.testing.assert_close(network.eval()(pixels()), load_packaged_lite0()(pixels()), rtol=0, atol=0)


def incomplete(state):
    del state["layer1.0.conv1.weight"]


def enlarged(state):
    state["layer9.weight"] = torch.zeros(1)


def reshaped(state):
    state["bn1.weight"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (incomplete, "lacks layer1.0.conv1.weight"),
        (enlarged, "holds layer9.weight besides"),
        (reshaped, "has another shape of bn1.weight"),
    ],
)
def test_files_of_other_networks_are_refused_by_tensor(tmp_path, change, sentence):
    state = timm.create_model("test_resnet").state_dict()
    change(state)
    save_file(state, tmp_path / "changed.safetensors")
    with pytest.raises(InputError, match=rf"changed\.safetensors: not the weights of test_resnet \({sentence}\)"):
        Backbone("test_resnet", str(tmp_path / "changed.safetensors"), SIZE)


def test_a_checkpoint_is_read_by_its_state_dict(tmp_path):
    network, path = saved(tmp_path, "test_resnet", ".pth")
    state = read_state_dict(path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_missing_hub_weights_name_network_key_and_alternatives(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        InputError, match=r"backbone test_resnet: .* weights hub \(no route to host\).*packaged, hub, none"
    ):
        create_model("adtrs", backbone="test_resnet", pretrained=True)
