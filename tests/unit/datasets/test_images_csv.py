"""The columns of images.csv; references are given by path, id or file name, or are not listed."""

import pytest

from iqadistill.datasets.images_csv import read_images_csv
from iqadistill.datasets.registry import ScoreRecord
from iqadistill.errors import InputError


def read_rows(folder, text):
    """Write images.csv and read its rows."""
    (folder / "images.csv").write_text(text)
    return read_images_csv(folder / "images.csv", ScoreRecord())[0]


@pytest.mark.parametrize("reference", ["ref/p.png", "ref/p", "p.png", "p", "ref\\p.png", "./ref/p.png"])
def test_reference_may_be_path_id_or_file_name(tmp_path, reference):
    rows = read_rows(tmp_path, f"image,mos,reference\nref/p.png,,\nd/1.jpg,2,{reference}\nd/2.jpg,3,{reference}\n")
    assert rows.reference_id.tolist() == ["ref/p"] * 3
    assert rows.is_reference.tolist() == [True, False, False]


def test_images_of_an_unlisted_reference_share_a_content(tmp_path):
    rows = read_rows(tmp_path, "image,mos,reference\n1.jpg,2,I01.png\n2.jpg,3,I01.png\n3.jpg,3,\n")
    assert rows.reference_id.tolist() == ["I01.png", "I01.png", "3"]
    assert not rows.is_reference.any()


def test_scored_reference_is_used_unless_flagged(tmp_path):
    rows = read_rows(tmp_path, "image,mos,reference\np.png,5,p.png\n1.jpg,2,p.png\n")
    assert not rows.is_reference.any()


def test_chained_references_are_one_content(tmp_path):
    rows = read_rows(
        tmp_path, "image,mos,reference\na.png,1,b.png\nb.png,2,c\nc.png,,\nd.png,3,x\ne.png,4,d.png\nf.png,5,\n"
    )
    assert rows.reference_id.tolist() == ["c", "c", "c", "x", "x", "f"]
    assert rows.is_reference.tolist() == [False, False, True, False, False, False]


def test_unscored_image_in_a_chain_is_a_reference(tmp_path):
    rows = read_rows(tmp_path, "image,mos,reference\na.png,1,b.png\nb.png,,c.png\nc.png,,\n")
    assert rows.is_reference.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image,mos,reference\na/p.png,1,\nb/p.png,2,\n1.jpg,3,p.png\n", "row 4: reference 'p.png' .*'a/p'.*'b/p'"),
        ("image,mos,is_reference\na.png,1,perhaps\n", "row 2: is_reference 'perhaps'"),
        ("image,mos,level\na.png,1,2.5\n", "row 2: level 2.5"),
        ("image,mos\n/a.png,1\n", "row 2: image '/a.png'"),
        ("image,mos,score_std\na.png,1,-0.5\n", "row 2: score_std -0.5 is below 0"),
        ("image,mos,score_std\na.png,1,inf\n", "row 2: score_std 'inf' is not a number"),
        ("image,mos\n,1\n", "row 2: image '.'"),
        ("image,mos,reference\na.png,1,b.png\nb.png,2,a.png\n", "row 2: references .* a -> b -> a"),
        ("image,mos\na.png,1\na.jpg,2\n", "row 3: image 'a.jpg' .*'a.png' in row 2"),
    ],
)
def test_ambiguous_or_invalid_cell_is_refused(tmp_path, text, match):
    with pytest.raises(InputError, match=match):
        read_rows(tmp_path, text)


def test_region_is_read_and_written_in_one_form(tmp_path):
    rows = read_rows(tmp_path, "image,mos,region\n1.jpg,2,tile  0.2500 0.33333 .25 0.3333\n2.jpg,3,\n")
    assert rows.region[0] == "tile 0.25 0.3333 0.25 0.3333" and rows.region.isna().tolist() == [False, True]
    assert read_rows(tmp_path, "image,mos\n1.jpg,2\n2.jpg,3\n").region.isna().all()


@pytest.mark.parametrize(
    "region",
    ["tile", "disc 0 0 1 1", "tile 0 0 1", "band 0 0.9 1 0.2", "half 1 0 0.5 1", "tile 0 0 0 1", "half a b c d"],
)
def test_cell_without_a_region_is_refused(tmp_path, region):
    with pytest.raises(InputError, match=rf"images\.csv row 3: region '{region}'"):
        read_rows(tmp_path, f"image,mos,region\n1.jpg,2,\n2.jpg,3,{region}\n")


def test_what_programs_write_for_no_value_is_none(tmp_path):
    cells = ["", "NA", "nan", "None", "-", "null"]
    rows = read_rows(
        tmp_path, "image,mos,score_std,distortion\n" + "".join(f"{n}.png,1,{c},{c}\n" for n, c in enumerate(cells))
    )
    assert rows.score_std.isna().all() and rows.distortion.isna().all()


def test_letters_and_colons_that_are_no_drive_stay_names(tmp_path):
    names = ["a:b.png", "C:a.png", "~a.png", "$HOME/a.png", "x/~/a.png"]
    assert read_rows(tmp_path, "image,mos\n" + "".join(f"{name},1\n" for name in names)).image.tolist() == names
