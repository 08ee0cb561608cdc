"""Registry of encoders: one file of settings per backend."""

from iqadistill.encoders.settings import EncoderSettings
from iqadistill.registry import Registry

ENCODERS = Registry("iqadistill.encoders.backends", EncoderSettings, key="backend", noun="encoder")
