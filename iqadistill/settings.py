"""Settings: frozen, validated models. What a study file says is what samplers, selectors and trainings take."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from iqadistill.errors import InputError, nearest

Rate = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
# 255 bytes of a file name leave room for a digest and a suffix
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=200)]


class Settings(BaseModel):
    """Base of every settings model: immutable, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """Validate settings.

        Args:
            values: The settings by name.
            where: What they belong to, as the message names it, e.g. "selectors.residual".

        Raises:
            InputError: A setting is unknown (the nearest known one is named), missing or out of range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InputError(first_error(error, cls, where)) from None


def first_error(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """The first validation error as one sentence: the key, what was expected, what to do.

    Args:
        error: What pydantic raised.
        model: The model that was validated.
        where: Prefix of the key.
    """
    first = error.errors()[0]
    location, owner = _walk(model, [part for part in first["loc"] if part != "[key]"])
    key = ".".join([*([where] if where else []), *map(str, location)])
    kind, found = first["type"], first["input"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {nearest(str(location[-1]), owner.model_fields)}"
    if kind == "missing":
        return f"{key}: missing; give it (config.yaml shows every key)."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = first["ctx"].get("tag", "")
        discriminator = first["ctx"]["discriminator"].strip("'")
        known = [name.strip(" '") for name in first["ctx"].get("expected_tags", "").split(",")]
        return f"{key}.{discriminator}: unknown value {tag!r}; {nearest(tag, known)}"
    if kind == "literal_error" and isinstance(found, str):
        known = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{key}: unknown value {found!r}; {nearest(found, known)}"
    message = first["msg"].removeprefix("Value error, ")
    if message.endswith("."):  # a whole sentence, of an InputError
        return f"{key or model.__name__}: {message}"
    shown = "" if isinstance(found, Mapping) else f", found {found!r}"  # a whole entry would bury the sentence
    return f"{key or model.__name__}: {message[0].lower()}{message[1:]}{shown}; correct it."


def _walk(model: type[BaseModel], location: list[Any]) -> tuple[list[Any], type[BaseModel]]:
    """The location without the tags of unions, and the model that holds its last key."""
    keys: list[Any] = []
    choices: list[type[BaseModel]] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if last and isinstance(part, str) and keys and _is_plain_union(model, keys[-1]):
            continue  # the alternative that was tried, such as a number or one word
        if part in model.model_fields and not choices:
            keys.append(part)
            choices = list(_models_in(model.model_fields[part].annotation))
            continue
        tagged = next((choice for choice in choices if _tag_of(choice) == part), None)
        if tagged is not None and not last:
            model, choices = tagged, []
        else:
            keys.append(part)
            inner = next((choice for choice in choices if part in choice.model_fields), None)
            if inner is not None:
                model, choices = inner, list(_models_in(inner.model_fields[part].annotation))
            elif len(choices) == 1 and last:
                model = choices[0]
    return keys, model


def _is_plain_union(model: type[BaseModel], key: Any) -> bool:
    """Whether a model's key takes one of several kinds of values, none of them a model."""
    if key not in model.model_fields:
        return False
    annotation = model.model_fields[key].annotation
    return get_origin(annotation) in (Union, UnionType) and not list(_models_in(annotation))


def _tag_of(model: type[BaseModel]) -> Any:
    """The one value of a model's discriminating field; encoders, told apart by their backend, have a model as well."""
    for name in ("method", "backend", "model"):
        if name in model.model_fields:
            return model.model_fields[name].default
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
