import json

import pytest
import torch
from tiny_networks import SERVER, TinyNetwork, TinyStudy

from iqadistill.training.deep.training_job import is_main_process, launch


def train_and_write(folder, processes):
    """Train in one or several processes; the main process writes weights and losses."""
    torch.set_num_threads(1)

    def work():
        network = TinyNetwork()
        network.head[0].p = 0.0  # processes draw different dropout
        _, history = TinyStudy(folder).train(network, training={"freeze_batchnorm": True, "clip": 1.0})
        if is_main_process():
            weights = {name: tensor.tolist() for name, tensor in network.state_dict().items()}
            (folder / "result.json").write_text(json.dumps([weights, history["loss"].to_pylist()]))

    launch(work, processes)


@pytest.mark.slow
def test_two_processes_train_the_same_weights_as_one(tmp_path):
    results = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        process = SERVER.Process(target=train_and_write, args=(folder, processes))
        process.start()
        process.join()
        assert process.exitcode == 0
        results.append(json.loads((folder / "result.json").read_text()))
    (alone, losses), (together, same_losses) = results
    assert same_losses == pytest.approx(losses, rel=1e-4)
    for name, values in alone.items():
        torch.testing.assert_close(torch.tensor(together[name]), torch.tensor(values), rtol=1e-3, atol=1e-4)
