import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from skimage import data

from iqadistill.errors import InputError
from iqadistill.models.registry import STUDENTS
from iqadistill.tables import as_table
from iqadistill.training.competitors.prediction import predict_images

BLURS = (0.0, 0.6, 1.2, 2.4, 4.0)
SCENES = (data.astronaut, data.chelsea, data.coffee, data.rocket)


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    """Photographs blurred more and more, with their splits: one scene for test in each of two."""
    folder = tmp_path_factory.mktemp("blurred")
    rows = []
    for scene in SCENES:
        image = scene()[40:232, 60:284]
        for level, blur in enumerate(BLURS):
            path = folder / f"{scene.__name__}_{level}.png"
            Image.fromarray(gaussian_filter(image, (blur, blur, 0))).save(path)
            rows.append((path.stem, str(path), 1 - level / 4, scene.__name__))
    frame = pd.DataFrame(rows, columns=["image_id", "path", "quality", "reference_id"])
    images = as_table(frame.assign(dataset="blurred", status="ok", is_reference=False), "images")
    roles = [
        frame[["image_id"]].assign(split=split, role=np.where(frame.reference_id == scene.__name__, "test", "train"))
        for split, scene in enumerate(SCENES[:2])
    ]
    return images, as_table(pd.concat(roles), "splits")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Photographs of other scenes, as references."""
    folder = tmp_path_factory.mktemp("pristine")
    rows = []
    for scene in (data.cat, data.immunohistochemistry, data.retina):
        Image.fromarray(scene()[:300, :300]).save(folder / f"{scene.__name__}.png")
        rows.append((scene.__name__, str(folder / f"{scene.__name__}.png")))
    frame = pd.DataFrame(rows, columns=["image_id", "path"])
    return as_table(frame.assign(dataset="pristine", status="ok", is_reference=True), "images")


def test_brisque_learns_to_order_unseen_contents(blurred):
    table = predict_images(STUDENTS["brisque"](), *blurred, None, student="brisque", workers=2)
    frame = table.to_pandas().merge(blurred[1].to_pandas(), on=["split", "image_id"])
    assert len(frame) == 2 * len(SCENES) * len(BLURS) and set(frame.student) == {"brisque"}
    for _, rows in frame[frame.role == "test"].groupby("split"):
        assert spearmanr(rows.prediction, rows.score).statistic > 0.6
    again = predict_images(STUDENTS["brisque"](), *blurred, None, student="brisque", workers=1)
    assert again.equals(table)


def test_brisque_sees_no_quality_of_test_images(blurred):
    images, splits = blurred
    tested = splits.filter(np.equal(splits["role"].to_numpy(), "test"))
    hidden = images.to_pandas()
    in_first = tested.filter(np.equal(tested["split"].to_numpy(), 0))["image_id"].to_pylist()
    hidden.loc[hidden.image_id.isin(in_first), "quality"] = 0.5
    brisque = STUDENTS["brisque"]()
    first, second = (
        predict_images(brisque, table, splits, None, student="brisque", workers=1).to_pandas().query("split == 0")
        for table in (images, as_table(hidden, "images"))
    )
    np.testing.assert_array_equal(first.prediction, second.prediction)


def test_niqe_is_the_same_in_every_split_and_falls_with_blur(blurred, pristine):
    niqe = STUDENTS["niqe"](pristine="pristine", patch=32, sharp=0.3)
    frame = predict_images(niqe, *blurred, pristine, student="niqe", workers=2).to_pandas()
    by_split = frame.pivot(index="image_id", columns="split", values="prediction")
    np.testing.assert_array_equal(by_split[0], by_split[1])
    scores = frame[frame.split == 0]
    assert spearmanr(scores.prediction, scores.score).statistic > 0.5


def test_niqe_says_what_is_missing(blurred, pristine):
    niqe = STUDENTS["niqe"](pristine="pristine", patch=192)
    with pytest.raises(InputError, match=r"patches of 192 pixels have texture, NIQE needs 37; set a smaller"):
        predict_images(niqe, *blurred, pristine, student="niqe", workers=1)
    with pytest.raises(InputError, match="dataset blurred: has no pristine images; name a dataset with references"):
        predict_images(niqe, *blurred, blurred[0], student="niqe", workers=1)
