from .bootstrap import Interval, bootstrap_interval
from .comparisons import compare_variants
from .correlation import krcc, plcc, rmse, srcc
from .label_only import predict_label_only
from .logistic import Logistic, fit_logistic
from .metrics import evaluate_predictions, summarise
from .paired import PairedTest, holm, paired_test

__all__ = [
    "Interval",
    "Logistic",
    "PairedTest",
    "bootstrap_interval",
    "compare_variants",
    "evaluate_predictions",
    "fit_logistic",
    "holm",
    "krcc",
    "paired_test",
    "plcc",
    "predict_label_only",
    "rmse",
    "srcc",
    "summarise",
]
