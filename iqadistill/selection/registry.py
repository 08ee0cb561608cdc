"""Registry of selectors."""

from iqadistill.registry import Registry
from iqadistill.selection.settings import SelectorSettings

SELECTORS = Registry("iqadistill.selection.selectors", SelectorSettings, key="method", noun="selector")
