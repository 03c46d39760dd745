"""The browser target's server without a browser: who is let in, what is believed, what is refused."""

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens import golden
from handlens.artifact import Artifact
from handlens.bench import Figure, Order
from handlens.bench.browser.jobs import Served
from handlens.bench.browser.server import Server
from handlens.bench.browser.visit import Visit
from handlens.engine import open_engine
from handlens.errors import EngineUnavailable, EngineWrong

FACTS = {
    "agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36",
    "platform": "Android 15",
    "phone": "Pixel 6",
    "cores": 8,
    "isolated": True,
    "secure": True,
    "relaxed_simd": True,
    "webgpu": None,
    "webgpu_software": False,
}
RUNS = 4


class Client:
    """Speaks HTTP to the server, byte for byte as it is told."""

    def __init__(self, server: Server, visit: Visit, artifact: Artifact) -> None:
        self.port = server.server_address[1]
        self.server, self.visit, self.artifact = server, visit, artifact
        self.session = ""

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in ({"Host": f"127.0.0.1:{self.port}"} | headers).items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.read(), reply.headers
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self.send("GET", path, Authorization=f"Bearer {self.session}", **headers)[:2]

    def post(self, what: str, message: Any, **headers: str) -> tuple[int, Any]:
        body = json.dumps(message).encode() if not isinstance(message, bytes) else message
        own = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "Content_Type": "application/json",
            "Content_Length": str(len(body)),
            "Authorization": f"Bearer {self.session}",
        }
        status, answer, _ = self.send("POST", f"/api/{what}", body, **(own | headers))
        return status, json.loads(answer)

    def claim(self, **changes: Any) -> tuple[int, Any]:
        status, answer = self.post("claim", {"token": self.visit.token} | FACTS | changes)
        self.session = answer.get("session", self.session)
        return status, answer

    def right_answers(self) -> list[dict[str, str]]:
        """What a good engine sends: each golden's outputs in the model's own dtype."""
        manifest = self.artifact.manifest
        engine = open_engine(self.artifact, check=False)
        found = []
        for tensor in Served(self.artifact).goldens:
            fed = np.frombuffer(tensor, manifest.input.dtype).reshape(manifest.input.shape)
            outputs = engine.run({manifest.input.name: fed})
            raw = {}
            for spec in manifest.outputs:
                value = outputs[spec.name]
                if spec.quant_scale is not None:
                    value = np.rint(value / spec.quant_scale) + (spec.quant_zero_point or 0)
                raw[spec.name] = packed(value.astype(spec.dtype))
            found.append(raw)
        engine.close()
        return found

    def figure(self, **changes: Any) -> dict[str, Any]:
        times = packed(np.array([3.0, 1.0, 2.0, 2.0]))
        return {
            "job": 0,
            "cold_ms": 30.0,
            "first_ms": 5.0,
            "model": times,
            "pipeline": times,
            "parts": {"decode": times, "prepare": times, "run": times},
            "wasm_bytes": 2**24,
            "clock_step_ms": 0.005,
            "hidden": False,
        } | changes

    def events(self) -> list[Any]:
        found = []
        while not self.visit.events.empty():
            found.append(self.visit.events.get())
        return found


