import json

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from iqadistill.errors import InputError
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.weights import load_network, save_network
from iqadistill.training.mlp.trained_mlps import load_mlps
from iqadistill.training.tensor_files import load_tensors, save_tensors

TENSORS = {
    "matrix": torch.arange(12.0).reshape(3, 4).T,
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "none": torch.empty(0, 3),
    "flags": torch.tensor([True, False]),
}


def change_last_byte(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_tensors_of_every_type_come_back_with_their_metadata(tmp_path):
    save_tensors(TENSORS, tmp_path / "t.safetensors", {"kind": "toy"})
    tensors, metadata = load_tensors(tmp_path / "t.safetensors")
    assert metadata == {"kind": "toy"} and tensors.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )


def test_files_that_are_not_whole_are_refused(tmp_path):
    file = tmp_path / "t.safetensors"
    save_tensors(TENSORS, file)
    whole = file.read_bytes()
    change_last_byte(file)
    with pytest.raises(SafetensorError, match="does not hold what was written"):
        load_tensors(file)
    file.write_bytes(whole[:-1])
    with pytest.raises(SafetensorError):
        load_tensors(file)


def test_no_changed_byte_gives_other_weights(tmp_path):
    file = tmp_path / "w.safetensors"
    save_network(network := torch.nn.Linear(3, 2), file, {"student": "toy"})
    whole, refused = file.read_bytes(), 0
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = load_network(torch.nn.Linear(3, 2), file).state_dict()
            assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())
        except InputError:
            refused += 1
    assert refused > 0.9 * len(whole)


def test_files_of_earlier_versions_are_read(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "t.safetensors", {"mlps": "{}"})
    assert load_tensors(tmp_path / "t.safetensors")[1] == {"mlps": "{}"}


def test_every_file_has_the_same_bytes(tmp_path):
    for name in "abcdefgh":
        save_tensors(TENSORS, tmp_path / name, {"one": "1", "two": "2", "three": "3"})
    assert len({(tmp_path / name).read_bytes() for name in "abcdefgh"}) == 1


def test_damaged_weights_are_named(tmp_path):
    file = tmp_path / "w.safetensors"
    save_network(torch.nn.Linear(2, 1), file)
    change_last_byte(file)
    with pytest.raises(InputError, match=r"w\.safetensors: not readable weights .* delete it and train it again"):
        load_network(torch.nn.Linear(2, 1), file)
    save_tensors({"weight.0": torch.ones(2)}, file, {"mlps": json.dumps({})})
    change_last_byte(file)
    with pytest.raises(InputError, match=r"w\.safetensors: not readable weights .* delete it and run its stage again"):
        load_mlps(file)


def test_training_resumes_from_the_checkpoint_before_a_damaged_one(tmp_path, capsys):
    checkpoints = Checkpoints(tmp_path, 0)
    for step in (1, 2):
        checkpoints.save({"w": torch.full((3,), float(step))}, {"step": step})
    change_last_byte(tmp_path / "newest.safetensors")
    tensors, counters = checkpoints.load()
    assert counters == {"step": 1} and tensors["w"][0] == 1
    assert "newest.safetensors: not whole" in capsys.readouterr().err
