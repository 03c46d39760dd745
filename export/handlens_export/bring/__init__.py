"""Models trained elsewhere, brought to be compressed: `.keras`, a SavedModel, a float `.tflite`, an `.onnx`."""
