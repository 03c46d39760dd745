"""Faces: finding them, telling gender, and telling people apart.

from handlens import FaceDetector, FaceVerifier

with FaceDetector.load("face-detector.tflite") as detector, FaceVerifier.load("face-verifier.tflite") as verifier:
    faces = detector.detect("photo.jpg")                # boxes, scores, five points, gender; the best first
    templates = verifier.embed("photo.jpg", faces)      # (N, D) float32, each of length 1
"""

from handlens._detector import DetectorOptions, FaceDetector
from handlens._faces import Box, Face, Gender, Point, face_crop
from handlens._gender import GenderClassifier
from handlens._verifier import FaceVerifier

__all__ = [
    "Box",
    "DetectorOptions",
    "Face",
    "FaceDetector",
    "FaceVerifier",
    "Gender",
    "GenderClassifier",
    "Point",
    "face_crop",
]
