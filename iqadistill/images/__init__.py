"""Image files: decoding, orientation, sizes."""
