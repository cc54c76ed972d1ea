"""Raw tensors to values: one pure function a file."""
