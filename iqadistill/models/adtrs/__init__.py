"""ADTRS (arXiv 2409.07115): the student and its layers."""
