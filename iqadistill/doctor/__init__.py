"""Checks of a machine, before a study runs: what would stop it later, and what to do about it."""
