"""Mutated study files, as bytes and as trees: a plan or one sentence."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iqadistill.config.load import check_study
from iqadistill.config.study import AgainstSettings
from iqadistill.errors import InputError
from iqadistill.yaml_file import read_yaml

REPOSITORY = Path(__file__).parents[2]
STUDY = (REPOSITORY / "studies" / "own_images.yaml").read_bytes()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["../../x", "~", "$"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=5,
)
FAST = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def checked(raw):
    try:
        study = check_study(raw)
    except InputError as error:
        assert str(error).strip() and "Traceback" not in str(error)
        return
    for name in (study.name, *study.datasets, *study.samplers, *study.encoders, *study.selectors, *study.students):
        assert "/" not in name and not name.startswith(".")


@FAST
@given(st.lists(st.tuples(st.integers(0, len(STUDY) - 1), st.binary(max_size=4)), min_size=1, max_size=4))
def test_mutated_bytes(tmp_path, edits):
    content = bytearray(STUDY)
    for place, bytes_ in edits:
        content[place : place + max(1, len(bytes_))] = bytes_
    file = tmp_path / "study.yaml"
    file.write_bytes(content)
    try:
        raw = read_yaml(file)
    except InputError as error:
        assert "\n" not in str(error)
        return
    if isinstance(raw, dict):
        checked(raw)


def places(tree, path=()):
    if path:
        yield path
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from places(tree[key], (*path, key))


PLACES = sorted(places(yaml.safe_load(STUDY)), key=str)


@FAST
@given(st.sampled_from(PLACES), VALUES)
def test_mutated_trees(place, value):
    raw = yaml.safe_load(STUDY)
    owner = raw
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    checked(raw)


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", ".", "..", "a\0", "", "a\n"])
def test_names_stay_in_their_folder(name):
    raw = yaml.safe_load(STUDY)
    with pytest.raises(InputError):
        check_study({**raw, "name": name})
    with pytest.raises(InputError):
        check_study({**raw, "datasets": {name: {"source": "images"}}})


@pytest.mark.parametrize(
    ("section", "name", "entry", "message"),
    [
        ("selectors", "residual", {"alpha": []}, "an empty list"),
        ("selectors", False, {}, "not text"),
        ("samplers", "random_crops", {1: 2}, "not text"),
    ],
)
def test_found_before(section, name, entry, message):
    raw = yaml.safe_load(STUDY)
    with pytest.raises(InputError, match=message):
        check_study({**raw, section: {**raw[section], name: entry}})


def test_found_before_primary_against_nothing():
    with pytest.raises(ValueError, match="exactly one"):
        AgainstSettings(selector=None)
