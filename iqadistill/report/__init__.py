"""The report of a study: its page, its findings as sentences, and its tables."""
