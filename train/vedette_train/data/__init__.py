"""Labelled pictures, read and composed into training examples."""
