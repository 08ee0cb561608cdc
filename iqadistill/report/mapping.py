"""Warnings about the mapping before PLCC and RMSE."""

import pandas as pd


def mapping_warnings(metrics: pd.DataFrame) -> list[str]:
    """One sentence per dataset and student: in how many fits a line stands in for the logistic; none where in none.

    Args:
        metrics: Table "metrics".
    """
    fitted = metrics[(metrics.dataset == metrics.train_dataset) & metrics.mapping.notna()]
    sentences = []
    for (dataset, student), fits in fitted.groupby(["dataset", "student"], sort=False):
        lines = fits[fits.mapping == "line"]
        if len(lines):
            sentences.append(
                f"{dataset}: in {len(lines)} of {len(fits)} logistic fits of {student}, one for each variant and split,"
                " the best curve fell, was flat or did not converge. A rising line stands in, and PLCC is that without"
                " logistic there."
            )
    return sentences
