"""People and their face embeddings in one encrypted file: enrol, identify, calibrate, erase."""
