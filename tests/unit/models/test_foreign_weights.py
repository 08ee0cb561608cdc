"""Checkpoints as others publish them: taken out of their wrapping, or refused by saying what they are."""

import argparse
import zipfile

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from iqadistill.errors import InputError
from iqadistill.models.pretrained import create_pretrained
from iqadistill.models.weights_file import read_state_dict, without_prefix


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(3)
    return timm.create_model("test_resnet", num_classes=7).state_dict()


def prefixed(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


WRAPPED = {
    "plain": lambda s: s,
    "module": lambda s: prefixed(s, "module."),
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "compiled, in parallel": lambda s: prefixed(s, "module._orig_mod."),
    "backbone and a head": lambda s: prefixed(s, "backbone.") | {"head.weight": torch.zeros(3)},
    "encoder": lambda s: {"model": prefixed(s, "encoder.")},
    "state_dict": lambda s: {"epoch": 3, "state_dict": s},
    "model_state_dict": lambda s: {"model_state_dict": s, "optimizer": {"state": {0: {"step": torch.zeros(1)}}}},
    "nested": lambda s: {"model": {"state_dict": s}, "args": {"lr": 0.1}},
    "Lightning": lambda s: {"state_dict": prefixed(s, "model.backbone."), "hyper_parameters": {"lr": 0.1}},
    "moving average": lambda s: {"ema": prefixed(s, "module.")},
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "channels last": lambda s: {
        k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in s.items()
    },
    "parameters": lambda s: {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrapped_weights_are_found(tmp_path, state, kind):
    path = tmp_path / "weights.pth"
    torch.save(WRAPPED[kind](state), path)
    network = create_pretrained("test_resnet", str(path), where="backbone", num_classes=0)
    expected = state["conv1.0.weight"].half().float() if kind == "half precision" else state["conv1.0.weight"]
    assert torch.equal(network.state_dict()["conv1.0.weight"], expected)


@pytest.mark.parametrize("name", ["weights.safetensors", "pytorch_model.bin"])
def test_safetensors_are_known_by_content(tmp_path, state, name):
    path = tmp_path / name
    save_file(prefixed(state, "module."), path, {"format": "pt"})
    network = create_pretrained("test_resnet", str(path), where="backbone", num_classes=0)
    assert torch.equal(network.state_dict()["conv1.0.weight"], state["conv1.0.weight"])


CONTENTS = {
    "nothing": (lambda s: None, "holds nothing (None)"),
    "a tensor": (lambda s: torch.zeros(3), "holds one Tensor"),
    "a list": (lambda s: list(s.values()), "holds one list"),
    "numbered": (lambda s: {0: torch.zeros(1)}, "the name 0, which is not text"),
    "empty": (lambda s: {}, "an empty state dict"),
    "a number beside": (lambda s: {**s, "epoch": 3}, "holds a int as epoch"),
    "parts": (lambda s: {"first": s, "second": s}, "as first"),
    "sparse": (lambda s: {"a": torch.eye(2).to_sparse()}, "a sparse tensor as a"),
    "quantised": (lambda s: {"a": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "quantised"),
    "without values": (lambda s: {"a": torch.zeros(2, device="meta")}, "without values"),
    "arguments": (lambda s: {"state_dict": s, "args": argparse.Namespace(lr=1)}, "holds argparse.Namespace beside"),
    "a NumPy scalar": (lambda s: {"state_dict": s, "best": np.float64(1)}, "beside or instead of tensors"),
    "a whole model": (lambda s: torch.nn.Linear(2, 2), "holds torch.nn.modules.linear.Linear beside or instead"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", CONTENTS)
def test_other_contents_are_said(tmp_path, state, kind):
    content, message = CONTENTS[kind]
    path = tmp_path / "weights.pth"
    torch.save(content(state), path)
    with pytest.raises(InputError) as refused:
        read_state_dict(path)
    assert message in str(refused.value) and str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


FILES = {
    b"": "an empty file",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n": "git lfs pull",
    b"\n<!DOCTYPE html><html>": "a web page",
    b'{"metadata": {}, "weight_map": {}}': "a JSON file",
    b"\x89HDF\r\n\x1a\n0000": "Keras",
    b"\x1f\x8b\x08\x00": "gzip",
    b"PK\3\4 cut": "damaged or truncated",
    b"\x80\x02}q\x00.": "not a readable state dict",
    b"anything": "not a readable state dict",
}


@pytest.mark.parametrize("content", FILES)
def test_other_files_are_said(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=FILES[content]):
        read_state_dict(path)


def test_zip_of_something_else_and_folder_are_said(tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights")
    with pytest.raises(InputError, match="a zip archive of something else"):
        read_state_dict(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_state_dict(tmp_path)


def test_truncated_file_is_refused(tmp_path, state):
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged or truncated"):
        read_state_dict(path)


def test_undefined_weights_are_named(tmp_path, state):
    path = tmp_path / "weights.pth"
    torch.save({**state, "bn1.weight": state["bn1.weight"] * float("nan")}, path)
    with pytest.raises(InputError, match=r"bn1\.weight holds values that are not numbers"):
        create_pretrained("test_resnet", str(path), where="backbone", num_classes=0)


def test_two_networks_in_one_file_are_refused():
    state = {f"{half}.{name}": torch.zeros(1) for half in ("encoder_q", "encoder_k") for name in ("a", "b")}
    with pytest.raises(InputError, match=r"more than once, as encoder_k\. and encoder_q\."):
        without_prefix(state, {"a": torch.zeros(1), "b": torch.zeros(1)}, "moco.pth")
