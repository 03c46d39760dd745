"""What the detector and the gender classifier of the zoo say of each face: `python scripts/tell_gender.py IMAGE...`."""

import sys
from pathlib import Path

import handlens_zoo
from handlens import FaceDetector, GenderClassifier
from handlens.face import face_crop
from handlens.image import load_image


def main(files: list[Path]) -> None:
    """Prints a line a face; the classifier looks at a crop of its own and is the better of the two."""
    detector = FaceDetector.load(handlens_zoo.path("face-detector"))
    with detector, GenderClassifier.load(handlens_zoo.path("gender")) as classifier:
        for file in files:
            image = load_image(file)
            for face in detector.detect(image):
                (told,) = classifier.classify([face_crop(image, face)])
                passing = f"{face.gender.label} {face.gender.confidence:.2f}" if face.gender else "nothing"
                print(f"{file.name}: in passing {passing}; the classifier {told.label} {told.confidence:.2f}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
