from .jobs.plan import Plan
from .load import check_study
from .study import Study

__all__ = [
    "Plan",
    "Study",
    "check_study",
]
