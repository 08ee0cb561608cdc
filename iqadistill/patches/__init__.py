"""Patches as pixels: crops, viewports, stores, and the kept ones."""
