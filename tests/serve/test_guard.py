"""What the server does not let pass: size, time, strangers, other origins; and what it never tells."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from handlens.errors import OptionError
from handlens.serve import auth, uploads
from handlens.serve.app import make_app
from handlens.serve.limits import Limits
from handlens.serve.run import Address, bind, hosts, run, url

from .conftest import ONE, Detector, make_service, picture, send

Start = Callable[..., httpx.Client]
PNG = {"Content-Type": "image/png"}


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_body_over_the_limit_is_refused_by_its_announced_length(start: Start) -> None:
    client = start(upload_bytes=10_000)
    assert code(client.post("/v1/detect", content=bytes(10_001), headers=PNG)) == (413, "too-large")
    assert code(send(client, "/v1/detect", bytes(10_000))) == (413, "too-large")
    assert send(client, "/v1/detect", ONE).status_code == 200


def test_a_body_without_an_announced_length_is_not_read_to_its_end(start: Start) -> None:
    client, sent = start(upload_bytes=100_000), 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2**30:
            sent += 2**14
            yield bytes(2**14)

    try:
        answer = client.post("/v1/detect", content=endless(), headers=PNG)
        assert code(answer) == (413, "too-large")
    except httpx.WriteError:
        pass  # the server had closed the connection while we were still sending
    assert sent < 2**27


def test_a_body_that_comes_too_slowly_is_given_up(start: Start) -> None:
    client = start(upload_seconds=0.3)
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 50\r\n\r\n1"
        )
        assert b" 408 " in raw.recv(4096).split(b"\r\n")[0]


def test_more_pixels_than_allowed_are_refused_by_the_header(start: Start) -> None:
    client = start(pixels=10_000)
    assert code(send(client, "/v1/detect", ONE)) == (413, "image-too-large")
    assert send(client, "/v1/detect", picture(size=(100, 100))).status_code == 200


def test_more_images_than_allowed_are_refused(start: Start) -> None:
    client = start(images=2)
    assert code(send(client, "/v1/enrol", [ONE] * 3, name="x", consent="yes")) == (422, "bad-form")


class Slow(Detector):
    """Waits until it is told to go on, and notices two calls at once."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()
        self.inside, self.together = 0, 0

    def detect(self, image: Any) -> Any:
        self.inside += 1
        self.together = max(self.together, self.inside)
        self.entered.set()
        assert self.go.wait(10)
        self.inside -= 1
        return super().detect(image)


def test_a_request_that_finds_every_place_taken_is_told_to_come_again(start: Start) -> None:
    slow = Slow()
    client = start(door=False, detector=slow, requests=1)
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(send(client, "/v1/detect")))
    first.start()
    assert slow.entered.wait(10)
    refused = send(client, "/v1/detect")
    slow.go.set()
    first.join()
    assert code(refused) == (503, "busy") and refused.headers["Retry-After"] == "1"
    assert answers[0].status_code == 200 and send(client, "/v1/detect").status_code == 200


def test_engines_run_one_request_at_a_time(start: Start) -> None:
    slow = Slow()
    client = start(door=False, detector=slow, requests=4)
    threads = [threading.Thread(target=send, args=(client, "/v1/detect")) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert slow.entered.wait(10)
    slow.go.set()
    for thread in threads:
        thread.join()
    assert slow.together == 1


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic c2VjcmV0", "c2VjcmV0", "Bearer caf\xe9"])
def test_without_the_token_nothing_under_v1_answers(start: Start, header: str | None) -> None:
    client = start(token="a-secret-of-some-length")
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for answer in (
        client.get("/v1/models", headers=headers),
        client.post("/v1/detect", content=ONE, headers=PNG | headers),
        client.delete("/v1/templates/x", headers=headers),
        client.get("/v1/nothing", headers=headers),
    ):
        assert code(answer) == (401, "no-token") and answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/").status_code == 200


def test_with_the_token_it_answers_and_openapi_asks_for_it(start: Start) -> None:
    client = start(token="a-secret-of-some-length")
    assert client.get("/v1/models", headers={"Authorization": "bearer a-secret-of-some-length"}).status_code == 200
    schema = client.get("/openapi.json").json()
    assert schema["security"] == [{"token": []}]
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::2]"])
def test_another_host_header_is_refused_on_loopback(shared: httpx.Client, host: str) -> None:
    assert code(shared.get("/v1/models", headers={"Host": host})) == (421, "wrong-host")
    assert code(shared.get("/", headers={"Host": host})) == (421, "wrong-host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9", "127.0.0.1:80", "[::1]:80", "[0:0:0:0:0:0:0:1]", "localhost."]
)
def test_loopback_s_own_names_are_answered(shared: httpx.Client, host: str) -> None:
    assert shared.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "http://127.0.0.1"]
)
def test_a_post_from_a_page_of_another_origin_is_refused(shared: httpx.Client, origin: str) -> None:
    answer = shared.post("/v1/detect", content=ONE, headers=PNG | {"Origin": origin})
    assert code(answer) == (403, "cross-origin")
    assert code(shared.delete("/v1/templates/x", headers={"Origin": origin})) == (403, "cross-origin")


