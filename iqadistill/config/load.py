"""From raw YAML to a checked `Study`: grids spread out, defaults by name, errors of one sentence."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from iqadistill.config.checks import check_experiments
from iqadistill.config.students import STUDENT_MODELS
from iqadistill.config.study import FLAT_METHODS, SELECTOR_METHODS, SPHERE_METHODS, Study
from iqadistill.config.teachers import TEACHER_MODELS
from iqadistill.errors import InputError, nearest

GRID_SECTIONS = ("selectors", "students")
# settings whose value is a list by itself, so that a grid of them is a list of lists; an mlp's dropout is another
LISTS = ("hidden", "flips", "tokens", "generator")


def check_study(raw: Mapping[str, Any]) -> Study:
    """Validate a study.

    A list as the value of a selector's or a deep student's setting makes a grid: `residual_h: {n_components: [5, 10]}` becomes
    `residual_h.n_components-5` and `residual_h.n_components-10`, and experiments may name `residual_h` for both. Of a setting that is a
    list by itself, a list of lists makes one.

    Args:
        raw: The study file as YAML gives it.

    Raises:
        InputError: A key is unknown (the nearest valid one is named), missing or out of range, or an experiment names
            something the study does not define.
    """
    raw = dict(raw)
    _name_defaults(raw)
    raw["grids"] = {name: members for section in GRID_SECTIONS for name, members in _spread_grids(raw, section).items()}
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise InputError(_sentence(error, raw)) from None
    check_experiments(study)
    return study


def _name_defaults(raw: dict[str, Any]) -> None:
    """An entry named after a method or model uses it; a dataset's source is its own name unless given."""
    methods = (
        ("samplers", "method", SPHERE_METHODS + FLAT_METHODS),
        ("selectors", "method", SELECTOR_METHODS),
        ("teachers", "model", TEACHER_MODELS),
        ("students", "model", STUDENT_MODELS),
    )
    raw.setdefault("teachers", {})
    for section, key, known in methods:
        raw[section] = _entries(raw, section)
        for name, settings in raw[section].items():
            if key not in settings:
                stem = next(
                    (m for m in sorted(known, key=len, reverse=True) if name == m or name.startswith(f"{m}_")), None
                )
                if stem is None:
                    raise InputError(f"{section}.{name}: no {key}; give one of {', '.join(known)}.")
                settings[key] = stem
    raw["selectors"].setdefault("random", {"method": "random"})  # the control of every selector
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


def _spread_grids(raw: dict[str, Any], section: str) -> dict[str, tuple[str, ...]]:
    grids, spread = {}, {}
    for name, settings in raw[section].items():
        own_lists = (*LISTS, "dropout") if settings.get("model") == "mlp" else LISTS
        axes = {
            key: value
            for key, value in settings.items()
            if isinstance(value, list) and (key not in own_lists or any(isinstance(one, list) for one in value))
        }
        members = {
            ".".join([name, *(f"{key}-{_joined(value)}" for key, value in zip(axes, point, strict=True))]): {
                **settings,
                **dict(zip(axes, point, strict=True)),
            }
            for point in itertools.product(*axes.values())
        }
        if axes:
            grids[name] = tuple(members)
        spread |= members
    raw[section] = spread
    return grids


def _joined(value: Any) -> str:
    """A setting's value as a part of a name."""
    return "-".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _sentence(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first thing wrong, as one sentence."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"] if part != "[key]"]
    if location[0] in ("students", "teachers") and len(location) > 2:
        del location[2]  # the model whose settings were tried
    where = ".".join(location)
    if first["type"] == "extra_forbidden":
        fields = _fields_at(Study, first["loc"][:-1])
        return f"{where}: unknown key; {nearest(location[-1], fields)}"
    if first["type"] == "missing":
        return f"{where}: missing; give it in the study file (config.yaml shows every key)."
    if first["type"] == "union_tag_invalid":
        known = TEACHER_MODELS if location[0] == "teachers" else STUDENT_MODELS
        return f"{where}.model: unknown value {first['ctx']['tag']!r}; {nearest(first['ctx']['tag'], known)}"
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        known = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{where}: unknown value {first['input']!r}; {nearest(first['input'], known)}"
    return (
        f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r}; correct it in the study file."
    )


def _fields_at(model: type[BaseModel], location: tuple) -> list[str]:
    """Field names of the settings model at a location of an error."""
    choices: list[type[BaseModel]] = []
    for part in location:
        if part in model.model_fields:
            choices = list(_models_in(model.model_fields[part].annotation))
            model = choices[0] if choices else model
        else:  # of several models, the one whose settings were tried
            model = next(
                (m for m in choices if "model" in m.model_fields and m.model_fields["model"].default == part), model
            )
    return [name for name in model.model_fields if name != "grids"]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
