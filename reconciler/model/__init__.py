"""The words of the domain as frozen dataclasses; imports nothing else of ours and does no I/O."""
