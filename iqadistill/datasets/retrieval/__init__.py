"""Official files of datasets: download, checksums, unpacking."""
