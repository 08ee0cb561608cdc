"""Datasets rendered on the spot: rooms, scenes, distortions, codecs, simulated scores."""
