"""Renderers, each a pure function of a report."""
