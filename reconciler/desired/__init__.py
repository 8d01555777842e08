"""Files to model: a line-marked loader, the schema, references, several files merged."""
