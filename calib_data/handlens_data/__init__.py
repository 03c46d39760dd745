"""Data set loaders, splits and calibration sets. Imports handlens only; never Keras or TensorFlow."""
