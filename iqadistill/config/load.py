"""From raw YAML to a checked `Study`: parameter grids expanded, defaults by name, errors of one sentence."""

import itertools
from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import ValidationError

from iqadistill.config.checks.study_checks import check_study_entries
from iqadistill.config.study import Study
from iqadistill.encoders.registry import ENCODERS
from iqadistill.errors import InputError
from iqadistill.models.registry import STUDENTS, TEACHERS
from iqadistill.registry import Registry
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.selection.registry import SELECTORS
from iqadistill.settings import Settings, first_error

REGISTRIES: dict[str, Registry] = {
    "samplers": SAMPLERS,
    "encoders": ENCODERS,
    "selectors": SELECTORS,
    "teachers": TEACHERS,
    "students": STUDENTS,
}
GRID_SECTIONS = ("selectors", "students")
RENAMED = {"pretrained": "weights", "stem_pretrained": "stem_weights", "picture_depth": "image_depth"}
_WEIGHTS = {True: "hub", False: "none"}


def check_study(raw: Mapping[str, Any]) -> Study:
    """Validate a study.

    A list as the value of a selector's or a student's setting makes a grid: `residual_h: {n_components: [5, 10]}`
    becomes `residual_h.n_components-5` and `residual_h.n_components-10`, and experiments may name `residual_h` for
    both. For a setting that is a list by itself, such as `hidden`, a list of lists makes one.

    Args:
        raw: The study file as YAML gives it.

    Raises:
        InputError: A key is unknown (the nearest valid one is named), missing or out of range, or an experiment names
            something the study does not define.
    """
    raw = _named_settings("study", raw)
    _fill_in_names(raw)
    grids = {name: members for section in GRID_SECTIONS for name, members in _expand_grids(raw, section).items()}
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise InputError(first_error(error, Study)) from None
    study._grids.update(grids)
    check_study_entries(study)
    return study


def _fill_in_names(raw: dict[str, Any]) -> None:
    """An entry named after a method or model uses it; a dataset's source is its name unless given."""
    raw.setdefault("teachers", {})
    for section, registry in REGISTRIES.items():
        raw[section] = _entries(raw, section)
        for name, settings in raw[section].items():
            _refuse_renamed(f"{section}.{name}", settings)
            if registry.key not in settings:
                settings[registry.key] = _named_after(section, name, registry)
    raw["selectors"].setdefault("random", {"method": "random"})  # the control of every selector
    raw["datasets"] = _entries(raw, "datasets")
    for name, settings in raw["datasets"].items():
        settings.setdefault("source", name)
    experiments = raw.get("experiments")
    if isinstance(experiments, list):
        raw["experiments"] = [
            {"name": e["figure"], **e} if isinstance(e, Mapping) and "figure" in e else e for e in experiments
        ]


def _named_after(section: str, name: str, registry: Registry) -> str:
    """The registered entry that a name begins with; the only one there is needs no such name."""
    if len(registry) == 1:
        return registry.names[0]
    by_length = sorted(registry.names, key=len, reverse=True)
    entry = next((known for known in by_length if name == known or name.startswith(f"{known}_")), None)
    if entry is None:
        raise InputError(f"{section}.{name}: no {registry.key}; give one of {', '.join(registry.names)}.")
    return entry


def _refuse_renamed(where: str, settings: Mapping[str, Any]) -> None:
    for old, new in RENAMED.items():
        if old in settings:
            value = _WEIGHTS.get(settings[old], settings[old]) if isinstance(settings[old], bool) else settings[old]
            raise InputError(f"{where}.{old}: this key is called {new}; write {new}: {value}.")


def _entries(raw: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    entries = raw.get(section)
    if not isinstance(entries, Mapping):
        raise InputError(
            f"{section}: expected a mapping of names to settings ({{}} if nothing to set); see config.yaml."
        )
    for name, settings in entries.items():
        if not isinstance(name, str):
            raise InputError(f"{section}: the name {name!r} is not text as YAML reads it; put it in quotes.")
        if settings is not None and not isinstance(settings, Mapping):
            raise InputError(
                f"{section}.{name}: expected a mapping of settings ({{}} if nothing to set), found {settings!r}."
            )
    return {name: _named_settings(f"{section}.{name}", settings or {}) for name, settings in entries.items()}


def _named_settings(where: str, settings: Mapping[Any, Any]) -> dict[str, Any]:
    for key in settings:
        if not isinstance(key, str):
            raise InputError(f"{where}: the key {key!r} is not text as YAML reads it; put it in quotes.")
    return dict(settings)


def _expand_grids(raw: dict[str, Any], section: str) -> dict[str, tuple[str, ...]]:
    """Replace every entry with lists as values by its members; returns the members of each grid."""
    registry = REGISTRIES[section]
    grids: dict[str, tuple[str, ...]] = {}
    expanded: dict[str, dict[str, Any]] = {}
    for name, settings in raw[section].items():
        entry = settings[registry.key]
        fields = registry[entry] if entry in registry.names else Settings
        axes = {
            key: value
            for key, value in settings.items()
            if isinstance(value, list) and (not _is_list(fields, key) or any(isinstance(one, list) for one in value))
        }
        empty = next((key for key, value in axes.items() if not value), None)
        if empty is not None:
            raise InputError(f"{section}.{name}.{empty}: an empty list; give at least one value.")
        members = {
            ".".join([name, *(f"{key}-{_joined(value)}" for key, value in zip(axes, point, strict=True))]): {
                **settings,
                **dict(zip(axes, point, strict=True)),
            }
            for point in itertools.product(*axes.values())
        }
        if axes:
            grids[name] = tuple(members)
        expanded |= members
    raw[section] = expanded
    return grids


def _is_list(fields: type[Settings], key: str) -> bool:
    """Whether a setting is a list by itself."""
    return key in fields.model_fields and get_origin(fields.model_fields[key].annotation) is tuple


def _joined(value: Any) -> str:
    """A setting's value as a part of a name."""
    return "-".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
