import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation import evaluate_predictions
from iqadistill.tables import as_table

IMAGES = 40


class ToyResults:
    """Tables of a few variants on one dataset with four splits."""

    VARIANTS = (
        ("erp", "enc", "all", 1.0, "mlp"),
        ("lat", "enc", "all", 1.0, "mlp"),
        ("lat", "other", "all", 1.0, "mlp"),
        *(("lat", "enc", selector, keep, "mlp") for selector in ("residual", "random") for keep in (0.2, 0.5)),
        ("", "", "", 1.0, "label_only"),
    )

    def __init__(self, seed=0):
        generator = np.random.default_rng(seed)
        names = [f"image{i:02d}" for i in range(IMAGES)]
        quality = generator.random(IMAGES)
        self.images = as_table(
            pd.DataFrame(
                {
                    "dataset": "toy",
                    "image_id": names,
                    "quality": quality,
                    "reference_id": [f"content{i // 4}" for i in range(IMAGES)],
                    "distortion": np.repeat(["blur", "noise"], IMAGES // 2),
                    "level": np.tile([1, 2, 3, 4], IMAGES // 4),
                }
            ),
            "images",
        )
        self.tables = {"toy": self.images}
        roles = ["test"] * 10 + ["train"] * 30
        splits = [pd.DataFrame({"split": s, "image_id": names, "role": generator.permutation(roles)}) for s in range(4)]
        self.splits = {"toy": as_table(pd.concat(splits), "splits")}
        rows = [
            pd.DataFrame(
                {"image_id": names, "score": quality, "prediction": quality + 0.2 * generator.normal(size=IMAGES)}
            )
            .assign(dataset="toy", train_dataset="toy", sampler=sampler, encoder=encoder, selector=selector)
            .assign(keep=keep, teacher="", student=student, split=split, num_patches=3)
            for sampler, encoder, selector, keep, student in self.VARIANTS
            for split in range(4)
        ]
        self.predictions = as_table(pd.concat(rows), "predictions")

    def roles(self, split):
        """Role of each image in a split."""
        frame = self.splits["toy"].to_pandas()
        return frame[frame.split == split].set_index("image_id").role


@pytest.fixture
def toy_results():
    """Class that builds small results."""
    return ToyResults


@pytest.fixture
def cross_dataset():
    """Small results of three students with their metrics, also tested on another dataset, in other order."""
    toy = ToyResults()
    frame = toy.predictions.to_pandas().query("selector == 'all' and sampler == 'erp'")
    generator = np.random.default_rng(9)
    students = [
        frame.assign(student=name, prediction=frame.prediction + 0.1 * generator.normal(size=len(frame)))
        for name in ("a", "b", "c")
    ]
    home = pd.concat(students)
    away = home.assign(dataset="other", image_id="other/" + home.image_id)
    away["prediction"] += 0.1 * generator.normal(size=len(away))
    toy.home = as_table(home, "predictions")
    toy.predictions = as_table(pd.concat([home, away.sample(frac=1, random_state=0)]), "predictions")
    other = toy.images.to_pandas()
    toy.tables["other"] = as_table(other.assign(dataset="other", image_id="other/" + other.image_id), "images")
    return toy, evaluate_predictions(toy.predictions, toy.splits)
