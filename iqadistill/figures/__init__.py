"""Figures of experiments, one file each: `FIGURE` says what a figure shows and needs, `draw` draws it.

`registry.FIGURES` finds the files by their folder; code that figures share is in `drawing`.
"""
