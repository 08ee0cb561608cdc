"""Official label files of datasets: one format per file, read into the same columns as images.csv."""
