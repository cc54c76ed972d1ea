"""One task a module."""
