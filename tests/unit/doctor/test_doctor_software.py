import os
import subprocess
import sys

import pytest

from iqadistill.doctor import software


def states(findings):
    return [(finding.state, finding.subject) for finding in findings]


def test_pinned_versions_are_compared_with_the_installed_ones(folder, monkeypatch):
    monkeypatch.setattr(software, "installed", {"numpy": "2.1.0", "torch": "2.9.0+cu126", "scipy": "1.15"}.get)
    file = folder / "constraints.txt"
    file.write_text("# tested\n--index-url x\nnumpy==2.0.0\ntorch==2.9.0\nscipy==1.16\nabsent==1\n")
    state, _, text = software._pinned(file)
    assert state == "warning" and "2 of 3 packages differ" in text
    assert "numpy 2.1.0 (2.0.0), scipy 1.15 (1.16)" in text and f"pip install -c {file}" in text
    file.write_text("torch==2.9.0\n")
    assert software._pinned(file) == ("ok", "versions", "1 packages have the versions of constraints.txt")


def test_without_a_checkout_versions_are_not_compared(folder):
    state, _, text = software._pinned(folder / "constraints.txt")
    assert state == "ok" and "not compared" in text


def test_unsupported_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert software._python().state == "problem" and "3.11 or newer" in software._python().text


def test_code_of_another_checkout_is_named(folder):
    assert not list(software._checkout(folder))
    (folder / "iqadistill").mkdir()
    (folder / "iqadistill/__init__.py").touch()
    (folder / "Snakefile").touch()
    (finding,) = software._checkout(folder)
    assert finding.state == "warning" and str(software.PACKAGE) in finding.text and str(folder) in finding.text
    assert not list(software._checkout(software.PACKAGE.parent))


@pytest.mark.parametrize(("settings", "printed"), [({"PYTHONUTF8": "1"}, []), ({"PYTHONUTF8": "0"}, ["encoding"])])
def test_names_of_files_that_are_not_utf8_are_a_warning(settings, printed):
    code = "from iqadistill.doctor.software import _encoding; print([finding.subject for finding in _encoding()])"
    environment = os.environ | {"PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"} | settings
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(printed)
