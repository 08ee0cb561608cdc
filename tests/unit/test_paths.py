import argparse
from pathlib import Path

import pytest

from iqadistill.errors import InputError
from iqadistill.paths import expand, path_argument


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~", "/home/ada"),
        ("~/data/", "/home/ada/data"),
        ("$HOME/data", "/home/ada/data"),
        ("${HOME}", "/home/ada"),
        ("./~", "./~"),
        ("data/~x/$y", "data/~x/$y"),
        ("$5 off.png", "$5 off.png"),
        ("data//", "data"),
        ("/", "/"),
        ("with blank/grün", "with blank/grün"),
        ("hub", "hub"),
    ],
)
def test_expand(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand(given) == expected


@pytest.mark.parametrize("given", ["~nobody_of_this_name/x", "$NOT_SET_HERE/x", "a\0b", "a\nb", "C:\\data", "a\ud800"])
def test_refused(given):
    with pytest.raises(InputError, match="path"):
        expand(given)


def test_argument(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_argument("~/m") == tmp_path / "m"
    assert path_argument("a\\$x") == Path("a\\$x")
    with pytest.raises(argparse.ArgumentTypeError, match="unknown"):
        path_argument("~nobody_of_this_name/x")
