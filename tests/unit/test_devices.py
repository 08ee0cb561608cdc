import multiprocessing
import os
import subprocess
import sys
import time

import pytest
import torch

from iqadistill import devices
from iqadistill.devices import lease_cards, lease_device
from iqadistill.errors import InputError


@pytest.fixture(autouse=True)
def gpu_driver(monkeypatch):
    """Pretend that a GPU driver is installed."""
    monkeypatch.setattr(devices, "DRIVERS", ("/",))


def hold_gpu(folder, leased):
    """Lease one of two GPUs and keep it until killed."""
    with lease_cards(1, 2, folder) as (card,):
        leased.put((os.getpid(), card))
        time.sleep(60)


@pytest.fixture
def holders(tmp_path):
    """A function that starts a process holding a GPU, and the queue of (process id, GPU)."""
    context = multiprocessing.get_context("fork")
    leased, started = context.SimpleQueue(), []

    def start():
        started.append(context.Process(target=hold_gpu, args=(tmp_path, leased)))
        started[-1].start()
        return started[-1]

    yield start, leased
    for process in started:
        process.kill()
        process.join()


@pytest.mark.slow
def test_two_jobs_never_share_a_gpu(holders):
    start, leased = holders
    start(), start()
    assert {leased.get()[1], leased.get()[1]} == {0, 1}


@pytest.mark.slow
def test_waiting_job_leases_gpu_of_killed_job(holders, monkeypatch):
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    start, leased = holders
    first, _ = start(), start()
    cards = dict(leased.get() for _ in range(2))
    third = start()
    third.join(0.2)
    assert third.is_alive() and leased.empty()
    first.kill()
    assert leased.get() == (third.pid, cards[first.pid])


def test_gpu_assigned_by_scheduler_needs_no_lease(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(devices, "lease_cards", lambda *_: pytest.fail("leased"))
    with lease_device("auto") as device:
        assert device == "cuda:0"


def test_job_sees_only_its_assigned_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with lease_device("auto") as first, lease_device("auto", 2) as device:
        assert (first, device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda:0", "cuda", "1,2")
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,3")
    with lease_device("cuda", 2) as device:
        assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", "5,7")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,7,3"
    with pytest.raises(InputError, match=r"\b5\b.*\b4\b"), lease_device("auto", 5):
        pass


@pytest.mark.slow
def test_job_waiting_for_two_gpus_does_not_block_the_free_one(holders, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    start, leased = holders
    start()
    _, taken = leased.get()
    waiting = multiprocessing.get_context("fork").Process(target=lambda: lease_cards(2, 2, tmp_path).__enter__())
    waiting.start()
    start()
    assert leased.get()[1] == 1 - taken
    waiting.kill()
    waiting.join()


def test_cpu_device_leases_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with lease_device("cpu") as device:
        assert device == "cpu"


def test_cuda_without_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="cuda"), lease_device("cuda"):
        pass
    with lease_device("auto") as device:
        assert device == "cpu"


@pytest.mark.slow
def test_torch_is_not_imported_without_gpu_driver():
    code = (
        "import sys; from iqadistill import devices; devices.DRIVERS = ('/no/such/driver',)\n"
        "with devices.lease_device('auto') as device: print(device, 'torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "cpu False\n"
    )
