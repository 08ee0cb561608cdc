"""Published methods and other tools' predictions, which students are measured against under the same protocol."""
