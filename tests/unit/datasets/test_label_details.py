"""Details of the official label files that are easily misread."""

import numpy as np
import pandas as pd
import pytest
from official_archives import (
    cells,
    cviq_labels,
    livec_labels,
    oiqa_labels,
    place_images,
    write_archive,
    write_csiq,
    write_cviq,
    write_livec,
    write_oiqa,
    write_sheet,
)
from scipy.io import savemat

from iqadistill.datasets import index_dataset
from iqadistill.datasets.labels.official import read_official_labels
from iqadistill.errors import InputError


def labels(folder, name):
    """Official labels of a dataset, by image id."""
    return read_official_labels(name, folder).set_index("image_id")


def test_kadid_dmos_is_a_mean_opinion_and_var_a_standard_deviation(tmp_path, monkeypatch):
    table = labels(write_archive(tmp_path, "kadid10k"), "kadid10k")
    mild, strong = table.loc["images/I01_01_01"], table.loc["images/I01_01_05"]
    assert (mild.score, strong.score) == (4.4, 1.2) and mild.score_std == 0.5
    # the variance of opinions of mean m on the scale 1 to 5 is at most (5 - m)(m - 1)
    rated = table[~table.is_reference]
    assert (rated.score_std**2 <= (5 - rated.score) * (rated.score - 1)).all()


def test_live_copies_of_references_are_excluded(tmp_path):
    table = labels(write_archive(tmp_path, "live"), "live")
    assert not table.index.isin([f"{folder}/img1" for folder in ("jp2k", "jpeg", "wn", "gblur", "fastfading")]).any()
    assert table[table.is_reference].score.to_dict() == {"refimgs/ocean": 0, "refimgs/caps": 0}
    assert table[~table.is_reference].score.max() == pytest.approx(111.7)


def test_live_rows_follow_folder_and_image_number_order(tmp_path):
    table = labels(write_archive(tmp_path, "live"), "live")
    rated = table[~table.is_reference].sort_values("score")
    assert list(dict.fromkeys(name.split("/")[0] for name in rated.index)) == [
        "jp2k",
        "jpeg",
        "wn",
        "gblur",
        "fastfading",
    ]
    assert rated.index[:2].tolist() == ["jp2k/img2", "jp2k/img3"]  # img10 comes after img9, not after img1


def test_live_scores_that_are_not_realigned_are_refused(tmp_path):
    write_archive(tmp_path, "live")
    (tmp_path / "dmos_realigned.mat").rename(tmp_path / "dmos.mat")
    with pytest.raises(InputError, match=r"dmos\.mat .*dmos_realigned\.mat"):
        labels(tmp_path, "live")


def test_live_folder_with_missing_image_is_refused(tmp_path):
    write_archive(tmp_path, "live")
    (tmp_path / "wn/img6.bmp").unlink()
    with pytest.raises(InputError, match=r"\b32\b.*\b31\b"):
        labels(tmp_path, "live")


def test_csiq_sheet_is_read_below_empty_rows(tmp_path):
    table = labels(write_archive(tmp_path, "csiq"), "csiq")
    first = table.loc["dst_imgs/awgn/1600.AWGN.1"]
    assert first.distortion == "white_noise" and first.reference_id == "src_imgs/1600" and first.score_std == 0.05
    assert table.loc["dst_imgs/jpeg2000/lady_liberty.jpeg2000.5"].distortion == "jpeg2000"
    assert first["where"].endswith("csiq.DMOS.xlsx row 5")


def test_csiq_images_may_be_in_one_folder(tmp_path):
    rows = [["1600", 1, "jpeg 2000", 1, 0.1, 0.2], ["1600", 1, "blur", 2, 0.1, 0.4]]
    write_csiq(tmp_path, rows, flat=True)
    table = labels(tmp_path, "csiq")
    assert table.image.tolist()[:2] == ["dst_imgs_all/1600.jpeg2000.1.png", "dst_imgs_all/1600.BLUR.2.png"]


def test_csiq_text_list_equals_the_sheet(tmp_path):
    official = labels(write_archive(tmp_path, "csiq"), "csiq")
    rated = official[~official.is_reference]
    lines = [f"{image.split('/')[-1]} {score}" for image, score in zip(rated.image, rated.score, strict=True)]
    (tmp_path / "csiq.DMOS.xlsx").unlink()
    (tmp_path / "csiq_label.txt").write_text("\n".join(lines))
    read = labels(tmp_path, "csiq")
    same = ["score", "reference_id", "distortion", "level", "is_reference", "image"]
    pd.testing.assert_frame_equal(read[same], official[same])


