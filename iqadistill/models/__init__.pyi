from .creation import create_model

__all__ = [
    "create_model",
]
