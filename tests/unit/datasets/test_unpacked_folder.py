"""Files of an unpacked archive are found by their official paths."""

import pytest

from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError


def unpacked(folder, *files):
    """An unpacked archive of empty files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return UnpackedFolder(folder)


@pytest.mark.parametrize(
    "path", ["refimgs/caps.bmp", "databaserelease2/refimgs/caps.bmp", "A/B/REFIMGS/Caps.BMP", "refimgs/caps.png"]
)
def test_file_is_found_in_other_folder_case_or_image_format(tmp_path, path):
    assert unpacked(tmp_path, path).find("refimgs/caps.bmp") == path


@pytest.mark.parametrize(
    "path", ["caps.bmp", "refimgs/caps.txt", "my_refimgs/caps.bmp", "__MACOSX/refimgs/caps.bmp", "refimgs/._caps.bmp"]
)
def test_similarly_named_file_is_not_found(tmp_path, path):
    assert unpacked(tmp_path, path).find("refimgs/caps.bmp") is None


def test_shallow_path_and_official_format_take_precedence(tmp_path):
    folder = unpacked(tmp_path, "x/y/1.png", "x/1.jpg", "x/1.png")
    assert folder.find("1.png") == "x/1.png" and folder.find("1.jpg") == "x/1.jpg"


def test_ambiguous_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a/1\.png.*b/1\.png"):
        unpacked(tmp_path, "a/1.png", "b/1.png").find("1.png")


def test_linked_folder_is_searched_and_link_loop_stops(tmp_path):
    unpacked(tmp_path / "disk", "Images/1.bmp")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(tmp_path / "root")
    assert UnpackedFolder(tmp_path / "root").find("Images/1.bmp") == "data/Images/1.bmp"


def test_missing_folder_and_label_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="/none"):
        UnpackedFolder(tmp_path / "none")
    with pytest.raises(InputError, match=r"a\.mat.*b\.txt"):
        UnpackedFolder(tmp_path).need("a.mat", "b.txt")
