"""Registry of choosers: one file per method."""

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.registry import Registry

CHOOSERS = Registry("iqadistill.choosing.choosers", ChooserSettings, key="method", noun="chooser")
