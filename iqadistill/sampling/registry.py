"""Registry of samplers."""

from iqadistill.registry import Registry
from iqadistill.sampling.settings import SamplerSettings

SAMPLERS = Registry("iqadistill.sampling.samplers", SamplerSettings, key="method", noun="sampler")
