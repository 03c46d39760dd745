"""The page in headless Chromium, with its fake camera: what somebody before it sees, and does with a keyboard.

Set HANDLENS_SCREENSHOTS to a folder to look at what the tests saw.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handlens.serve.app import make_app
from handlens.serve.limits import Limits
from handlens.serve.service import Service

from . import astronaut
from .conftest import manifest, real_door, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("skimage", reason="scikit-image, which brings the photograph, is not installed")

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here; run scripts/ensure-chromium")

WAIT = 20_000  # milliseconds


def only_detection(limits: Limits) -> Service:
    finder = astronaut.Finder(manifest("face-detector"))
    return Service(finder, None, (finder,), limits)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    video = astronaut.write_video(tmp_path_factory.mktemp("camera") / "astronaut.y4m")
    arguments = [
        "--no-sandbox",  # containers have no user namespaces; the only pages are ours
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=PROGRAM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a server of a real door around models that know one face; gives its address."""
    with contextlib.ExitStack() as stack:

        def begin(token: str | None = None, door: bool = True) -> str:
            limits = Limits()
            service = real_door(tmp_path / "store", limits) if door else only_detection(limits)
            app = make_app(service, limits, token=token, hosts=("127.0.0.1", "localhost"))
            return stack.enter_context(serving(app)).replace("127.0.0.1", "localhost")

        yield begin


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a window of its own; fails the test on any error in its console and any foreign request."""
    contexts, troubles = [], []

    def begin(url: str, width: int = 1100, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request", lambda request: None if request.url.startswith((url, "blob:")) else troubles.append(request.url)
        )
        page.goto(url)
        return page

    yield begin
    for context in contexts:
        context.close()
    # A refusal (4xx) is a line in the console too; those are what some tests are about.
    assert not [text for text in troubles if "the server responded with a status of 4" not in text]


def look(page: Any, name: str) -> None:
    """Keeps a screenshot of the whole page where HANDLENS_SCREENSHOTS says."""
    folder = os.environ.get("HANDLENS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def start_camera(page: Any) -> None:
    page.get_by_role("button", name="Start the camera").click()
    sync_api.expect(page.locator("#seen")).to_have_text("One face; through every gate.", timeout=WAIT)


def take_shots(page: Any, count: int = 3) -> None:
    """Adds pictures of different moments: the fake camera changes its light each second, so some are taken twice."""
    lights: list[str] = []
    for _ in range(60):
        page.get_by_role("button", name="Add this picture").click()
        page.get_by_role("img", name=f"Picture {len(lights) + 1}").wait_for()
        light = page.evaluate(
            """async () => { const image = [...document.querySelectorAll('#shots img')].at(-1);
               await image.decode(); const c = document.createElement('canvas'); c.width = 2; c.height = 1;
               c.getContext('2d').drawImage(image, 0, 0, 2, 1);
               const [left, , , , right] = c.getContext('2d').getImageData(0, 0, 2, 1).data;
               return left > right + 40 ? 'left' : right > left + 40 ? 'right' : 'above'; }"""
        )
        if light not in lights:
            lights.append(light)
        else:
            page.get_by_role("button", name=f"Remove picture {len(lights) + 1}").click()
        if len(lights) == count:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"the camera showed no more than {lights}")


def enrol(page: Any, name: str = "Eileen") -> None:
    page.get_by_label("Name").fill(name)
    take_shots(page)
    page.get_by_label("have their consent").check()
    page.get_by_role("button", name="Enrol").click()
    sync_api.expect(page.locator("#result")).to_contain_text(f"Enrolled: {name}", timeout=WAIT)


def drawn(page: Any) -> int:
    """Pixels of the overlay that are not transparent."""
    script = """() => { const c = document.querySelector('#overlay');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""
    count: int = page.evaluate(script)
    return count


def test_the_camera_shows_boxes_points_and_every_gate(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    page = visit(site())
    start_camera(page)
    gates = page.locator("#gates li")
    assert gates.count() == 6 and page.locator("#gates li.passed").count() == 6
    assert gates.first.get_by_role("img").get_attribute("aria-label") == "passed"
    assert drawn(page) > 500
    assert page.locator("#overlay").get_attribute("aria-label") == "One face; through every gate."
    look(page, "camera")
    page.get_by_role("button", name="Stop the camera").click()
    sync_api.expect(page.locator("#seen")).to_have_text("The camera is off.")
    assert drawn(page) == 0


def test_enrol_verify_identify_and_forget(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    page = visit(site())
    page.on("dialog", lambda dialog: dialog.accept())
    result = page.locator("#result")
    start_camera(page)
    page.get_by_label("Name").fill("Eileen")
    take_shots(page)
    assert page.get_by_role("button", name="Enrol").is_disabled(), "enrolment without consent"
    look(page, "enrol")
    page.get_by_label("have their consent").check()
    page.get_by_role("button", name="Enrol").click()
    sync_api.expect(result).to_contain_text("Enrolled: Eileen", timeout=WAIT)
    assert not page.get_by_label("have their consent").is_checked()
    assert page.locator("#shots li").count() == 0
    page.get_by_role("button", name="Verify").click()
    sync_api.expect(result).to_contain_text("Admitted: Eileen", timeout=WAIT)
    look(page, "admitted")
    page.get_by_role("button", name="Identify").click()
    sync_api.expect(result).to_contain_text("Admitted: Eileen", timeout=WAIT)
    page.get_by_label("Name").fill("Somebody else")
    page.get_by_role("button", name="Verify").click()
    sync_api.expect(result).to_contain_text("Not admitted", timeout=WAIT)
    page.get_by_label("Name").fill("Eileen")
    page.get_by_role("button", name="Forget this name").click()
    sync_api.expect(result).to_contain_text("Forgotten: Eileen", timeout=WAIT)
    page.get_by_role("button", name="Verify").click()
    sync_api.expect(result).to_contain_text("Not admitted", timeout=WAIT)


def test_pictures_of_one_moment_are_refused_with_advice(
    site: Callable[..., str], visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit(site())
    choose(page, tmp_path, astronaut.photograph())
    sync_api.expect(page.locator("#seen")).to_have_text("One face; through every gate.", timeout=WAIT)
    page.get_by_label("Name").fill("Eileen")
    for _ in range(2):
        page.get_by_role("button", name="Add this picture").click()
    page.get_by_label("have their consent").check()
    page.get_by_role("button", name="Enrol").click()
    sync_api.expect(page.locator("#result")).to_contain_text("nearly the same", timeout=WAIT)
    sync_api.expect(page.locator("#result")).to_contain_text("Take them at different moments")
    assert page.locator("#shots li").count() == 2  # kept, to be changed
    page.get_by_role("button", name="Remove picture 1").click()
    assert page.locator("#shots li").count() == 1


def choose(page: Any, folder: Path, image: np.ndarray, name: str = "picture.png") -> None:
    path = folder / name
    cv2.imwrite(str(path), image[..., ::-1])
    page.get_by_label("Choose a picture").set_input_files(path)


def test_two_faces_in_a_file_fail_the_first_gate(
    site: Callable[..., str], visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit(site())
    one = astronaut.photograph()
    choose(page, tmp_path, np.concatenate([one, one], axis=1))
    sync_api.expect(page.locator("#seen")).to_have_text("2 faces; not through: one face.", timeout=WAIT)
    gate = page.locator("#gates li.failed")
    sync_api.expect(gate).to_contain_text("One face · two faces")
    sync_api.expect(gate).to_contain_text("Show one.")
    look(page, "two-faces")


def test_a_file_that_is_no_picture_is_named_as_such(
    site: Callable[..., str], visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit(site())
    path = tmp_path / "x.png"
    path.write_bytes(b"no picture at all")
    page.get_by_label("Choose a picture").set_input_files(path)
    sync_api.expect(page.locator("#seen")).to_contain_text("JPEG, PNG, WebP or BMP", timeout=WAIT)


def test_a_server_with_a_token_asks_for_it(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    page = visit(site(token="a-secret-of-some-length"))
    page.get_by_label("bearer token").fill("wrong")
    page.get_by_role("button", name="Use it").click()
    sync_api.expect(page.locator("#models")).to_contain_text("asks for its token", timeout=WAIT)
    look(page, "token")
    page.get_by_label("bearer token").fill("a-secret-of-some-length")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#models")).to_contain_text("template matching", timeout=WAIT)
    assert page.locator("#token-form").is_hidden()
    start_camera(page)


def test_without_a_door_it_only_finds_faces(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    page = visit(site(door=False))
    page.get_by_role("button", name="Start the camera").click()
    sync_api.expect(page.locator("#seen")).to_have_text("One face.", timeout=WAIT)
    assert page.get_by_label("Name").is_disabled() and page.locator("#no-door").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_says_what_it_is_not(
    site: Callable[..., str], visit: Callable[..., Any], scheme: str
) -> None:
    page = visit(site(), width=360, height=740, color_scheme=scheme, device_scale_factor=2)
    start_camera(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, .button, input[type=text]')]
           .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40).map((e) => e.id)"""
    )
    assert not small, "too small for a finger"
    sync_api.expect(page.get_by_role("complementary")).to_contain_text("There is no liveness detection.")
    enrol(page)
    look(page, f"phone-{scheme}")


def test_everything_is_reached_and_named_by_keyboard(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    page = visit(site())
    start_camera(page)
    page.get_by_label("Name").fill("Eileen")
    take_shots(page, 1)
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => { const e = document.activeElement;
               return e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent.trim() ?? e.textContent.trim(); }"""
        )
        if name in reached or not name:
            break
        reached.append(name)
    for wanted in (
        "Stop the camera",
        "Choose a picture",
        "Name",
        "Verify",
        "Identify",
        "Remove picture 1",
        "Add this picture",
    ):
        assert wanted in reached, reached
    assert page.locator("[aria-live=polite]").count() == 2


def test_the_page_is_readable_in_both_schemes(site: Callable[..., str], visit: Callable[..., Any]) -> None:
    """WCAG 2 contrast of text against what lies behind it, 4.5 and more."""
    url = site()
    for scheme in ("light", "dark"):
        page = visit(url, color_scheme=scheme)
        page.locator("#models", has_text="template").wait_for()
        pairs = page.evaluate(
            """() => [...document.querySelectorAll('p, label, h1, h2, h3, a, button, strong')]
                .filter((e) => e.offsetParent && !e.closest(':disabled') && !e.closest('#stage'))
                .map((e) => { let b = e;
                while (b && getComputedStyle(b).backgroundColor === 'rgba(0, 0, 0, 0)') b = b.parentElement;
                return [e.id || e.textContent.trim().slice(0, 30), getComputedStyle(e).color,
                        getComputedStyle(b ?? document.body).backgroundColor]; })"""
        )
        faint = [(what, fore, back) for what, fore, back in pairs if contrast(fore, back) < 4.5]
        assert len(pairs) > 10 and not faint, faint


def contrast(first: str, second: str) -> float:
    """WCAG 2's contrast of two CSS colours, 1 to 21."""

    def luminance(colour: str) -> float:
        values = np.array([float(each) for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
