"""Other projects' set-ups as entries of ours: what they say, what could not be taken over, and their keys."""
