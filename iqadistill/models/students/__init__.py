"""Students, one file of settings each."""
