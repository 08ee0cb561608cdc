import errno
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
    with lease_cards(1, "01", folder) as (card,):
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


def hold_one_named(folder, visible, leased):
    """Lease a card as a job does that sees some named ones, say which, and keep it until killed."""
    devices._count_cards = lambda: 1 if visible.startswith("MIG") else 2
    devices.tempfile.gettempdir = lambda: str(folder)
    os.environ["CUDA_VISIBLE_DEVICES"] = visible
    with lease_device("auto") as device:
        leased.put((device, os.environ["CUDA_VISIBLE_DEVICES"]))
        time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("GPU-8a1b,GPU-77c2", {("cuda:0", "GPU-8a1b,GPU-77c2"), ("cuda:1", "GPU-8a1b,GPU-77c2")}),
        ("2,3", {("cuda:0", "2,3"), ("cuda:1", "2,3")}),
        # of parts of cards, CUDA shows a process the first that is named
        ("MIG-GPU-8a1b/1/0,MIG-GPU-8a1b/2/0", {("cuda:0", "MIG-GPU-8a1b/1/0"), ("cuda:0", "MIG-GPU-8a1b/2/0")}),
    ],
)
def test_two_jobs_share_no_card_of_those_that_the_user_named(visible, expected, tmp_path):
    context = multiprocessing.get_context("fork")
    leased = context.SimpleQueue()
    jobs = [context.Process(target=hold_one_named, args=(tmp_path, visible, leased)) for _ in range(2)]
    try:
        for job in jobs:
            job.start()
        assert {leased.get(), leased.get()} == expected
    finally:
        for job in jobs:
            job.kill()
            job.join()


def test_cards_of_two_allocations_have_the_same_numbers_and_are_others(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with lease_device("auto") as first, lease_device("auto") as second:
        monkeypatch.setenv("SLURM_JOB_ID", "8")
        with lease_device("auto") as other:
            assert (first, second, other) == ("cuda:0", "cuda:1", "cuda:0")


def test_parts_of_cards_serve_one_job_each(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-11aa,MIG-22bb")
    with lease_device("cuda") as device:
        assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda:0", "MIG-11aa")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-11aa,MIG-22bb"
    with (
        pytest.raises(InputError, match="gpu: 2 cards were granted to the job, 1 can be used"),
        lease_device("auto", 2),
    ):
        pass
    monkeypatch.setattr(devices, "DRIVERS", ("/no/such/driver",))
    with lease_device("auto") as device:
        assert device == "cpu"


def hold_two_gpus(folder, leased):
    """Lease both of two GPUs as a job does that was granted two, and say what it sees."""
    devices._count_cards = lambda: 2
    devices.tempfile.gettempdir = lambda: str(folder)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    with lease_device("auto", 2) as device:
        leased.put((device, os.environ["CUDA_VISIBLE_DEVICES"]))


@pytest.mark.slow
def test_job_of_two_gpus_waits_for_both_and_sees_both(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    context = multiprocessing.get_context("fork")
    held, leased = context.SimpleQueue(), context.SimpleQueue()
    # A process of its own holds the card: one forked from this would inherit the open lock file, and so the lease.
    folder = tmp_path / f"iqadistill-leases-{os.getuid()}"
    holder = context.Process(target=hold_gpu, args=(folder, held))
    waiting = context.Process(target=hold_two_gpus, args=(tmp_path, leased))
    try:
        holder.start()
        assert held.get() == (holder.pid, 0)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and leased.empty()
        holder.kill()
        assert leased.get() == ("cuda", "0,1")
    finally:
        for process in (holder, waiting):
            process.kill()
            process.join()


def test_lock_file_of_a_job_that_has_ended_holds_no_gpu(tmp_path):
    (tmp_path / "cuda0").write_text("left behind")
    with lease_cards(1, "0", tmp_path) as held:
        assert held == [0]


def test_folder_that_cannot_hold_lock_files_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"file/leases.*not a directory.*TMPDIR"),
        lease_cards(1, "0", tmp_path / "file/leases"),
    ):
        pass
    (tmp_path / "file2").touch()
    with pytest.raises(InputError, match=r"file2.*TMPDIR"), lease_cards(1, "0", tmp_path / "file2"):
        pass

    def refuse(number):
        def fail(*_):
            raise OSError(number, os.strerror(number))

        return fail

    for number in (errno.ENOLCK, errno.EOPNOTSUPP):
        monkeypatch.setattr(devices.fcntl, "flock", refuse(number))
        with pytest.raises(InputError, match="has no file locks"), lease_cards(1, "0", tmp_path):
            pass
    monkeypatch.setattr("builtins.open", refuse(errno.EACCES))  # a folder of another user
    with pytest.raises(InputError, match="permission denied"), lease_cards(1, "0", tmp_path):
        pass


@pytest.mark.parametrize(
    ("visible", "cards", "seen"),
    [
        ("GPU-8a1b,GPU-77c2", 2, "GPU-8a1b,GPU-77c2"),
        ("3,1,-1,0", 2, "3,1"),
    ],
)
def test_named_cards_are_handed_on_by_their_names(visible, cards, seen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with lease_device("auto", 2) as device:
        assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", seen)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_cards_that_are_gone_or_hidden_are_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    with (
        pytest.raises(InputError, match=r"CUDA_VISIBLE_DEVICES=0,7 names 2 cards, 1 can be used"),
        lease_device("auto"),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for hidden in ("", "-1", "9"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        with pytest.raises(InputError, match=f"CUDA_VISIBLE_DEVICES is '{hidden}'"), lease_device("cuda"):
            pass
        with lease_device("auto") as device:
            assert device == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "9"


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
    waiting = multiprocessing.get_context("fork").Process(target=lambda: lease_cards(2, "01", tmp_path).__enter__())
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
