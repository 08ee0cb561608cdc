"""What figures share: style, dots, rows of tables, files."""