def packed(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


@pytest.fixture
def start(write: Callable[..., Artifact], tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts a server that waits for a browser; gives a client of it."""
    engines = tmp_path / "engines" / "litert"
    engines.mkdir(parents=True)
    (engines / "index.js").write_text("export {};\n")
    servers = []

    def begin(name: str = "tiny_int8.tflite", **order: Any) -> Client:
        import threading

        artifact = write(name)
        server = Server(("127.0.0.1", 0), tmp_path / "engines", "1-2")
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        order = Order(files=(artifact.path,), **({"runs": RUNS, "warmup": 0} | order))
        server.visit = Visit(order, [Served(artifact)], {"litert": "1", "onnxruntime": "2"}, server.engines)
        return Client(server, server.visit, artifact)

    yield begin
    for server in servers:
        server.close()


@pytest.fixture
def client(start: Callable[..., Client]) -> Client:
    return start()


def test_a_token_opens_one_session_and_no_second(client: Client) -> None:
    assert client.post("claim", {"token": "guessed"} | FACTS)[0] == 403
    assert client.post("claim", {"token": "\ud800"} | FACTS)[0] == 403
    assert client.get("/api/plan")[0] == 401
    assert client.claim()[0] == 200
    assert client.get("/api/plan")[0] == 200
    first, client.session = client.session, ""
    status, answer = client.claim()
    assert status == 410 and "works once" in answer["message"]
    client.session = first
    assert client.get("/api/plan")[0] == 200


def test_what_is_public_and_what_is_not(client: Client) -> None:
    assert client.get("/")[0] == 200 and client.get("/page/page.js")[0] == 200
    assert client.get("/engines/1-2/litert/index.js") == (200, b"export {};\n")
    for path in ("/api/plan", "/api/model/0", "/api/golden/0/0", "/api/table/0"):
        assert client.get(path)[0] == 401
    for path in ("/page/../browser.py", "/engines/1-2/../../tiny_int8.tflite", "/engines/1-2/%2e%2e/x", "/x", "//etc"):
        assert client.get(path)[0] == 404
    client.claim()
    for path in ("/api/model/1", "/api/golden/0/99", "/api/golden/0", "/api/model/0/0", "/api/nothing"):
        assert client.get(path)[0] == 404
    assert client.get("/api/model/0") == (200, client.artifact.model)


def test_the_page_is_isolated_and_runs_nothing_of_others(client: Client) -> None:
    _, _, headers = client.send("GET", "/")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
    assert "python" not in headers["Server"].lower()


@pytest.mark.parametrize("host", ["evil.example", "192.0.2.9:80", "127.0.0.1.evil.example:80", "127.0.0.1:80:80", ""])
def test_another_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    assert client.send("GET", "/", Host=host)[0] == 421
    assert client.post("claim", {"token": client.visit.token} | FACTS, Host=host)[0] == 421
    assert not client.visit.claimed


def test_only_the_page_may_send_figures(client: Client) -> None:
    message = {"token": client.visit.token} | FACTS
    assert client.post("claim", message, Origin="http://evil.example")[0] == 403
    assert client.post("claim", message, Origin="null")[0] == 403
    assert client.post("claim", message, Content_Type="text/plain")[0] == 415
    assert not client.visit.claimed


def test_too_long_a_message_is_refused_before_it_is_read(client: Client) -> None:
    client.claim()
    # Nothing follows the headers: an answer means that nothing was waited for.
    status, answer, _ = client.send(
        "POST",
        "/api/figure",
        Origin=f"http://127.0.0.1:{client.port}",
        Content_Type="application/json",
        Content_Length=str(10**9),
        Authorization=f"Bearer {client.session}",
    )
    assert status == 413 and b"at most" in answer
    assert client.post("beat", b"{}", Content_Length="-1")[0] == 411
    assert client.post("beat", b"", Transfer_Encoding="chunked")[0] == 411


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a": NaN}', b"\xff", b'{"job": 0, "job": 1}', b"[" * 5000])
def test_what_is_no_message_is_refused(client: Client, body: bytes) -> None:
    client.claim()
    assert client.post("figure", body)[0] == 400


def test_a_whole_visit_gives_one_figure(client: Client) -> None:
    client.claim()
    plan = json.loads(client.get("/api/plan")[1])
    (artifact,), (job,) = plan["artifacts"], plan["jobs"]
    assert artifact["file"] == "tiny_int8.tflite" and artifact["input"]["dtype"] == "int8" and not job["done"]
    assert client.post("figure", client.figure())[0] == 409  # the goldens come first
    verdict = client.post("answers", {"job": 0, "outputs": client.right_answers()})[1]
    assert verdict["right"] and "golden outputs right, off by 0 " in verdict["message"]
    status, shown = client.post("figure", client.figure())
    assert status == 200 and shown["p50_ms"] == 2.0 and shown["pipeline_p50_ms"] == 2.0
    figure, end = client.events()[-2:]
    assert isinstance(figure, Figure) and end is None
    assert figure.model is not None and (figure.model.runs, figure.model.min_ms, figure.model.p50_ms) == (4, 1.0, 2.0)
    assert figure.device == "Chrome 141 on Android 15 (Pixel 6), 8 cores"
    assert (figure.target, figure.engine, figure.engine_version, figure.cold_ms) == ("browser", "litert.js", "1", 30.0)
    assert figure.stages_ms == {"decode": 2.0, "prepare": 2.0, "run": 2.0}
    assert "WASM memory 16 MB" in figure.notes
    assert json.loads(client.get("/api/plan")[1])["jobs"][0]["done"]
    assert client.post("figure", client.figure())[0] == 409


def test_wrong_answers_end_it(client: Client) -> None:
    client.claim()
    outputs = client.right_answers()
    outputs.append(outputs.pop(0))  # each answer belongs to another question
    status, verdict = client.post("answers", {"job": 0, "outputs": outputs})
    assert status == 200 and not verdict["right"] and verdict["stop"]
    (error,) = [event for event in client.events() if isinstance(event, Exception)]
    assert isinstance(error, EngineWrong) and "litert.js 1 answers" in str(error) and "tiny_int8.tflite" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": packed(np.ones(3))},  # fewer than were ordered
        {"model": packed(np.array([1, 2, np.nan, 3.0]))},
        {"model": packed(np.array([1, 2, -1, 3.0]))},
        {"model": "no base64!"},
        {"cold_ms": -1.0},
        {"cold_ms": "30"},
        {"parts": {"decode": packed(np.ones(1))}},
        {"extra": 1},
    ],
)
def test_figures_that_cannot_be_are_refused(client: Client, changes: dict[str, Any]) -> None:
    client.claim()
    client.post("answers", {"job": 0, "outputs": client.right_answers()})
    assert client.post("figure", client.figure(**changes))[0] == 400
    assert not [event for event in client.events() if isinstance(event, Figure)]


def test_a_model_that_does_not_load_is_an_error_on_the_cpu_and_a_note_on_webgpu(start: Callable[..., Client]) -> None:
    client = start()
    client.claim(webgpu="adreno 650")
    trouble = "no\x1b[31m memory"
    reply = client.post("trouble", {"job": 1, "message": trouble})
    assert reply[0] == 400  # no control characters
    reply = client.post("trouble", {"job": 1, "message": "out of memory"})
    assert reply == (200, {"message": "out of memory", "stop": False})
    (figure,) = [event for event in client.events() if isinstance(event, Figure)]
    assert figure.accelerator == "webgpu" and figure.model is None and "out of memory" in figure.notes[-1]
    assert client.post("trouble", {"job": 0, "message": "out of memory"})[1]["stop"]
    (error,) = [event for event in client.events() if isinstance(event, Exception)]
    assert isinstance(error, EngineUnavailable) and "tiny_int8.tflite in the browser: out of memory" in str(error)


def test_sustained_moments_end_the_job_and_are_kept_when_it_is_stopped(start: Callable[..., Client]) -> None:
    client = start(sustained_minutes=0.5)
    client.claim()
    client.post("answers", {"job": 0, "outputs": client.right_answers()})
    client.post("figure", client.figure())
    moment = {"job": 0, "seconds": 10.0, "times": packed(np.array([1.0, 2.0, 3.0])), "last": False}
    assert client.post("moment", moment)[0] == 200
    (waiting,) = client.visit.unfinished()
    assert [each.p50_ms for each in waiting.sustained] == [2.0] and "stopped" in waiting.notes[-1]
    assert client.post("moment", moment | {"seconds": 20.0, "last": True})[0] == 200
    figure = client.events()[-2]
    assert [each.seconds for each in figure.sustained] == [10.0, 20.0] and not client.visit.unfinished()


def test_threads_that_a_browser_has_not_are_left_out_and_named(start: Callable[..., Client]) -> None:
    client = start(threads=(1, 4, 16))
    client.claim()
    plan = json.loads(client.get("/api/plan")[1])
    assert [job["threads"] for job in plan["jobs"]] == [1, 4]
    assert plan["notes"] == ["16 threads were left out: the browser has 8 cores"]


def test_over_plain_http_there_is_one_thread_and_the_table_says_so(start: Callable[..., Client]) -> None:
    client = start(threads=(2, 4))
    client.claim(isolated=False, secure=False)
    plan = json.loads(client.get("/api/plan")[1])
    assert [job["threads"] for job in plan["jobs"]] == [1]
    assert "one WASM thread" in plan["notes"][0] and "plain HTTP" in plan["notes"][0]


def test_the_page_s_table_makes_the_tensor_that_handlens_makes(write: Callable[..., Artifact]) -> None:
    for name in ("tiny_int8.tflite", "tiny_float32.tflite"):
        served = Served(write(name))
        spec = served.artifact.manifest.input
        made = served.artifact.goldens[0]
        pixels = golden.generate(made.generator, made.seed, spec.height, spec.width, spec.channels)
        table = np.frombuffer(served.table, spec.dtype).reshape(spec.channels, 256)
        looked_up = np.stack([table[channel][pixels[..., channel]] for channel in range(spec.channels)], axis=-1)
        assert looked_up.tobytes() == served.goldens[0]
