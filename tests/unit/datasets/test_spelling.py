"""One image under several spellings: one content, or refused; what is missing on disk is named by its nearest file."""

import unicodedata
import warnings

import pytest
from official_archives import write_archive
from PIL import Image

from iqadistill.datasets import index_dataset
from iqadistill.datasets.images_csv import read_images_csv
from iqadistill.datasets.labels.official import read_official_labels
from iqadistill.datasets.registry import ScoreRecord
from iqadistill.datasets.spelling import folded, nearest_file
from iqadistill.errors import InputError

NFC, NFD = (unicodedata.normalize(form, "é.bmp") for form in ("NFC", "NFD"))
SPELLINGS = ["I02.bmp", "i02.bmp", "I02.BMP", "I02", '"I02 "', "./I02.bmp", "refs/I02.bmp", "refs\\I02.bmp", "I02.png"]
SPELLINGS += ["REFS//i02", "\u200bI02.bmp", "I\uff102", "refs/./I02.bmp", "I02.", "I02.bmp.", "I02.bmp.png", "I02..BMP"]
SPELLINGS += [
    "I02 .bmp",
    "I02. bmp",
    "refs/I02/",
    "\uff29\uff10\uff12\uff0e\uff42\uff4d\uff50",
    "I02.nef",
]


def contents(folder, *references, listed=()):
    """Contents of images that name these references; `listed` are further images of the listing."""
    rows = [f"{name},\n" for name in listed] + [f"d/{row}.png,{name}\n" for row, name in enumerate(references)]
    text = "image,mos,reference\n" + "".join(row.replace(",", ",3,", 1) for row in rows)
    (folder / "images.csv").write_text(text)
    return read_images_csv(folder / "images.csv", ScoreRecord())[0].reference_id.tolist()[len(listed) :]


@pytest.mark.parametrize("listed", [(), ("refs/I02.bmp",)])
def test_spellings_of_a_reference_are_one_content(tmp_path, listed):
    assert len(set(contents(tmp_path, *SPELLINGS, listed=listed))) == 1
    assert len(set(contents(tmp_path, *reversed(SPELLINGS), listed=listed))) == 1
    if listed:
        assert set(contents(tmp_path, *SPELLINGS, listed=listed)) == {"refs/I02"}


def test_accents_of_macos_are_those_of_other_systems(tmp_path):
    assert NFC != NFD
    assert len(set(contents(tmp_path, NFC, NFD, NFD.upper()))) == 1
    assert contents(tmp_path, NFC, NFD, listed=[f"x/{NFD}"]) == ["x/" + NFD.removesuffix(".bmp")] * 2


def test_other_scenes_stay_other_contents(tmp_path):
    names = [
        "I1",
        "I10",
        "scene.v1",
        "scene.v2",
        "scene.v2.png",
        "a/x.png",
        "b/x.png",
        "I.02",
        "t0.5",
        "t0.05",
        "a/1",
        "b/01",
    ]
    assert len(set(contents(tmp_path, *names))) == 11  # scene.v2 is scene.v2.png


UNSURE = [("2", "02"), ("I2.bmp", "I02.bmp"), ("2.0", "02"), ("I%2002.png", "I 02.png"), ("ref%2FI02.png", "I02.png")]
UNSURE += [("my scene.png", "my_scene.png"), ("a-1", "a\u20131"), ("'x.png'", "x.png"), ("2020-1-5", "2020-01-05")]


@pytest.mark.parametrize("names", UNSURE)
def test_what_may_be_one_reference_is_refused(tmp_path, names):
    """A program or person may have written one for the other: a spreadsheet removes zeros, a server codes blanks."""
    for first, second in (names, names[::-1]):
        with pytest.raises(InputError, match=r"row [23]: reference .* may be .*; spell a reference in one way"):
            contents(tmp_path, first, second)
        with pytest.raises(InputError, match=r"row 3: reference .* may be"):
            contents(tmp_path, first, listed=[second])
    assert len(set(contents(tmp_path, *names, listed=names))) == 2  # two files are two images


def test_images_numbered_like_the_references_of_others_are_not_taken_for_them(tmp_path):
    (tmp_path / "images.csv").write_text("image,mos,reference\n1.png,1,01.png\n2.png,2,02.png\n3.png,3,02.png\n")
    assert read_images_csv(tmp_path / "images.csv", ScoreRecord())[0].reference_id.tolist() == [
        "01.png",
        "02.png",
        "02.png",
    ]


def test_number_of_a_scene_is_not_taken_for_an_image_of_another(tmp_path):
    rows = "".join(f"{number}.png,1,{(number + 1) // 2}\n" for number in range(1, 7))
    (tmp_path / "images.csv").write_text(f"image,mos,reference\n{rows}")
    with pytest.raises(
        InputError, match=r"row 4: reference '2' may be the image '2', which has another reference itself"
    ):
        read_images_csv(tmp_path / "images.csv", ScoreRecord())
    rows = rows.replace(",1,", ",1,scene-")
    (tmp_path / "images.csv").write_text(f"image,mos,reference\n{rows}")
    contents = read_images_csv(tmp_path / "images.csv", ScoreRecord())[0].reference_id
    assert contents.tolist() == ["scene-1", "scene-1", "scene-2", "scene-2", "scene-3", "scene-3"]


def test_path_of_an_image_comes_before_the_id_of_another(tmp_path):
    (tmp_path / "images.csv").write_text("image,mos,reference\na.png,,\na.png.jpg,2,a.png\n")
    rows = read_images_csv(tmp_path / "images.csv", ScoreRecord())[0]
    assert rows.reference_id.tolist() == ["a", "a"] and rows.image_id.tolist() == ["a", "a.png"]


