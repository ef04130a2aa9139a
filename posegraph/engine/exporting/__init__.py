"""Models for other runtimes: written, checked against the model, and opened again (docs/export.md)."""
