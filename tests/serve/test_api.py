"""The API over real HTTP: what each route answers."""

from collections.abc import Callable

import httpx
import pytest

from .conftest import NONE, ONE, TWO, picture, send

Start = Callable[..., httpx.Client]


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must have the one shape of every refusal."""
    error = response.json()["error"]
    assert set(error) - {"retry_after"} == {"code", "message", "advice"} and error["message"]
    return response.status_code, error["code"]


def enrol(client: httpx.Client, name: str = "Eileen") -> httpx.Response:
    return send(client, "/v1/enrol", [ONE, ONE, ONE], name=name, consent="yes")


def test_detect_gives_boxes_points_gender_and_each_gate(shared: httpx.Client) -> None:
    found = send(shared, "/v1/detect", TWO).json()
    assert (found["width"], found["height"]) == (160, 120)
    assert sorted(face["box"] for face in found["faces"]) == [[20, 40, 60, 80], [100, 40, 140, 80]]
    assert len(found["faces"][0]["points"]) == 5
    assert found["faces"][0]["gender"] == {"label": "female", "confidence": 0.8}
    (gate,) = found["gates"]
    assert gate == {
        "gate": "one face",
        "passed": False,
        "measured": "2 faces",
        "code": "several-faces",
        "advice": "show one",
    }


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp", ".bmp"])
def test_a_bare_picture_of_every_format_does_for_detect(shared: httpx.Client, kind: str) -> None:
    answer = shared.post(
        "/v1/detect",
        content=picture((60, 40), kind=kind),
        headers={"Content-Type": f"image/{kind[1:].replace('jpg', 'jpeg')}"},
    )
    assert answer.status_code == 200 and len(answer.json()["faces"]) == 1


def test_the_whole_door(client: httpx.Client) -> None:
    assert enrol(client).json() == {"name": "Eileen", "images": 3}
    assert refusal(enrol(client)) == (409, "already-enrolled")
    verified = send(client, "/v1/verify", name="Eileen").json()
    assert verified == {"outcome": "admitted", "name": "Eileen", "reason": "", "target_fmr": 0.01}
    assert send(client, "/v1/identify").json()["name"] == "Eileen"
    assert client.delete("/v1/templates/Eileen").status_code == 204
    assert refusal(client.delete("/v1/templates/Eileen")) == (404, "unknown-name")
    assert send(client, "/v1/verify", name="Eileen").json()["outcome"] == "not admitted"


def test_a_gate_s_refusal_says_what_to_do(shared: httpx.Client) -> None:
    answer = send(shared, "/v1/verify", TWO, name="Eileen")
    assert refusal(answer) == (422, "several-faces")
    assert answer.json()["error"] == {"code": "several-faces", "message": "2 faces", "advice": "show one"}
    assert refusal(send(shared, "/v1/identify", NONE)) == (422, "no-face")


def test_after_too_many_attempts_it_says_how_long_to_wait(client: httpx.Client) -> None:
    for _ in range(5):
        assert send(client, "/v1/verify", name="nobody").json()["outcome"] == "not admitted"
    answer = send(client, "/v1/verify", name="nobody")
    assert refusal(answer) == (429, "too-many-attempts")
    assert answer.headers["Retry-After"] == "30" and answer.json()["error"]["retry_after"] == 29.2


def test_enrolment_needs_consent(client: httpx.Client) -> None:
    assert refusal(send(client, "/v1/enrol", name="Eileen", consent="no")) == (422, "no-consent")
    assert refusal(send(client, "/v1/enrol", name="Eileen")) == (422, "bad-form")
    assert send(client, "/v1/verify", name="Eileen").json()["outcome"] == "not admitted"


def test_a_server_without_a_verifier_detects_and_says_so(start: Start) -> None:
    client = start(door=False)
    assert client.get("/v1/models").json()["door"] is False
    found = send(client, "/v1/detect").json()
    assert len(found["faces"]) == 1 and found["gates"] == []
    for answer in (send(client, "/v1/verify", name="x"), enrol(client), send(client, "/v1/identify")):
        assert refusal(answer) == (409, "no-door")
    assert refusal(client.delete("/v1/templates/x")) == (409, "no-door")


def test_models_names_what_runs_and_that_liveness_is_absent(shared: httpx.Client) -> None:
    about = shared.get("/v1/models").json()
    assert [model["task"] for model in about["models"]] == ["face-detector", "face-verifier"]
    assert about["models"][0]["input"] == [128, 160] and about["liveness"] is False
    assert about["limits"]["images"] == 10


@pytest.mark.parametrize(
    ("files", "fields"),
    [
        ([], {}),
        ([("image", ("a.png", ONE))] * 2, {}),
        ([("picture", ("a.png", ONE))], {}),
        ([("image", ("a.png", ONE))], {"extra": "1"}),
        ([("image", ("a.png", b""))], {}),
    ],
    ids=["no part", "two images", "another name", "unknown field", "empty image"],
)
def test_a_wrong_form_is_refused(shared: httpx.Client, files: list, fields: dict[str, str]) -> None:
    files = files or [("x", (None, b"text"))]
    status, code = refusal(shared.post("/v1/detect", files=files, data=fields))
    assert status == 422 and code in {"bad-form", "no-image"}


def test_a_field_given_twice_or_too_long_is_refused(shared: httpx.Client) -> None:
    image = ("image", ("a.png", ONE))
    for texts in ([("name", (None, b"a"))] * 2, [("name", (None, b"a" * 5000))]):
        assert refusal(shared.post("/v1/verify", files=[image, *texts])) == (422, "bad-form")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n\r\n--x--", b"no boundary at all", b"--x\r\nContent-Disposition: form-data\r\n\r\n"],
)
def test_broken_multipart_is_refused(shared: httpx.Client, body: bytes) -> None:
    answer = shared.post("/v1/detect", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert refusal(answer) == (422, "bad-form")


def test_multipart_without_a_boundary_is_refused(shared: httpx.Client) -> None:
    answer = shared.post("/v1/detect", content=b"--x--", headers={"Content-Type": "multipart/form-data"})
    assert refusal(answer) == (422, "bad-form")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "image/gif"])
def test_another_content_type_is_refused(shared: httpx.Client, kind: str) -> None:
    answer = shared.post("/v1/detect", content=ONE, headers={"Content-Type": kind})
    assert refusal(answer) == (415, "unsupported-type")
    assert "multipart/form-data" in answer.json()["error"]["advice"]


def test_verify_takes_no_bare_picture(shared: httpx.Client) -> None:
    answer = shared.post("/v1/verify", content=ONE, headers={"Content-Type": "image/png"})
    assert refusal(answer) == (415, "unsupported-type")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GIF89a" + bytes(100), (415, "image-unreadable")),
        (ONE[:-40], (422, "image-truncated")),
        (b"not a picture", (415, "image-unreadable")),
    ],
)
def test_a_picture_that_cannot_be_used(shared: httpx.Client, data: bytes, expected: tuple[int, str]) -> None:
    assert refusal(send(shared, "/v1/detect", data)) == expected


def test_unknown_paths_and_methods_have_the_same_shape(shared: httpx.Client) -> None:
    assert refusal(shared.get("/v1/nothing")) == (404, "not-found")
    answer = shared.get("/v1/detect")
    assert refusal(answer) == (405, "method-not-allowed") and answer.headers["Allow"] == "POST"
    assert refusal(shared.delete(f"/v1/templates/{'x' * 81}")) == (422, "bad-request")
    assert refusal(shared.get("/static/../app.py")) == (404, "not-found")
    assert refusal(shared.get("/static/%2e%2e/app.py")) == (404, "not-found")


def test_openapi_has_an_example_and_the_refusals_of_every_route(shared: httpx.Client) -> None:
    schema = shared.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        "/v1/models",
        "/v1/detect",
        "/v1/enrol",
        "/v1/verify",
        "/v1/identify",
        "/v1/templates/{name}",
    }
    for methods in schema["paths"].values():
        for operation in methods.values():
            refused = [answer for status, answer in operation["responses"].items() if status >= "400"]
            assert len(refused) >= 4
            for answer in refused:
                content = answer["content"]["application/json"]
                assert content["schema"]["$ref"].endswith("/RefusalOut") and content["example"]["error"]["code"]
            if "requestBody" in operation:
                assert operation["responses"]["413"]
                assert "multipart/form-data" in operation["requestBody"]["content"]
    for name, model in schema["components"]["schemas"].items():
        assert model["examples"], name
