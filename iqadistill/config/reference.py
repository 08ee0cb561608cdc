"""Reference of the keys of a settings model as Markdown, from its JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "object": "mapping"}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_HEADER = "| key | type | default | range | description |\n|---|---|---|---|---|"

Schema = Mapping[str, Any]


def reference(model: type[BaseModel], title: str) -> str:
    """Describe every key of a model, and of the models below it, in a table each.

    A field that holds a model gets a section of its own, named after the key; each member of a discriminated union gets
    one, named after the tag.

    Args:
        model: Model to describe.
        title: Headline of the page.

    Returns:
        Markdown, ending in a line break.
    """
    schema = model.model_json_schema()
    models = schema.get("$defs", {})
    sections = [f"# {title}", _summary(schema), _table(schema, models), *_sections(schema, models, 2)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _sections(schema: Schema, models: Mapping[str, Schema], depth: int, path: str = "") -> Iterator[str]:
    """Sections of the models that the keys of a model hold, in the order of the keys."""
    for key, field in schema.get("properties", {}).items():
        below, tag, members = f"{path}{key}", *_members(field)
        if not members:
            continue
        yield f"{'#' * depth} {below}"
        if tag:
            yield f"One of the following, by its `{tag}`."
        for value, name in members:
            if tag:
                yield f"{'#' * (depth + 1)} {below}: {tag} {value}"
            yield _summary(models[name])
            yield _table(models[name], models)
            yield from _sections(models[name], models, depth + 1 + bool(tag), f"{below}.")


def _members(field: Schema) -> tuple[str, list[tuple[str, str]]]:
    """The tag of a field's union ("" for a single model), and its models: value of the tag and name."""
    if "discriminator" in field:
        mapping = field["discriminator"]["mapping"]
        return field["discriminator"]["propertyName"], [(value, _name(ref)) for value, ref in mapping.items()]
    if "$ref" in field:
        return "", [("", _name(field["$ref"]))]
    for inner in _inner(field):
        tag, members = _members(inner)
        if members:
            return tag, members
    return "", []


def _inner(field: Schema) -> list[Schema]:
    """Schemas of what a field holds: entries of a list or a mapping, alternatives."""
    inner = [*field.get("anyOf", ()), *field.get("allOf", ()), *field.get("patternProperties", {}).values()]
    return inner + [field[key] for key in ("items", "additionalProperties") if isinstance(field.get(key), Mapping)]


def _name(ref: str) -> str:
    return ref.rsplit("/", 1)[-1]


def _summary(schema: Schema) -> str:
    """First paragraph of a model's docstring."""
    return " ".join(schema.get("description", "").split("\n\n")[0].split())


def _table(schema: Schema, models: Mapping[str, Schema]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (f"`{key}`", _type(field), _default(field, key in required), _range(field), _description(field, models))
        for key, field in schema.get("properties", {}).items()
    ]
    return "\n".join([_HEADER, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)])


def _type(field: Schema) -> str:
    """Type of a value in plain words."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return _alternatives([f"`{value}`" for value in field["enum"]])
    if "$ref" in field or "discriminator" in field:
        return "settings, see below"
    if "anyOf" in field:
        return _alternatives(
            list(dict.fromkeys(_type(inner) for inner in field["anyOf"] if inner.get("type") != "null"))
        )
    if field.get("type") == "array":
        if "prefixItems" in field:
            return f"list of {', '.join(_type(inner) for inner in field['prefixItems'])}"
        return f"list of {_plural(field.get('items', {}))}"
    entries = [*field.get("patternProperties", {}).values()]
    if isinstance(field.get("additionalProperties"), Mapping):
        entries.append(field["additionalProperties"])
    if entries:
        return f"mapping of names to {_plural(entries[0])}"
    return _TYPES.get(field.get("type", ""), "any value")


def _plural(field: Schema) -> str:
    word = _type(field)
    return f"{word}s" if word in ("integer", "number", "mapping") else word


def _alternatives(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _default(field: Schema, required: bool) -> str:
    if required:
        return "required"
    value = field.get("default")
    if value is None or isinstance(value, Mapping):
        return ""
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value}`"


def _range(field: Schema) -> str:
    """Bounds of a value, of the entries of a list or of a list's length."""
    bounds = [f"{sign} {field[key]:g}" for key, sign in _BOUNDS if key in field]
    if "pattern" in field:
        bounds.append(f"matches `{field['pattern']}`")
    if field.get("minItems", 0) and "prefixItems" not in field:
        bounds.append(f"at least {field['minItems']} {'entry' if field['minItems'] == 1 else 'entries'}")
    entries = field.get("items")
    if isinstance(entries, Mapping) and _range(entries):
        bounds.append(f"each {_range(entries)}")
    for inner in field.get("anyOf", ()):
        bounds += [_range(inner)] if _range(inner) else []
    return ", ".join(bounds)


def _description(field: Schema, models: Mapping[str, Schema]) -> str:
    """Description of a key, or of the model that it holds."""
    described = models[_name(field["$ref"])] if "$ref" in field and "description" not in field else field
    return _summary(described)
