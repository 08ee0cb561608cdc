"""Label formats, one per file and found by the file's name.

A file holds `read_labels(folder: UnpackedFolder) -> list[Label]`, and `official_roles(images: DataFrame) -> Series`
where the authors' split depends on the decoded images.
"""
