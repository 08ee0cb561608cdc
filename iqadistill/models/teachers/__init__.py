"""Teachers, one file of settings each."""
