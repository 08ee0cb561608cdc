"""Choosers, one file each."""
