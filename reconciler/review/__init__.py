"""What changed between two git revisions, from plumbing and ciphertext alone: no key, nothing is run."""