@pytest.mark.parametrize("cell", ["NA", "nan", "None", "-", "n/a", "#N/A", "#REF!", "#NAME?"])
def test_reference_that_may_stand_for_none_is_refused(tmp_path, cell):
    with pytest.raises(InputError, match=r"row 2: reference .* may stand for none; leave the cell empty"):
        contents(tmp_path, cell)
    assert contents(tmp_path, cell, listed=[f"{cell}.png"]) == [cell]


def test_longer_paths_of_one_reference_are_one_content(tmp_path):
    assert len(set(contents(tmp_path, "x.png", "b/x.png", "a/b/x.png"))) == 1
    assert contents(tmp_path, "b/x", "x.png", listed=["a/b/X.png", "a/c/y.png"]) == ["a/b/X"] * 2


@pytest.mark.parametrize(
    ("references", "listed", "match"),
    [
        (("a/x.png", "b/x.png", "X"), (), "row 4: reference 'X' fits 'a/x.png' and 'b/x.png'"),
        (("X",), ("a/x.png", "b/x.png"), "row 4: reference 'X' fits 'a/x' and 'b/x'"),
        (("x.png", "refs/x.png"), ("x.png",), "row 4: reference 'refs/x.png' is not in the listing, .* 'x'"),
        (("../refs/x.png",), ("refs/x.png",), "row 3: reference '../refs/x.png' is not in the listing, .* 'refs/x'"),
        (("refs/x.png",), ("x.png",), "row 3: reference 'refs/x.png' is not in the listing, .* 'x'"),
        (("C:\\set\\x.png",), ("x.png",), "row 3: reference .* is not in the listing, .* 'x'"),
    ],
)
def test_spelling_that_may_mean_several_is_refused(tmp_path, references, listed, match):
    with pytest.raises(InputError, match=match):
        contents(tmp_path, *references, listed=listed)


@pytest.mark.parametrize(
    "second", ["A/one.png", "a/ONE.jpg", "a/one\u200b.png", "a/\uff4fne.png", "a/one.", "a/one .png"]
)
def test_images_that_differ_in_spelling_only_are_refused(tmp_path, second):
    with pytest.raises(InputError, match=r"row 3: .* differs in letter case.* 'a/one.png' in row 2"):
        contents(tmp_path, listed=["a/one.png", second])


ELSEWHERE = [
    "C:\\x\\a.png",
    "c:/a.png",
    "\\\\server\\a.png",
    "\\a.png",
    "~/a.png",
    "~bob/a.png",
    "file:///x/a.png",
    "https://x/a",
]


@pytest.mark.parametrize("image", ["../a.png", "a/../b.png", "..", "/a.png", ".", "a/..", "C:/../x.png", *ELSEWHERE])
def test_path_out_of_the_folder_is_refused(tmp_path, image):
    with pytest.raises(InputError, match=r"row 2: image .*relative"):
        contents(tmp_path, listed=[image])


def test_reference_column_in_other_letter_case_is_read_and_a_misspelt_one_named(tmp_path):
    file = tmp_path / "images.csv"
    file.write_text("Image,MOS,Reference\na.png,1,r\nb.png,2,r\n")
    assert read_images_csv(file, ScoreRecord())[0].reference_id.tolist() == ["r", "r"]
    file.write_text("image,mos,refrence\na.png,1,r\nb.png,2,r\n")
    with pytest.warns(UserWarning, match="'refrence' is ignored; .*'reference'"):
        read_images_csv(file, ScoreRecord())
    file.write_text("image,mos,note,region_name\na.png,1,r,x\nb.png,2,r,y\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_images_csv(file, ScoreRecord())


def test_official_references_in_several_spellings_are_one(tmp_path):
    file = write_archive(tmp_path, "mvaqd") / "MVAQD_ref_dis_label.txt"
    before = read_official_labels("mvaqd", tmp_path)
    lines = file.read_text().splitlines()
    lines[3::2] = [line.replace(".png", ".PNG", 1) for line in lines[3::2]]
    file.write_text("\n".join(lines))
    after = read_official_labels("mvaqd", tmp_path)
    assert after.reference_id.tolist() == before.reference_id.tolist()
    assert after.is_reference.sum() == before.is_reference.sum()


@pytest.mark.parametrize(
    ("on_disk", "named", "match"),
    [
        ("x/Photo.PNG", "x/photo.png", r"the folder has 'Photo.PNG' \(the names differ in letter case"),
        ("X/a.png", "x/a.png", r"the folder has 'X' \(the names differ"),
        (f"x/{NFD}", f"x/{NFC}", "the names differ"),
        ("x/a.jpg", "x/a.png", "the folder has 'a.jpg'; correct"),
        ("x/photo_0001.png", "x/photo_001.png", "the folder has 'photo_0001.png'; correct"),
        ("x/a b.png", "x/a%20b.png", "the folder has 'a b.png'; correct"),
        ("x/a.png", "x/zzzzzz.png", "does not exist; correct"),
        ("x/a.png", "y/z/a.png", "does not exist; correct"),
    ],
)
def test_missing_image_names_the_nearest_file(tmp_path, on_disk, named, match):
    file = tmp_path / on_disk
    file.parent.mkdir()
    Image.new("RGB", (8, 8)).save(file, "png")
    (tmp_path / "images.csv").write_text(f"image,mos\n{named},1\nother.png,2\n")
    with pytest.raises(InputError, match=rf"images\.csv row 2: .*{match}"):
        index_dataset("own", tmp_path, source="images")


def test_folding_is_stable_and_nearest_file_needs_a_folder(tmp_path):
    for name in ("I02 ", "ß", "İ", "ﬁ.png", "a\u00a0b/ c", "\u1e9e"):
        assert folded(folded(name)) == folded(name)
    assert nearest_file(tmp_path / "no/such/file.png") == ""
