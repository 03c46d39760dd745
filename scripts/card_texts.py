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
    "attributes": Texts(
        purpose="Attributes of a person: gender, torso and legs (type and colour) and luggage, six heads, one network.",
        intervals="over groups of people",
        splits="`test` is a fifth of PETA's people and `val` a tenth, by the hash of the identity; consecutive images "
        "of the subsets\nwithout identities stay together, and CUHK's repeated stretches train. Every choice was made "
        "on `val`. Market-1501's\nattributes are a test across data sets: nothing of that set was trained on.",
        use="""import handlens_zoo
from handlens import AttributeClassifier

with AttributeClassifier.load(handlens_zoo.path("{name}")) as model:
    for person in model.classify(["a.jpg", "b.jpg"]):
        print(person.labels(), person["gender"].confidence)""",
        limits="""Made for research on crops of whole, upright persons from street-level cameras. It repeats what \
annotators wrote under
small pictures: the gender is a stranger's guess in two words and no fact about anybody, colours are what somebody
called them. Every head answers whatever the image shows; read the confidence. Rare classes rest on few people, and
other cameras cost a lot: see the figures across data sets. It is not fit for deciding anything about a person.
Read `docs/responsible-use.md` first.""",
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
    "pets": Texts(
        purpose="Pets: which of 37 breeds of cats and dogs a photograph shows, and which pixels are the animal.",
        intervals="over images",
        splits="`test` is the data set's own, 368 images here, and for the mask 27 images (`pets-masked`) that "
        "trained in no form,\nnot for their breeds either. `val` is 76 and 7 images of the training part, by the hash "
        "of the file name; every\nchoice was made on it.",
        use="""import handlens_zoo
from handlens import Segmenter

with Segmenter.load(handlens_zoo.path("{name}")) as segmenter:
    found = segmenter.segment("photo.jpg")
    print(found.class_name, found.confidence, found.box)""",
        limits="""It knows 37 breeds and answers one of them whatever it is shown: mixed breeds, other animals and \
people as well.
Trained on some 700 small photographs of one animal each, of which 41 have a mask: where there are several animals the
mask is of all of them, and what stands out beside the animal may be taken for a part of it.""",
    ),
    "person-mask": Texts(
        purpose="Person mask: which pixels are the person and, in the larger model, of which clothing.",
        intervals="over images",
        splits="`test` is 145 photographs of Clothing Co-Parsing by the hash of the file name, `val` 76 others; "
        "near-copies of either\nwere removed from training, and every choice was made on `val`. Penn-Fudan was never "
        "trained on.",
        use="""import handlens_zoo
from handlens import Segmenter

with Segmenter.load(handlens_zoo.path("{name}")) as segmenter:
    found = segmenter.segment("photo.jpg")
    print(found.box, found.areas())""",
        limits="""Trained on whole, standing people in front of the camera, mostly young women, on streets by day; \
passers-by are
background there. Expect less of people who sit, are cut off, far away or many, of close faces, indoors and at night.
The masks of its data lie about 0.2% of the picture's height too far right, and so do its own.""",
    ),
}
