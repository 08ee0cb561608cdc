"""Code that several figures share: style, panels, dots with intervals, patch maps, saving."""
