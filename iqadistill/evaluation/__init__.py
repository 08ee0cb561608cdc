"""How well predictions agree with opinions, how sure that is, and whether two variants differ."""

from iqadistill.evaluation.bootstrap import Interval, bootstrap_interval
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.evaluation.correlation import krcc, plcc, rmse, srcc
from iqadistill.evaluation.label_only import predict_label_only
from iqadistill.evaluation.logistic import Logistic, fit_logistic
from iqadistill.evaluation.metrics import evaluate_predictions, summarise
from iqadistill.evaluation.paired import PairedTest, holm, paired_test

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
