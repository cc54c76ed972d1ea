"""Pure functions on arrays (numpy and OpenCV)."""
