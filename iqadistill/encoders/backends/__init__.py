"""Encoder backends, one file of settings each."""
