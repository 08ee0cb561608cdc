"""Checks of what no single setting shows: names exist, kinds fit, and images that teach are never tested on."""
