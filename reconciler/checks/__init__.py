"""Pure rules over (desired, live) and the catalogue that gives each its id, severity, cause and fix."""
