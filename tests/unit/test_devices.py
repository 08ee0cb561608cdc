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
def driver(monkeypatch):
    """A machine with the driver of a card."""
    monkeypatch.setattr(devices, "DRIVERS", ("/",))


def hold(folder, leased):
    with lease_cards(1, 2, folder) as (card,):
        leased.put((os.getpid(), card))
        time.sleep(60)


@pytest.fixture
def holders(tmp_path):
    context = multiprocessing.get_context("fork")
    leased, started = context.SimpleQueue(), []

    def start():
        started.append(context.Process(target=hold, args=(tmp_path, leased)))
        started[-1].start()
        return started[-1]

    yield start, leased
    for process in started:
        process.kill()
        process.join()


def test_two_jobs_never_hold_one_card(holders):
    start, leased = holders
    start(), start()
    assert {leased.get()[1], leased.get()[1]} == {0, 1}


def test_third_job_waits_and_takes_over_from_a_killed_one(holders, monkeypatch):
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    start, leased = holders
    first, _ = start(), start()
    cards = dict(leased.get() for _ in range(2))
    third = start()
    third.join(0.2)
    assert third.is_alive() and leased.empty()
    first.kill()
    assert leased.get() == (third.pid, cards[first.pid])


def test_card_given_by_a_scheduler_is_used_without_a_lease(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(devices, "lease_cards", lambda *_: pytest.fail("leased"))
    with lease_device("auto") as device:
        assert device == "cuda:0"


def test_several_granted_cards_are_the_only_ones_the_job_sees(monkeypatch, tmp_path):
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
    with pytest.raises(InputError, match="5 cards were granted to the job, 4 can be used"), lease_device("auto", 5):
        pass


def test_job_that_waits_for_two_cards_leaves_the_free_one_to_others(holders, monkeypatch, tmp_path):
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


def test_cpu_study_takes_no_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with lease_device("cpu") as device:
        assert device == "cpu"


def test_cuda_without_a_card_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="cuda"), lease_device("cuda"):
        pass
    with lease_device("auto") as device:
        assert device == "cpu"


def test_without_a_driver_torch_is_not_imported():
    code = (
        "import sys; from iqadistill import devices; devices.DRIVERS = ('/no/such/driver',)\n"
        "with devices.lease_device('auto') as device: print(device, 'torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "cpu False\n"
    )
