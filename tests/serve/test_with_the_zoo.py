"""What `handlens serve` serves when no model is named: the zoo's, on a public-domain photograph, over HTTP."""

import contextlib
from collections.abc import Iterator

import cv2
import httpx
import numpy as np
import pytest

from handlens.serve.app import make_app
from handlens.serve.limits import Limits
from handlens.serve.models import open_models

from . import astronaut
from .conftest import send, serving

handlens_zoo = pytest.importorskip("handlens_zoo", reason="the zoo is not installed")
pytest.importorskip("skimage", reason="scikit-image, which brings the photograph, is not installed")
NAMES = ("face-detector", "face-verifier")
pytestmark = pytest.mark.skipif(not set(NAMES) <= set(handlens_zoo.names()), reason=f"the zoo does not hold {NAMES}")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    import keyring
    from keyring.backends.fail import Keyring

    limits = Limits()
    folder = tmp_path_factory.mktemp("door")
    detector, verifier = (handlens_zoo.path(name) for name in NAMES)
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(keyring, "get_keyring", Keyring)  # the tester's own is left alone
            opening = open_models(detector, verifier, limits, store=folder / "store")
            service, _ = stack.enter_context(opening)
        base = stack.enter_context(serving(make_app(service, limits)))
        yield stack.enter_context(httpx.Client(base_url=base, timeout=60, trust_env=False))


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def test_it_finds_her_with_points_and_a_gender(client: httpx.Client) -> None:
    found = send(client, "/v1/detect", jpeg(astronaut.photograph())).json()
    (face,) = found["faces"]
    assert face["gender"]["label"] in ("female", "male")
    assert 0.5 <= face["gender"]["confidence"] <= 1
    x1, y1, x2, y2 = face["box"]
    assert np.abs(np.array([x1 + x2, y1 + y2]) / 2 - [225, 118]).max() < 25
    assert np.abs(np.array(face["points"]) - astronaut.POINTS).max() < 15
    assert [gate["gate"] for gate in found["gates"] if not gate["passed"]] == []


def test_the_door_knows_her_again_and_refuses_two_faces(client: httpx.Client) -> None:
    moments = [jpeg(astronaut.frame(moment)) for moment in range(3)]
    assert send(client, "/v1/enrol", moments, name="Eileen", consent="yes").json() == {"name": "Eileen", "images": 3}
    photograph = jpeg(astronaut.photograph())
    assert send(client, "/v1/verify", photograph, name="Eileen").json()["outcome"] == "admitted"
    assert send(client, "/v1/identify", photograph).json()["name"] == "Eileen"
    assert send(client, "/v1/verify", photograph, name="Sally").json()["outcome"] == "not admitted"
    two = jpeg(np.concatenate([astronaut.photograph()] * 2, axis=1))
    assert send(client, "/v1/verify", two, name="Eileen").json()["error"]["code"] == "several-faces"
    suit = send(client, "/v1/verify", jpeg(astronaut.photograph()[300:]), name="Eileen").json()
    assert suit["error"]["code"] == "no-face"
    assert client.delete("/v1/templates/Eileen").status_code == 204


def test_what_it_serves_says_where_its_weights_come_from(client: httpx.Client) -> None:
    models: list[dict[str, str]] = client.get("/v1/models").json()["models"]
    assert [model["task"] for model in models] == list(NAMES)
    assert all("research" in model["weights_licence"] for model in models)