def test_csiq_unknown_distortion_is_refused(tmp_path):
    write_csiq(tmp_path, [["1600", 1, "blur", 1, 0.1, 0.2]])
    (tmp_path / "csiq.DMOS.xlsx").unlink()
    (tmp_path / "csiq_label.txt").write_text("1600.fog.1.png 0.3\n")
    with pytest.raises(InputError, match=r"csiq_label\.txt row 1: distortion 'fog'"):
        labels(tmp_path, "csiq")


def test_tid_file_names_are_case_insensitive(tmp_path):
    table = labels(write_archive(tmp_path, "tid2013"), "tid2013")
    assert table.index.str.contains("/I").all()
    assert {path.split("/")[1][0] for path in table.image} == {"I", "i"}
    assert all((tmp_path / path).is_file() for path in table.image)
    assert table.loc["distorted_images/I01_24_5"].distortion == "sparse_sampling"


def test_tid_synthetic_reference_is_kept(tmp_path):
    table = labels(write_archive(tmp_path, "tid2013"), "tid2013")
    assert table.loc["reference_images/I25"].image == "reference_images/i25.bmp"
    assert (table.reference_id == "reference_images/I25").sum() == 16


def test_livec_training_images_are_excluded(tmp_path):
    table = labels(write_archive(tmp_path, "livec"), "livec")
    assert len(table) == 22 and table.loc["Images/99"].score == 49.5 and table.score_std.eq(18).all()
    assert table["where"].iloc[0].endswith("row 8")


def test_livec_text_list_equals_the_release(tmp_path):
    rows = livec_labels("miniature")
    write_livec(tmp_path, rows)
    official = labels(tmp_path, "livec")
    for file in (tmp_path / "Data").iterdir():
        file.unlink()
    lines = [f"Images/{name}\t{score}\trealistic blur\tplant\tinvalid\tinvalid\n" for name, score, _ in rows[7:]]
    (tmp_path / "clive_all_clip.txt").write_text("".join(lines))
    assert labels(tmp_path, "livec").score.equals(official.score)


def test_livec_list_without_image_100_is_refused_or_the_image_quarantined(tmp_path, monkeypatch):
    rows = [row for row in livec_labels("miniature")[7:] if row[0] != "100.bmp"]
    place_images(tmp_path / "Images", [name for name, *_ in rows])
    lines = [f"LIVE_Challenge/Images/{name},Authentic,{score}\n" for name, score, _ in rows]
    (tmp_path / "LIVE_Challenge.txt").write_text("".join(["dis_img_path,dis_type,score\n", *lines]))
    (tmp_path / "datasets.yaml").write_text(
        "mini: {title: Mini, kind: flat, origin: folder, labels: livec, distorted: 22, score: {}}"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"LIVE_Challenge\.txt: Images/100\.bmp .*mos"):
        index_dataset("mini", tmp_path, source="mini")
    images = index_dataset("mini", tmp_path, source="mini", on_error="quarantine")[0].to_pandas()
    assert images[images.status == "quarantined"].image_id.tolist() == ["Images/100"] and len(images) == 22


def test_koniq_scores_are_mean_opinions_in_both_files(tmp_path):
    official = labels(write_archive(tmp_path, "koniq10k"), "koniq10k")
    assert official.score.between(1, 5).all()
    (tmp_path / "koniq10k_scores_and_distributions.csv").unlink()
    from_sets = labels(tmp_path, "koniq10k")
    np.testing.assert_allclose(from_sets.score, official.score)
    assert from_sets.official_role.equals(official.official_role)
    assert official.official_role.value_counts().to_dict() == {"train": 20, "test": 6, "val": 4}


def test_koniq_without_sets_has_no_official_split(tmp_path):
    write_archive(tmp_path, "koniq10k")
    (tmp_path / "koniq10k_distributions_sets.csv").unlink()
    assert labels(tmp_path, "koniq10k").official_role.isna().all()


def test_livefb_images_are_found_with_and_without_database_folder(tmp_path):
    with_folder = labels(write_archive(tmp_path / "a", "livefb"), "livefb")
    write_archive(tmp_path / "b", "livefb")
    for subset in list((tmp_path / "b/database").iterdir()):
        subset.rename(tmp_path / "b" / subset.name)
    without = labels(tmp_path / "b", "livefb")
    assert with_folder.index.equals(without.index) and set(without.image) != set(with_folder.image)
    assert {name.split("/")[0] for name in without.index} == {"blur_dataset", "EE371R", "voc_emotic_ava"}


