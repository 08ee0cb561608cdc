"""Students and teachers by name."""

from iqadistill.models.registry import create_model

__all__ = ["create_model"]
