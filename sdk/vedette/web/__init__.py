"""The dashboard: a live picture and its figures in a browser."""
