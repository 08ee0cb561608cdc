from .creation import create_model
from .pretrained import load_packaged_lite0
from .registry import STUDENTS, TEACHERS

__all__ = [
    "STUDENTS",
    "TEACHERS",
    "create_model",
    "load_packaged_lite0",
]
