"""What a file is by its first bytes, whatever its name says, to be named where it is not the file that was wanted."""

import re

HEAD = 512
"""Number of first bytes that tell what a file is."""
WEB_PAGE, LFS_POINTER = "a web page", "a Git LFS pointer"
"""What servers, and clones without Git LFS, put in the place of any file."""
REMEDIES = {
    WEB_PAGE: "download the file itself, not the page that shows it or asks for a login",
    LFS_POINTER: "get the file itself with `git lfs pull` in its repository",
}

ZIP, MATLAB, MATLAB_73 = "a zip archive", "a MATLAB file", "a MATLAB file of version 7.3"
HEIC, JPEG_XL = "a HEIC image", "a JPEG XL image"

_STARTS = (
    (b"version https://git-lfs", LFS_POINTER),
    (b"PK\3\4", ZIP),
    (b"PK\5\6", ZIP),  # without entries
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    *((b"BZh%d" % level, "a bzip2 archive") for level in range(1, 10)),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls), or one with a password"),
    (b"{\\rtf", "a Rich Text document"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1\x15", "a Parquet file"),
    (b"MATLAB 5", MATLAB),
    (b"MATLAB 7", MATLAB_73),
    (b"SQLite format", "an SQLite database"),
    (b"GGUF\3", "a GGUF file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\0\0\0\x0cJXL ", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),  # without a container
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # after the length of the first box
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<title", b"<body", b"<script", b"<!--")
_XML = (b"<?xml", b"<!doctype")
_JSON = re.compile(rb"""[\[{]\s*["\[{\]}]""")


def file_kind(start: bytes) -> str | None:
    """What a file is, with its article, e.g. "a web page".

    Args:
        start: Its first `HEAD` bytes, or all of them.

    Returns:
        None for text in no known form, unknown bytes, or none at all.
    """
    for magic, what in _STARTS:
        if start.startswith(magic):
            return what
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC:
        return HEIC
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGE) or (text.startswith(_XML) and b"<html" in text):
        return WEB_PAGE
    if text.startswith(_XML):
        return "an XML file, perhaps the error message of a server"
    return "a JSON file" if _JSON.match(text) else None
