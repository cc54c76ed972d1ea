"""Train models on a workstation: data in, a run folder out. Keras 3, any backend."""
