import argparse
from pathlib import Path

import pytest

from iqadistill.errors import InputError
from iqadistill.paths import check_output, expand, expand_url, path_argument


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
        ("x" * 255, "x" * 255),
        ("hub", "hub"),
    ],
)
def test_expand(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("~nobody_of_this_name/x", "unknown"),
        ("$NOT_SET_HERE/x", "is not set"),
        ("a\0b", "a character that no path can have"),
        ("a\nb", "a character that no path can have"),
        ("a\n", "a character that no path can have"),
        ("a\ud800", "a character that no path can have"),
        ("C:\\data", "backslash"),
        ("", "the path is empty"),
        (" ", "begins or ends with a blank"),
        ("data ", "begins or ends with a blank"),
        ("\u3000data", "begins or ends with a blank"),
        ("data/" + "ü" * 128, "longer than any file's"),
        ("a/" * 2048, "longer than any file's"),
    ],
)
def test_refused(given, message):
    with pytest.raises(InputError, match=message):
        expand(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://iqa.org/~ada/x.zip#top", "https://iqa.org/~ada/x.zip#top"),
        ("file:///data/x.zip", "file:///data/x.zip"),
        ("file://localhost/data/x%20y.zip", "file:///data/x%20y.zip"),
        ("file://~/x.zip", "file:///home/ada/x.zip"),
        ("file:///~/x.zip", "file:///home/ada/x.zip"),
        ("file://$HOME/x.zip", "file:///home/ada/x.zip"),
        ("file:///data/x#1?.zip", "file:///data/x%231%3F.zip"),
    ],
)
def test_address(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand_url(given) == expected


@pytest.mark.parametrize("given", ["file://", "file://data/x.zip", "file://./x.zip", "file://server/share/x.zip"])
def test_address_without_a_whole_path_is_refused(given):
    with pytest.raises(InputError, match="does not go on with a whole path after file://"):
        expand_url(given)


def test_argument(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_argument("~/m") == tmp_path / "m"
    assert path_argument("a\\$x") == Path("a\\$x")
    for given, message in (("~nobody_of_this_name/x", "unknown"), ("", "is empty"), ("x" * 256, "longer than")):
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            path_argument(given)


def test_argument_that_ends_with_a_blank(tmp_path):
    path = f"{tmp_path}/x \n"
    with pytest.raises(argparse.ArgumentTypeError, match="begins or ends with a blank, and there is no such file"):
        path_argument(path)
    Path(path).touch()
    assert path_argument(path) == Path(path)


def test_output_over_an_input_or_a_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    for file in ("new", "loop"):
        check_output("--out", Path(file), [Path("a"), Path("missing"), Path("loop")])
    for file in ("a", "link", "./a"):
        with pytest.raises(InputError, match=rf"^--out {Path(file)}: is a file that is read"):
            check_output("--out", Path(file), [Path("missing"), Path("a")])
    with pytest.raises(InputError, match="is a folder"):
        check_output("--out", tmp_path, [])
