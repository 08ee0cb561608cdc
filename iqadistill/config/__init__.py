"""A study: one YAML file that stands alone, validated before any work starts."""

from iqadistill.config.grid import Cell, Sweep
from iqadistill.config.load import check_study
from iqadistill.config.study import Study

__all__ = ["Cell", "Study", "Sweep", "check_study"]