def test_livefb_test_images_have_a_side_above_640(tmp_path, monkeypatch):
    sizes = {"a": (640, 480), "b": (641, 480), "c": (480, 641), "d": (640, 640)}
    for name, size in sizes.items():
        place_images(tmp_path / "database/EE371R", [f"{name}.jpg"], size=size)
    (tmp_path / "labels_image.csv").write_text("name,mos\n" + "".join(f"EE371R/{n}.jpg,50\n" for n in sizes))
    (tmp_path / "datasets.yaml").write_text("mini: {title: M, kind: flat, origin: folder, labels: livefb, score: {}}")
    monkeypatch.chdir(tmp_path)
    images = index_dataset("mini", tmp_path, source="mini")[0].to_pandas()
    assert images.official_role.tolist() == ["train", "test", "test", "train"]


def test_spaq_text_list_equals_the_workbook(tmp_path):
    official = labels(write_archive(tmp_path, "spaq"), "spaq")
    (tmp_path / "Annotations/MOS and Image attribute scores.xlsx").unlink()
    lines = [
        f"SPAQ/Dataset/{image},Authentic,{score}\n" for image, score in zip(official.image, official.score, strict=True)
    ]
    (tmp_path / "SPAQ.txt").write_text("".join(["dis_img_path,dis_type,score\n", *lines]))
    assert labels(tmp_path, "spaq").score.equals(official.score)


def test_cviq_blocks_of_34_are_three_codecs_and_a_reference(tmp_path):
    table = labels(write_archive(tmp_path, "cviq"), "cviq")
    second = table[table.reference_id == "068"]
    assert len(second) == 34 and second.loc["068"].is_reference and second.loc["068"].score == 74
    assert second.loc[["035", "045", "046", "067"]].distortion.tolist() == ["jpeg", "jpeg", "h264", "hevc"]
    assert second.loc[["035", "045", "046", "067"]].level.tolist() == [1, 11, 1, 11]


def test_cviq_text_lists_equal_the_release(tmp_path):
    rows = cviq_labels("miniature")
    write_cviq(tmp_path, rows)
    official = labels(tmp_path, "cviq")
    (tmp_path / "CVIQ.mat").unlink()
    for part, reference in (("dis", False), ("ref", True)):
        lines = [f"{name} {score}\n" for name, score in rows if (int(name[:3]) % 34 == 0) is reference]
        (tmp_path / f"CVIQD_{part}_label.txt").write_text("".join(lines))
    read = labels(tmp_path, "cviq").loc[official.index]
    pd.testing.assert_frame_equal(read.drop(columns="where"), official.drop(columns="where"))


def test_oiqa_scenes_have_20_images_and_a_reference(tmp_path):
    table = labels(write_archive(tmp_path, "oiqa"), "oiqa")
    second = table[table.reference_id == "reference_images/2"]
    rated = second[~second.is_reference]
    assert rated.index.tolist() == [f"distorted_images/img{index}" for index in range(21, 41)]
    assert rated.distortion.tolist()[::5] == ["jpeg", "jpeg2000", "white_noise", "gaussian_blur"]
    assert rated.level.tolist() == [1, 2, 3, 4, 5] * 4
    assert second[second.is_reference].score.tolist() == [9]


def test_oiqa_uses_mos_and_not_z_scores(tmp_path):
    assert labels(write_archive(tmp_path, "oiqa"), "oiqa").score.max() == 9


@pytest.mark.parametrize(("rescaled", "match"), [(slice(None), "MOSz"), (slice(0, 40), "MOSz.* 40 .*126")])
def test_oiqa_z_scores_are_refused(tmp_path, rescaled, match):
    scores = oiqa_labels("miniature")["MOS"]
    scores[rescaled] = 20 + 6 * scores[rescaled]
    write_oiqa(tmp_path, {"MOS": scores})
    with pytest.raises(InputError, match=match):
        labels(tmp_path, "oiqa")


