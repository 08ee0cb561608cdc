"""Datasets rendered by the workflow: rooms, scenes, distortions, codecs, simulated scores."""
