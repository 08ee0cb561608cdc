import shutil
from types import SimpleNamespace

import pytest
import torch

from iqadistill import devices
from iqadistill.doctor import cards


@pytest.fixture
def driver(monkeypatch):
    """A driver that torch cannot use here."""
    monkeypatch.setattr(devices, "DRIVERS", ("/",))
    monkeypatch.setattr(cards, "DRIVERS", ("/",))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def two_cards(driver, monkeypatch):
    """Two cards, of which the second is busy, with the CPU behind them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda card: SimpleNamespace(name="H200", total_memory=(150, 80)[card] * 1e9),
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: ((149e9, 150e9), (3e9, 80e9))[card])
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1 << 26, 0, 1 << 26))


def test_machine_without_driver_computes_on_the_cpu(monkeypatch):
    monkeypatch.setattr(devices, "DRIVERS", ())
    monkeypatch.setattr(cards, "DRIVERS", ())
    assert [*cards.check_cards()] == [("ok", "device", "the CPU; there is no driver of a card")]
    assert [*cards.check_cards("cpu")] == [("ok", "device", "the CPU, as the study says")]
    (finding,) = cards.check_cards("cuda")
    assert finding.state == "problem" and finding.text.startswith("device: cuda is set but no CUDA device is usable")
    assert cards.memory_of_cards() == 0


def test_driver_beside_a_torch_for_the_cpu(driver, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    (finding,) = cards.check_cards()
    assert finding.state == "warning" and "is built for the CPU" in finding.text


def test_driver_that_torch_refuses(driver, monkeypatch):
    def refuse():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update.")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", refuse)
    (finding,) = cards.check_cards()
    assert finding.state == "warning" and "too old (found version 11040))" in finding.text
    assert "Please" not in finding.text
    (finding,) = cards.check_cards("cuda")
    assert finding.state == "problem" and "too old" in finding.text


@pytest.mark.parametrize("visible", ["", "-1", "9"])
def test_cards_that_are_hidden(driver, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (finding,) = cards.check_cards()
    assert finding.state == "warning" and f"CUDA_VISIBLE_DEVICES={visible!r}" in finding.text


def test_torch_that_cannot_be_imported(driver, monkeypatch):
    def refuse():
        raise ImportError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(devices, "_count_cards", refuse)
    (finding,) = cards.check_cards()
    assert finding.state == "problem" and "libcudart.so.13" in finding.text
    assert cards.memory_of_cards() == 0


def test_absent_torch_is_reported_among_the_packages(monkeypatch):
    monkeypatch.setattr(cards, "installed", lambda name: None)
    assert not list(cards.check_cards())


def test_cards_and_what_is_free_of_them(two_cards):
    first, second, shared = cards.check_cards()
    assert first == ("ok", "cuda:0", "H200, 149.0 GB of 150.0 GB free")
    assert second.state == "warning" and "3.0 GB of 80.0 GB free; another program" in second.text
    assert shared.state == "warning" and shared.subject == "shared"
    assert cards.memory_of_cards() == 80e9


def test_card_that_does_not_compute(two_cards, monkeypatch):
    def refuse(*_, device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors")

    monkeypatch.setattr(torch, "ones", refuse)
    first, *_ = cards.check_cards()
    assert first.state == "problem" and "H200 does not compute (CUDA error: no kernel image" in first.text


def test_more_names_than_cards(two_cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    (finding,) = cards.check_cards()
    assert finding.state == "problem" and "names 3 cards, 2 can be used" in finding.text
