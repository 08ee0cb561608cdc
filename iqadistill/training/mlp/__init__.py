"""MLPs on embeddings: every split, selector and keep rate trained as one batched model."""
