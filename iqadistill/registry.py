"""Registries: the implementations of one axis of a study, one file each, found by their folder."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Generic, TypeVar, Union

from pydantic import Field

from iqadistill.errors import InputError, nearest
from iqadistill.settings import Settings

S = TypeVar("S", bound=Settings)


class Registry(Mapping[str, type[S]], Generic[S]):
    """The settings classes of a folder: file `kcenter.py` holds the one whose `key` is "kcenter".

    A file is imported when its entry is asked for, by name: no import statement leads to it, so an edit of one entry
    changes the code digest (`iqadistill.provenance.code_digest`) of the jobs that name it and of no others.

    Args:
        package: The folder's package, e.g. "iqadistill.selection.selectors".
        base: Class that the settings derive from.
        key: The settings' discriminating field: "method", "model" or "backend".
        noun: What an entry is called in messages, e.g. "selector".
    """

    def __init__(self, package: str, base: type[S], *, key: str, noun: str):
        self.package, self.base, self.key, self.noun = package, base, key, noun

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all entries, sorted."""
        spec = find_spec(self.package)
        folders = spec.submodule_search_locations if spec else None
        return tuple(sorted(module.name for module in pkgutil.iter_modules(folders)))

    def module(self, name: str) -> str:
        """Dotted name of the file that holds an entry.

        Raises:
            InputError: There is no such entry.
        """
        if name not in self.names:
            raise InputError(f"{self.noun}: unknown {self.key} {name!r}; {nearest(name, self.names)}")
        return f"{self.package}.{name}"

    def __getitem__(self, name: str) -> type[S]:
        module = importlib.import_module(self.module(name))
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and issubclass(value, self.base) and value.model_fields[self.key].default == name:
                return value
        raise TypeError(f"{module.__name__}: no {self.base.__name__} with {self.key} {name!r}.")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def create(self, values: Mapping[str, Any], where: str = "") -> S:
        """Validated settings of the entry that `values` names under the registry's key.

        Args:
            values: Settings by name, the key among them.
            where: What they belong to, as messages name it; default: the entry's name.

        Raises:
            InputError: The entry or a setting is unknown, missing or out of range.
        """
        if self.key not in values:
            raise InputError(f"{where or self.noun}: {self.key} is missing; give one of {', '.join(self.names)}.")
        name = values[self.key]
        return self[name].of(values, where or f"{self.noun} {name}")

    @property
    def union(self) -> Any:
        """The annotation of a field that holds the settings of any entry."""
        return Annotated[Union[tuple(self.values())], Field(discriminator=self.key)]  # noqa: UP007
