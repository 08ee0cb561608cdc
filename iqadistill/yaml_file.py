"""YAML files as users write them: a key given twice, or text that YAML takes for something else, is refused."""

import json
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from iqadistill.errors import InputError

_BYTES = 10_000_000
_VALUES = 100_000  # with every alias written out
_DEPTH = 100
_INT = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"
_STR = "tag:yaml.org,2002:str"
_TEMPLATE = "__use_yte__"
_SCALARS = {_STR, _INT, "tag:yaml.org,2002:float"}


def read_yaml(file: str | Path) -> Any:
    """Content of a YAML (or JSON) file.

    Raises:
        InputError: The file is missing, is not valid YAML, gives a key twice, holds a key or a number that YAML reads
            as something else than what stands there, or is a template with code; file, line and key are named.
    """
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{file}: no such study file; correct the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{file}: cannot be read ({reason}); name a YAML file.") from None
    if len(content) > _BYTES:
        raise InputError(f"{file}: larger than 10 MB; name a YAML file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file}: not text in UTF-8; save it in this encoding.") from None
    try:
        if text.lstrip().startswith("{") and (found := _read_json(text)) is not None:
            return found
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node)
            if isinstance(node, yaml.MappingNode) and any(key.value == _TEMPLATE for key, _ in node.value):
                raise InputError(f"the key {_TEMPLATE} makes Snakemake run code in the file; write out its values.")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except RecursionError:
        raise InputError(f"{file}: entries within entries go too deep; no key needs more than a few levels.") from None
    # numbers and dates that no calendar and no computer has, such as 2024-02-31, are plain errors of values
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{file}: not a valid YAML file ({reason}); correct it.") from None


def _check(root: yaml.Node) -> None:
    """Check all nodes below a root."""
    for values, (node, depth) in enumerate(_walk(root, 0), 1):
        if values > _VALUES:
            raise InputError("aliases write out more than 100,000 values; write the entries themselves.")
        if depth > _DEPTH:
            raise InputError(f"line {_line(node)}: entries within entries go too deep, or an alias holds itself.")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        elif isinstance(node, yaml.ScalarNode) and node.tag == _INT and _looks_otherwise(node):
            raise InputError(
                f"line {_line(node)}: YAML reads {node.value} as another number (octal, or in sixties); write the "
                "number in plain digits, or text in quotes."
            )


def _walk(node: yaml.Node, depth: int) -> Iterator[tuple[yaml.Node, int]]:
    """All nodes with their depth, aliased ones each time; without recursion, which the file could exhaust."""
    stack = [(node, depth)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if isinstance(node, yaml.MappingNode):
            stack.extend((part, depth + 1) for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend((part, depth + 1) for part in node.value)


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[Hashable, int] = {}
    for key, _ in node.value:
        if key.tag == _MERGE:
            name: str = "<<"
        elif isinstance(key, yaml.ScalarNode) and key.tag in _SCALARS:
            name = key.value
        else:
            what = f"the key {key.value}" if isinstance(key, yaml.ScalarNode) and key.value else "a key"
            raise InputError(f"line {_line(key)}: YAML does not read {what} as text; put it in quotes.")
        if name in lines:
            raise InputError(
                f"line {_line(key)}: the key {name} is given twice (first in line {lines[name]}); remove one."
            )
        lines[name] = _line(key)


def _looks_otherwise(node: yaml.ScalarNode) -> bool:
    return ":" in node.value or re.fullmatch(r"[-+]?0[0-9_]+", node.value) is not None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _read_json(text: str) -> Any:
    """Content of JSON, whose tabs YAML may refuse; None for anything else."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise InputError(f"the key {name} is given twice; remove one.")
            found[name] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except InputError:
        raise
    except ValueError:
        return None
