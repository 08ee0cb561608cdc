"""RKIQT (arXiv 2312.00591): the student, its teachers, and what passes between them."""
