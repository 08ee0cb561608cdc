"""Official archives: download, checksums, unpacking."""
