"""The price of a study before it runs: jobs, passes, operations, hours, downloads, disk and memory."""
