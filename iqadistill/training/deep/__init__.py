"""Training of deep networks: students and teachers on pixels."""
