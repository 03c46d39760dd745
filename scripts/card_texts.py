"""What a model card says of a task beside the figures: purpose, splits, use, limits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Texts:
    """Markdown; `use` is the body of a Python block, `{name}` stands for the artifact."""

    purpose: str
    intervals: str
    splits: str
    use: str
    limits: str


_FACES = (
    "There is no liveness detection: a printed photograph is a face.\nRead `docs/responsible-use.md` before you point "
    "it at anybody."
)

TEXTS = {
    "reid": Texts(
        purpose="Person re-identification: an image of a person becomes a template; templates of the same person are "
        "alike (cosine).",
        intervals="over identities",
        splits="`test` is 301 probes against 301 gallery images of identities that were neither trained on nor chosen "
        "on. `val` is 50\nheld-out identities of the training part, multi-shot; every choice was made on it.",
        use="""import handlens_zoo
from handlens import PersonReidentifier

with PersonReidentifier.load(handlens_zoo.path("{name}")) as model:
    templates = model.embed(["a.jpg", "b.jpg"])""",
        limits="""Made for research on crops of whole, upright persons from street-level cameras. It compares clothing \
and build, not
faces: it fails when people change clothes, and confuses people who dress alike. Market-1501 was filmed on one campus
in one summer; expect less on other cameras, seasons and crowds, and measure on your own data before believing any
figure here. It is not fit for deciding anything about a person.""",
    ),
    "face-detector": Texts(
        purpose="Face detection: boxes, five points, a score and a guess at gender for each face, in one pass.",
        intervals="over images",
        splits="`test` is a part of each set that was put aside, by the hash of the file name, before any training; "
        "`val` is another.\nEvery choice (the score threshold among them) was made on `val`.",
        use="""import handlens_zoo
from handlens import FaceDetector

with FaceDetector.load(handlens_zoo.path("{name}")) as model:
    for face in model.detect("photo.jpg"):
        print(face.box, face.score, face.points, face.gender)""",
        limits=f"""Trained on a few hundred crowd scenes with many masked faces, on press photographs, and on faces \
pasted into other
scenes: expect less on scenes unlike these, on faces below 20 pixels, and on heads turned away. Points, and boxes of
some scenes, were learnt from another detector's answers (YuNet), its mistakes included. The gender is what strangers
would say of a face, in two words; it is often wrong for children and no fact about anybody. {_FACES}""",
    ),
    "gender": Texts(
        purpose="Gender of a face crop, as UTKFace's annotators would label it: one logit, female against male.",
        intervals="over images",
        splits="`test` is 2,000 images of UTKFace and `val` a further thousand, by the hash of the file name. "
        "Near-copies of them were\nfound and removed from training; every choice was made on `val`.",
        use="""import handlens_zoo
from handlens import FaceDetector, GenderClassifier
from handlens.face import face_crop
from handlens.image import load_image

image = load_image("photo.jpg")
detector = FaceDetector.load(handlens_zoo.path("face-detector"))
with detector, GenderClassifier.load(handlens_zoo.path("{name}")) as model:
    print(model.classify([face_crop(image, face) for face in detector.detect(image)]))""",
        limits=f"""It repeats what annotators of web photographs wrote, in two words, and errs more for some groups \
than for others:
`handlens evaluate` shows how much, by age and by the data set's own race labels. It is no fact about anybody, and
not fit for deciding anything about a person. {_FACES}""",
    ),
    "face-verifier": Texts(
        purpose="Face verification: an aligned face becomes a template; templates of the same person are alike "
        "(cosine).",
        intervals="over people",
        splits="`test` is folds 7 and 8 of LFW's View 2, `val` is fold 6, which also carries the thresholds. Their "
        "people are in no\ntraining image, and none of their images entered distillation.",
        use="""import handlens_zoo
from handlens import FaceDetector, FaceVerifier

detector = FaceDetector.load(handlens_zoo.path("face-detector"))
with detector, FaceVerifier.load(handlens_zoo.path("{name}")) as verifier:
    first, second = (verifier.embed(path, detector.detect(path)[:1])[0] for path in ("a.jpg", "b.jpg"))
    print(verifier.compare(first, second) >= verifier.threshold(fmr=0.01).value)""",
        limits=f"""Trained on press photographs of public figures of twenty years ago, most of them white men: \
expect more errors for
everybody else (Buolamwini and Gebru 2018), and measure on your own people before believing any figure here. The
thresholds are those of this very file; at false match rates below what they carry it refuses to decide. {_FACES}""",
    ),
}
