"""Training of deep networks on pixels: students and teachers."""