def test_a_post_from_the_page_itself_is_answered_and_no_origin_is_told_it_may_read(shared: httpx.Client) -> None:
    own = str(shared.base_url).rstrip("/")
    answer = shared.post("/v1/detect", content=ONE, headers=PNG | {"Origin": own})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_carries_the_security_headers(shared: httpx.Client) -> None:
    for path in ("/", "/static/page.js", "/v1/models", "/v1/nothing", "/openapi.json"):
        headers = shared.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert "server" not in headers


class Broken(Detector):
    def detect(self, image: Any) -> Any:
        raise RuntimeError("a secret of the inside")


def test_a_bug_is_a_500_that_says_nothing_of_the_inside(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    answer = send(start(door=False, detector=Broken()), "/v1/detect")
    assert code(answer) == (500, "internal") and "secret" not in answer.text
    for _ in range(100):  # the operator does see it, after the client
        if "a secret of the inside" in caplog.text:
            return
        time.sleep(0.05)
    raise AssertionError(caplog.text)


def test_logs_name_the_route_and_neither_person_nor_picture(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    client = start()
    with caplog.at_level(logging.DEBUG):
        send(client, "/v1/enrol", name="Eileen Collins", consent="yes")
        send(client, "/v1/verify", name="Eileen Collins")
        client.delete("/v1/templates/Eileen%20Collins")
        client.delete("/v1/templates/Nobody%0aforged")
    mine = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    assert any(line.startswith("DELETE /v1/templates/{name} 204") for line in mine), mine
    assert not [line for line in mine if "Eileen" in line or "forged" in line or "PNG" in line]


def test_pictures_never_reach_a_temporary_file(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled: list[int] = []
    real = uploads.MultiPartParser.parse

    async def parse(self: Any) -> Any:
        form = await real(self)
        rolled.extend(int(value.file._rolled) for _, value in form.multi_items() if hasattr(value, "file"))
        return form

    monkeypatch.setattr(uploads.MultiPartParser, "parse", parse)
    client = start()
    big = picture(size=(1500, 1500), kind=".bmp")
    assert len(big) > 2**22 and send(client, "/v1/detect", big).status_code == 200
    assert rolled == [0]


def test_a_token_file_is_read_and_a_useless_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("  0123456789abcdef\n")
    path.chmod(0o600)
    assert auth.read_token(path) == "0123456789abcdef"
    for text in ("", "short", "two words of a token", "caf\xe9" * 10, "x" * 1025, "0123456789abcdef\n0123456789abcdef"):
        path.write_text(text)
        with pytest.raises(OptionError, match="holds no token"):
            auth.read_token(path)


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef")
    path.chmod(0o640)
    with pytest.raises(OptionError, match="chmod 600"):
        auth.read_token(path)


def test_made_tokens_differ_and_fit_the_check() -> None:
    first, second = auth.new_token(), auth.new_token()
    assert first != second and len(first) >= 43
    assert auth.is_token(f"Bearer {first}", first) and not auth.is_token(f"Bearer {second}", first)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)]
    + [("192.0.2.1", False), ("example.com", False), ("", False), ("127.0.0.1.example.com", False)],
)
def test_which_addresses_are_loopback(host: str, loopback: bool) -> None:
    assert Address(host=host).loopback is loopback


def test_no_other_address_is_served_without_a_token() -> None:
    limits = Limits()
    address = Address(host="0.0.0.0", port=0)
    with pytest.raises(OptionError, match="no token"):
        run(make_app(make_service(limits), limits), address, bind(address))


def test_an_address_that_is_taken_is_named() -> None:
    with bind(Address(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"127.0.0.1 port {port}"):
            bind(Address(port=port))
        assert url(Address(port=0), taken) == f"http://localhost:{port}/"


def test_host_names_are_narrowed_on_loopback_and_where_asked() -> None:
    assert hosts(Address(), ["door.example"]) == {"localhost", "127.0.0.1", "::1", "door.example"}
    assert hosts(Address(host="0.0.0.0"), []) is None
    assert "door.example" in (hosts(Address(host="0.0.0.0"), ["door.example"]) or ())


def test_limits_and_tls_options_are_checked() -> None:
    with pytest.raises(OptionError, match="upload_bytes is 0"):
        Limits(upload_bytes=0)
    with pytest.raises(OptionError, match="both --tls-certificate"):
        Address(certificate=Path("cert.pem"))
