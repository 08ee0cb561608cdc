"""Image-quality assessment from dataset download to paper figures: sampling, selection, distillation, evaluation."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("iqadistill")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
