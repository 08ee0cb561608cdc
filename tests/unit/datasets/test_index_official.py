"""The index of official files: counts, missing and broken images, large panoramas, user datasets."""

import pytest
from official_archives import place_images, write_archive
from PIL import Image

from iqadistill.datasets import index_dataset
from iqadistill.errors import InputError

ENTRY = "mini: {{title: Mini set, kind: {kind}, origin: folder, labels: {labels}, {counts}score: {{}}}}"


@pytest.fixture
def index_archive(tmp_path, monkeypatch):
    """A function that indexes an archive through a user's entry in datasets.yaml."""
    monkeypatch.chdir(tmp_path)

    def index(labels, kind="flat", counts="", folder=tmp_path / "root", **settings):
        (tmp_path / "datasets.yaml").write_text(ENTRY.format(kind=kind, labels=labels, counts=counts))
        images, facts = index_dataset("mini", folder, source="mini", **settings)
        return images.to_pandas().set_index("image_id"), facts

    return index


def test_user_dataset_takes_score_column_and_direction_of_its_label_format(tmp_path, index_archive):
    write_archive(tmp_path / "root", "live")
    images, facts = index_archive("live")
    assert facts["scores"] == "as given in the official label files" and facts["score_column"] == "dmos"
    assert images.loc["refimgs/caps"].quality > 0.9 > 0.1 > images[~images.is_reference].quality.min()


@pytest.mark.parametrize(
    ("counts", "match"),
    [("distorted: 31, ", "30 .*Mini set.* 31"), ("references: 4, ", "3 references.* 4")],
)
def test_unexpected_image_count_is_refused(tmp_path, index_archive, counts, match):
    write_archive(tmp_path / "root", "kadid10k")
    assert len(index_archive("kadid10k", counts="distorted: 30, references: 3, ")[0]) == 33
    with pytest.raises(InputError, match=match):
        index_archive("kadid10k", counts=counts)


def test_missing_and_broken_images_are_refused_or_quarantined(tmp_path, index_archive):
    write_archive(tmp_path / "root", "kadid10k")
    missing, broken = (tmp_path / "root/images" / name for name in ("I01_01_02.png", "I02_25_05.png"))
    broken.unlink()
    broken.write_bytes(b"BM")
    with pytest.raises(InputError, match=r"I02_25_05\.png: "):
        index_archive("kadid10k")
    missing.unlink()
    with pytest.raises(InputError, match=r"dmos\.csv row 3: .*I01_01_02\.png"):
        index_archive("kadid10k")
    images, _ = index_archive("kadid10k", counts="distorted: 30, ", on_error="quarantine", workers=2)
    bad = images[images.status == "quarantined"]
    assert bad.index.tolist() == ["images/I01_01_02", "images/I02_25_05"]
    assert "I01_01_02.png" in bad.reason.iloc[0] and "I02_25_05.png" in bad.reason.iloc[1]


def test_score_outside_the_scale_is_refused_before_decoding(tmp_path, index_archive):
    write_archive(tmp_path / "root", "tid2013")
    file = tmp_path / "root/mos_with_names.txt"
    file.write_text(file.read_text().replace("5.96667 ", "59.6667 "))
    (tmp_path / "root/distorted_images/I01_01_1.BMP").unlink()
    (tmp_path / "root/distorted_images/I01_01_1.BMP").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"mos_with_names\.txt row 1: mos 59\.6667 .* 0 to 9"):
        index_archive("tid2013")


def test_images_csv_takes_precedence_over_the_official_labels(tmp_path, index_archive):
    write_archive(tmp_path / "root", "kadid10k")
    (tmp_path / "root/images.csv").write_text("image,mos\nimages/I01_01_01.png,1\nimages/I01_01_02.png,2\n")
    images, facts = index_archive("kadid10k", counts="distorted: 30, ")
    assert len(images) == 2 and facts["scores"] == "as given in images.csv"


def test_large_panorama_is_accepted_and_other_aspect_ratio_refused(tmp_path, index_archive):
    root = write_archive(tmp_path / "root", "mvaqd")
    (root / "12.png").unlink()
    Image.new("1", (13320, 6660)).save(root / "12.png")
    images, _ = index_archive("mvaqd", kind="sphere")
    assert (images.loc["12"].width, images.loc["12"].height) == (13320, 6660)
    (root / "13.png").unlink()
    place_images(root, ["13.png"], size=(17, 8))
    with pytest.raises(InputError, match=r"MVAQD_ref_dis_label\.txt row 3: .*13\.png.* 17x8"):
        index_archive("mvaqd", kind="sphere")


def test_index_does_not_depend_on_enclosing_folder(tmp_path, index_archive):
    write_archive(tmp_path / "plain", "csiq")
    write_archive(tmp_path / "wrapped/CSIQ", "csiq")
    plain, wrapped = (
        index_archive("csiq", folder=tmp_path / name)[0].drop(columns="path") for name in ("plain", "wrapped")
    )
    assert plain.equals(wrapped)
