"""Students that are measured as they come: published methods on whole images, and predictions of other tools."""
