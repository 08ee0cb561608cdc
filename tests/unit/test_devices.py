import multiprocessing
import os
import time

import pytest
import torch

from iqadistill import devices
from iqadistill.devices import lease_card, lease_device
from iqadistill.errors import InputError


def hold(folder, leased):
    with lease_card(2, folder) as card:
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
    monkeypatch.setattr(devices, "lease_card", lambda cards: pytest.fail("leased"))
    with lease_device("auto") as device:
        assert device == "cuda:0"


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
