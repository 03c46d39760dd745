"""What a browser says about itself, and what follows for the figures."""

import re
from dataclasses import dataclass

from handlens import _codec
from handlens.bench.figures import MAX_THREADS
from handlens.errors import ManifestInvalid

# In this order: Edge says Chrome as well, and Chrome says Safari.
_BROWSERS = (("Edge", r"Edg/(\d+)"), ("Firefox", r"Firefox/(\d+)"), ("Chrome", r"Chrome/(\d+)"))
_SAFARI = r"Version/([\d.]+).* Safari/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A browser and its device, in its own words.

    Attributes:
        agent: the User-Agent.
        platform: system and version, where the browser tells them; else empty.
        phone: model of the device, likewise.
        cores: that a page may use.
        isolated: whether the page is cross-origin isolated: only then is there memory that threads can share.
        secure: whether it is a secure context: HTTPS, or this very machine.
        relaxed_simd: whether WebAssembly has it: LiteRT.js has threads only then.
        webgpu: what the GPU's adapter calls itself; None without WebGPU.
        webgpu_software: whether that adapter is a program, no GPU.
    """

    agent: str
    platform: str
    phone: str
    cores: int
    isolated: bool
    secure: bool
    relaxed_simd: bool
    webgpu: str | None
    webgpu_software: bool

    def __post_init__(self) -> None:
        """Validates, and takes from the texts what is not plain ASCII: they end in a terminal and in files.

        Raises:
            ManifestInvalid: a field has the wrong type or is out of range.
        """
        _codec.normalise(self)
        if not 1 <= self.cores <= MAX_THREADS:
            raise ManifestInvalid(f"Facts.cores is {self.cores}; expected 1 to {MAX_THREADS}")
        for name, longest in (("agent", 400), ("platform", 60), ("phone", 60), ("webgpu", 120)):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, re.sub(r"[^ -~]", "?", text)[:longest].strip())


def device(facts: Facts) -> str:
    """Browser, system and device in one line, such as "Chrome 141 on Android 15 (Pixel 6), 8 cores"."""
    cores = f"{facts.cores} core{'' if facts.cores == 1 else 's'}"
    phone = f" ({facts.phone})" if facts.phone else ""
    return f"{_browser(facts.agent)} on {_system(facts)}{phone}, {cores}"


def limits(facts: Facts) -> tuple[str, ...]:
    """Sentences on what this browser cannot do here, for every figure."""
    notes = []
    if not facts.secure:
        notes.append(
            "one WASM thread, no WebGPU and a coarse clock: a browser gives a page no more over plain HTTP from a "
            "network (over adb reverse, or on the same machine, it does)"
        )
    elif not facts.isolated:
        notes.append("one WASM thread: this browser does not isolate the page")
    if facts.webgpu is not None and facts.webgpu_software:
        notes.append(f"WebGPU is a program here ({facts.webgpu}), no GPU: its times say nothing of one")
    return tuple(notes)


def _browser(agent: str) -> str:
    for name, pattern in _BROWSERS:
        found = re.search(pattern, agent)
        if found:
            return f"{name}{' (headless)' if 'Headless' in agent else ''} {found[1]}"
    safari = re.search(_SAFARI, agent)
    return f"Safari {safari[1]}" if safari else agent[:60] or "an unknown browser"


def _system(facts: Facts) -> str:
    if facts.platform:
        return facts.platform
    android = re.search(r"Android ([\d.]+)(?:; ([^;)]+))?", facts.agent)
    if android and android[2] == "K":
        return "Android"  # Chrome then says version 10, whatever it is
    if android:
        return f"Android {android[1]}" + (f" ({android[2]})" if android[2] not in (None, "Mobile", "Tablet") else "")
    for name, pattern in (("iOS", "iPhone|iPad"), ("macOS", "Mac OS X"), ("Windows", "Windows"), ("Linux", "Linux")):
        if re.search(pattern, facts.agent):
            return name
    return "an unknown system"
