"""Figures of experiments, one file each: what it shows and needs (`FIGURE`), and how it is drawn (`draw`).

`registry.FIGURES` finds them by their folder. What they share is in `drawing`.
"""
