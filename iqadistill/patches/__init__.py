"""Patches as pixels: crops, reading patch tables, and stores of patches."""
