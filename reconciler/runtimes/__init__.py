"""Systems that execute strategies, one file each, behind one protocol."""