def test_oiqa_text_lists_equal_the_release(tmp_path):
    official = labels(write_archive(tmp_path, "oiqa"), "oiqa")
    (tmp_path / "360IQA_MOS.mat").unlink()
    scores = official.score.tolist()
    (tmp_path / "OIQA_dis_label.txt").write_text("".join(f"img{i} {s}\n" for i, s in enumerate(scores[:120], 1)))
    (tmp_path / "OIQA_ref_label.txt").write_text("".join(f"{i} {s}\n" for i, s in enumerate(scores[120:], 1)))
    assert labels(tmp_path, "oiqa").score.equals(official.score)
    (tmp_path / "OIQA_ref_label.txt").write_text("2 9.0\n1 9.0\n")
    with pytest.raises(InputError, match=r"OIQA_ref_label\.txt row 1: .*'2'.* 1"):
        labels(tmp_path, "oiqa")


def test_mvaqd_columns_are_reference_image_and_score(tmp_path):
    table = labels(write_archive(tmp_path, "mvaqd"), "mvaqd")
    assert table.loc["12"].reference_id == "1" and table.loc["12"].score == 2.5
    assert table[table.is_reference].index.tolist() == ["1", "35", "50"]
    assert table.distortion.isna().all() and table.level.isna().all()


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1)])
def test_mvaqd_columns_in_other_order_are_refused(tmp_path, order):
    write_archive(tmp_path, "mvaqd")
    file = tmp_path / "MVAQD_ref_dis_label.txt"
    rows = [line.split() for line in file.read_text().splitlines()]
    file.write_text("".join(" ".join(row[index] for index in order) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"MVAQD_ref_dis_label\.txt row"):
        labels(tmp_path, "mvaqd")


def test_div2k_is_pristine_and_unscored(tmp_path):
    table = labels(write_archive(tmp_path, "div2k"), "div2k")
    assert table.is_reference.all() and table.score.isna().all()
    assert table.index[0] == "DIV2K_train_HR/0001" and table.index[-1] == "DIV2K_valid_HR/0006"


RATINGS = "Annotations/MOS and Image attribute scores.xlsx"
REPEATED = "1.png 2.png 3\n1.png 2.png 4\n"


@pytest.mark.parametrize(
    ("name", "file", "content", "match"),
    [
        ("kadid10k", "dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I02.png,4,1\n", "row 2"),
        ("kadid10k", "dmos.csv", "dist_img,ref_img,dmos\nI01_01_01.png,I01.png,4\n", "'var'"),
        ("kadid10k", "dmos.csv", None, r"dmos\.csv"),
        ("tid2013", "mos_with_names.txt", "5.1\n", r"mos_with_names\.txt row 1: .*mos image"),
        ("tid2013", "mos_with_names.txt", "five i01_01_1.bmp\n", "row 1: mos 'five'"),
        ("tid2013", "mos_with_names.txt", "5 i01_25_1.bmp\n", "row 1: 'i01_25_1.bmp'"),
        ("spaq", RATINGS, [["Image", "MOS"], ["1.jpg", 2]], "Image name"),
        ("csiq", "csiq.DMOS.xlsx", b"not a workbook", r"csiq\.DMOS\.xlsx"),
        ("oiqa", "360IQA_MOS.mat", b"not a matrix", r"360IQA_MOS\.mat"),
        ("oiqa", "360IQA_MOS.mat", {"scores": [1, 2]}, r"MOS .*'scores'"),
        ("oiqa", "360IQA_MOS.mat", {"MOS": np.full(22, 5.0)}, "22 .* 20"),
        ("oiqa", "360IQA_MOS.mat", {"MOS": np.full(21, np.nan)}, "row 1: MOS"),
        ("cviq", "CVIQ.mat", {"CVIQ": cells(["001.png"] * 4, (2, 2))}, "row 1: mos '001.png'"),
        ("koniq10k", "koniq10k_distributions_sets.csv", "image_name,set\n1.jpg,dev\n", "set 'dev'"),
        ("mvaqd", "MVAQD_ref_dis_label.txt", REPEATED, "row 2: .*row 1"),
    ],
)
def test_invalid_label_file_is_refused(tmp_path, name, file, content, match):
    write_label_file(write_archive(tmp_path, name) / file, content)
    with pytest.raises(InputError, match=match) as caught:
        labels(tmp_path, name)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def write_label_file(file, content):
    """Replace a label file by text, bytes, MATLAB variables (dict) or workbook rows (list), or delete it (None)."""
    if content is None:
        file.unlink()
    elif isinstance(content, dict):
        savemat(file, content)
    elif isinstance(content, list):
        write_sheet(file, content)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
