"""Turn a run folder into one self-describing, quantized `.tflite`. TensorFlow lives here."""
