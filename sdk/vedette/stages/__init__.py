"""Steps of the pipeline: results in, new results out."""
