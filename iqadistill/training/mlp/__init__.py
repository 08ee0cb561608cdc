"""Training of MLPs: every split, selector and keep rate as one batched model."""
