"""Renderers, each a pure function of a report; ``registry`` names them."""
