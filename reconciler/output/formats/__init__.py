"""One file for each format of ``--output``: its ``render`` takes a result and the options."""
