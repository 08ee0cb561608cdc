"""The report: its page, its sentences, its tables."""
