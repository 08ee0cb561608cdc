"""Folders and users of the tests of `iqadistill doctor`."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def common_user(monkeypatch):
    """Working folder of a user who is not root, for whom permissions count."""
    home = Path(tempfile.mkdtemp())  # not below pytest's folder, which is root's alone
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    user = os.geteuid()
    if user == 0:
        for folder in (home, home / "work"):
            os.chown(folder, 65534, -1)
        os.seteuid(65534)
    yield home / "work"
    os.seteuid(user)
    shutil.rmtree(home)


@pytest.fixture
def program(folder, monkeypatch):
    """A function that installs a program, a shell script; no other is in the PATH but those of /bin."""
    (folder / "bin").mkdir()
    monkeypatch.setenv("PATH", str(folder / "bin"))

    def install(name, script="true"):
        file = folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return install
