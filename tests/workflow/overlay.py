"""A shipped study in miniature: its own experiments, with smaller numbers and test networks."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from miniatures import expect_miniatures, has_archive, serve

from iqadistill.config import Plan, check_study
from iqadistill.config.load import GRID_SECTIONS, REGISTRIES, _is_list, _named_after
from iqadistill.config.study import EvaluationSettings
from iqadistill.sampling.settings import SamplerSettings, SphereSamplerSettings
from iqadistill.settings import Settings

LARGEST = {
    "flat samplers": {"count": 3, "size": 48, "longer_side": 80},
    "sphere samplers": {"count": 10, "size": 48},  # of 10 draws, lat keeps 3 or more of every image
    "encoders": {"size": 48},
    "selectors": {"n_components": 2},
    "teachers": {"epochs": 1, "size": 80, "pristine_patches": 4}
    | {"cells": 2, "width": 4, "mixer_width": 8, "difference_depth": 1, "image_depth": 1},
    "students": {"epochs": 1, "size": 80, "splits": 1, "patches_per_epoch": 1, "blocks": 1}
    | {"hidden": 8, "depth": 1, "decoder_heads": 2, "intermediate_width": 8},
    "evaluation": {"splits": 2, "bootstrap": 100},
}
"""Numbers that the overlay shrinks, and to what; the second value of a grid is one more."""

ADDED = {
    *("n_components", "splits", "decoder_heads", "intermediate_width"),
    *("pristine_patches", "cells", "width", "mixer_width", "difference_depth", "image_depth"),
}
"""Numbers that are shrunk also where the study leaves them at a larger default."""

CNNS = ("test_resnet", "test_efficientnet")
TRANSFORMERS = ("test_vit", "test_vit2")
REDNETS = ("rednet26",)
NETWORKS = {"encoders": ("model",), "teachers": ("backbone",), "students": ("backbone", "stem")}
WEIGHTS = {"encoders": ("weights",), "teachers": ("weights",), "students": ("weights", "stem_weights")}
GRID_LENGTH = 2


class NotMerelySmaller(Exception):
    """An overlay changes more of a study than sizes."""


def overlay(shipped: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    """A study in miniature.

    Args:
        shipped: The study file as YAML gives it.
        urls: Address of the miniature archive of each dataset that is downloaded.

    Raises:
        NotMerelySmaller: The overlay would change more than sizes.
    """
    small = copy.deepcopy(dict(shipped))
    small["device"] = "cpu"
    small["datasets"] = {
        name: {**(entry or {}), "url": urls[name]} if name in urls else entry
        for name, entry in small["datasets"].items()
    }
    small["evaluation"] = _shrunk_entry("evaluation", small["evaluation"], EvaluationSettings)
    small["keep"] = _two_rates(small["keep"])
    for section in REGISTRIES.keys() & small.keys():
        small[section] = {
            name: _shrunk_entry(section, entry or {}, _settings(section, name, entry or {}))
            for name, entry in small[section].items()
        }
    check_merely_smaller(shipped, small)
    return small


def write_miniature(workflow, mirror, folder: Path, name: str) -> tuple[list[str], Plan]:
    """Serve miniatures of a study's official archives and write the overlay.

    Args:
        workflow: A copy of the workflow.
        mirror: The web server.
        folder: Empty folder for the unpacked archives.
        name: Name of the study's file, without suffix.

    Returns:
        The arguments of a run, and the plan of the study as it is shipped.
    """
    shipped = yaml.safe_load((workflow.folder / f"studies/{name}.yaml").read_text())
    official = [name for name in shipped["datasets"] if has_archive(name)]
    expect_miniatures(workflow.folder / "iqadistill/datasets/registry.yaml", official)
    small = overlay(shipped, {name: serve(mirror, name, folder) for name in official})
    (workflow.folder / "miniature.yaml").write_text(yaml.safe_dump(small, sort_keys=False))
    return ["--cores", "2", "--configfile", "miniature.yaml"], Plan(check_study(shipped))


def check_merely_smaller(shipped: Mapping[str, Any], small: Mapping[str, Any]) -> None:
    """Check that an overlay only shrinks numbers, grids and networks, and names where the files are.

    Args:
        shipped: The study file as YAML gives it.
        small: The overlaid study.

    Raises:
        NotMerelySmaller: Anything else differs; the message names it.
    """
    for path, before, after in _differences(shipped, small):
        if not _may_change(shipped, path, before, after):
            raise NotMerelySmaller(f"{'.'.join(path)}: {before!r} became {after!r}")


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def _differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Path, old and new value of all that differs between two trees; lists are compared as a whole."""
    if isinstance(after, Mapping) and (isinstance(before, Mapping) or before is None):
        before = before or {}
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), (*path, str(key)))
    elif before is ABSENT or after is ABSENT or before != after:
        yield path, before, after


