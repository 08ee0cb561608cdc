"""Figures, their tables and the report; one module a figure.

Each `plot_*` function takes tables and returns the figure with the numbers it shows; `saving.save_figure` puts both on
disk. Modules are imported by name, so that an edit to one figure redraws that figure alone.
"""
