"""Samplers, one file each: their settings and how they sample."""