def _largest(section: str, settings: type[Settings]) -> Mapping[str, int]:
    """Numbers that are shrunk in entries of a section."""
    if issubclass(settings, SphereSamplerSettings):
        section = "sphere samplers"
    elif issubclass(settings, SamplerSettings):
        section = "flat samplers"
    return LARGEST.get(section, {})


def _may_change(shipped: Mapping[str, Any], path: tuple[str, ...], before: Any, after: Any) -> bool:
    section, key = path[0], path[-1]
    if path == ("device",):
        return after == "cpu"
    if path == ("keep",):
        return after == _two_rates(before)
    if section == "datasets":
        return len(path) == 3 and key == "url" and isinstance(after, str)
    if section == "evaluation":
        settings: type[Settings] = EvaluationSettings
    elif section in REGISTRIES and len(path) == 3 and path[1] in shipped[section]:
        settings = _settings(section, path[1], shipped[section][path[1]] or {})
    else:
        return False
    if after is ABSENT or key not in settings.model_fields:
        return False
    if before is ABSENT:
        before = settings.model_fields[key].default
    if key in WEIGHTS.get(section, ()):
        return after == "none"
    if not _is_grid(section, key, before, settings):
        return _is_smaller(section, key, before, after, settings)
    return (
        isinstance(after, list)
        and len(after) == min(len(before), GRID_LENGTH)
        and all(after.count(value) == 1 for value in after)
        and all(_is_smaller(section, key, *pair, settings) for pair in zip(before, after, strict=False))
    )


def _is_smaller(section: str, key: str, before: Any, after: Any, settings: type[Settings]) -> bool:
    if before == after:
        return True
    if isinstance(before, list):
        same = isinstance(after, list) and len(after) == len(before)
        return same and all(_is_smaller(section, key, *pair, settings) for pair in zip(before, after, strict=True))
    if key in NETWORKS.get(section, ()):
        return after in _test_networks(before)
    number = key in _largest(section, settings) and isinstance(after, int) and after >= 1
    return number and (before is None or after <= before)


def _shrunk_entry(section: str, entry: Mapping[str, Any], settings: type[Settings]) -> dict[str, Any]:
    """An entry of a section with smaller numbers, shorter grids and test networks."""
    small = {key: _shrunk(section, key, value, settings) for key, value in entry.items()}
    for key, largest in _largest(section, settings).items():
        field = settings.model_fields.get(key)
        if key in ADDED and key not in entry and field and (field.default is None or field.default > largest):
            small[key] = largest
    for key in WEIGHTS.get(section, ()):
        if key in settings.model_fields and (key != "stem_weights" or entry.get("stem")):
            small[key] = "none"
    return small


def _shrunk(section: str, key: str, value: Any, settings: type[Settings]) -> Any:
    if _is_grid(section, key, value, settings):
        return [_shrunk_value(section, key, one, settings, place) for place, one in enumerate(value[:GRID_LENGTH])]
    return _shrunk_value(section, key, value, settings)


def _shrunk_value(section: str, key: str, value: Any, settings: type[Settings], place: int = 0) -> Any:
    """A value; `place` is its position in a grid, whose values stay distinct."""
    if isinstance(value, list):
        return [_shrunk_value(section, key, one, settings, place) for one in value]
    if key in NETWORKS.get(section, ()) and value is not None:
        networks = _test_networks(value)
        return networks[min(place, len(networks) - 1)]
    largest = _largest(section, settings).get(key)
    return value if largest is None or value is None else min(value, largest + place)


def _is_grid(section: str, key: str, value: Any, settings: type[Settings]) -> bool:
    """Whether a list stands for several entries, as the loader reads it."""
    if section not in GRID_SECTIONS or not isinstance(value, list):
        return False
    return not _is_list(settings, key) or any(isinstance(one, list) for one in value)


def _test_networks(network: str) -> tuple[str, ...]:
    """Test networks that stand for a network: of its kind."""
    if network.startswith("rednet"):
        return REDNETS
    return TRANSFORMERS if network.startswith(("vit", "deit")) else CNNS


def _two_rates(rates: list[float]) -> list[float]:
    """A rate below 1 and all patches, as far as a study has them."""
    below = [rate for rate in rates if rate < 1]
    return [*below[len(below) // 2 :][:1], *(rate for rate in rates if rate == 1)]


def _settings(section: str, name: str, entry: Mapping[str, Any]) -> type[Settings]:
    """The settings class of an entry."""
    registry = REGISTRIES[section]
    return registry[entry.get(registry.key) or _named_after(section, name, registry)]
