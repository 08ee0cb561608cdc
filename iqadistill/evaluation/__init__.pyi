from .comparisons import compare_variants
from .contents import CrossDatasetTests
from .correlation import krcc, plcc, rmse, srcc
from .label_only import predict_label_only
from .levels import Level, level_over_splits
from .logistic import Logistic, fit_logistic
from .metrics import evaluate_predictions
from .paired import PairedTest, holm, paired_test
from .summary import summarise

__all__ = [
    "CrossDatasetTests",
    "Level",
    "Logistic",
    "PairedTest",
    "compare_variants",
    "evaluate_predictions",
    "fit_logistic",
    "holm",
    "krcc",
    "level_over_splits",
    "paired_test",
    "plcc",
    "predict_label_only",
    "rmse",
    "srcc",
    "summarise",
]
