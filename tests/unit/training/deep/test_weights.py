import pytest
import torch
from tiny_networks import TinyNetwork

from iqadistill.errors import InputError
from iqadistill.training.deep.weights import load_network, save_network


def test_saved_weights_are_loaded(tmp_path):
    network = TinyNetwork(seed=1).to(memory_format=torch.channels_last)
    save_network(network, tmp_path / "w.safetensors", {"student": "tiny"})
    loaded = load_network(TinyNetwork(), tmp_path / "w.safetensors")
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)
    assert not loaded.training


def test_files_without_the_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.safetensors"):
        load_network(TinyNetwork(), tmp_path / "none.safetensors")
    save_network(torch.nn.Linear(2, 1), tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors"):
        load_network(TinyNetwork(), tmp_path / "other.safetensors")
