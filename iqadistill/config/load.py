"""From raw YAML to a checked `Study`: grids spread out, defaults by name, errors of one sentence."""

import itertools
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from iqadistill.config.grid import check_experiments
from iqadistill.config.study import FLAT_METHODS, SELECTOR_METHODS, SPHERE_METHODS, Study
from iqadistill.errors import InputError
from iqadistill.nearest import nearest

GRID_SECTION = "selectors"


def check_study(raw: Mapping[str, Any]) -> Study:
    """Validate a study.

    A list as the value of a selector's setting makes a grid: `residual_h: {n_components: [5, 10]}` becomes
    `residual_h.n_components-5` and `residual_h.n_components-10`, and experiments may name `residual_h` for both.

    Args:
        raw: The study file as YAML gives it.

    Raises:
        InputError: A key is unknown (the nearest valid one is named), missing or out of range, or an experiment names
            something the study does not define.
    """
    raw = dict(raw)
    _name_defaults(raw)
    raw["grids"] = _spread_grids(raw)
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise InputError(_sentence(error, raw)) from None
    check_experiments(study)
    return study


def _name_defaults(raw: dict[str, Any]) -> None:
    """An entry named after a method uses it; a dataset's source is its own name unless given."""
    methods = {"samplers": SPHERE_METHODS + FLAT_METHODS, "selectors": SELECTOR_METHODS}
    for section, known in methods.items():
        raw[section] = _entries(raw, section)
        for name, settings in raw[section].items():
            if "method" not in settings:
                stem = next(
                    (m for m in sorted(known, key=len, reverse=True) if name == m or name.startswith(f"{m}_")), None
                )
                if stem is None:
                    raise InputError(f"{section}.{name}: no method; give one of {', '.join(known)}.")
                settings["method"] = stem
    raw[GRID_SECTION].setdefault("random", {"method": "random"})  # the control of every selector
    raw["datasets"] = _entries(raw, "datasets")
    for name, settings in raw["datasets"].items():
        settings.setdefault("source", name)
    experiments = raw.get("experiments")
    if isinstance(experiments, list):
        raw["experiments"] = [
            {"name": e["figure"], **e} if isinstance(e, Mapping) and "figure" in e else e for e in experiments
        ]


def _entries(raw: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    entries = raw.get(section)
    if not isinstance(entries, Mapping):
        raise InputError(
            f"{section}: expected a mapping of names to settings ({{}} if nothing to set); see config.yaml."
        )
    for name, settings in entries.items():
        if settings is not None and not isinstance(settings, Mapping):
            raise InputError(
                f"{section}.{name}: expected a mapping of settings ({{}} if nothing to set), found {settings!r}."
            )
    return {str(name): dict(settings or {}) for name, settings in entries.items()}


def _spread_grids(raw: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    grids, spread = {}, {}
    for name, settings in raw[GRID_SECTION].items():
        axes = {key: value for key, value in settings.items() if isinstance(value, list)}
        members = {
            ".".join([name, *(f"{key}-{value}" for key, value in zip(axes, point, strict=True))]): {
                **settings,
                **dict(zip(axes, point, strict=True)),
            }
            for point in itertools.product(*axes.values())
        }
        if axes:
            grids[name] = tuple(members)
        spread |= members
    raw[GRID_SECTION] = spread
    return grids


def _sentence(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first thing wrong, as one sentence."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"] if part != "[key]"]
    where = ".".join(location)
    if first["type"] == "extra_forbidden":
        fields = _fields_at(Study, first["loc"][:-1])
        return f"{where}: unknown key; {nearest(location[-1], fields)}"
    if first["type"] == "missing":
        return f"{where}: missing; give it in the study file (config.yaml shows every key)."
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        known = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{where}: unknown value {first['input']!r}; {nearest(first['input'], known)}"
    return (
        f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r}; correct it in the study file."
    )


def _fields_at(model: type[BaseModel], location: tuple) -> list[str]:
    """Field names of the settings model at a location of an error."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            nested = [
                a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)
            ]
            model = nested[0] if nested else model
    return [name for name in model.model_fields if name != "grids"]
