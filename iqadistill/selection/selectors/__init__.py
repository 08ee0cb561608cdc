"""Selectors, one file each: their settings and how they rank patches."""
