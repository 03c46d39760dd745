"""The page's Kotlin and TOML are lines of files that are compiled, or that the sample app is built from."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "android_bridge"


def lines(files: list[Path]) -> set[str]:
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {line.strip().removeprefix("// ") for line in text.splitlines()}


def test_every_line_of_kotlin_and_toml_is_one_of_a_real_file() -> None:
    page = (ROOT / "docs/android.md").read_text(encoding="utf-8")
    sample = BRIDGE / "sample"
    known = {
        "kotlin": lines([BRIDGE / "sample-check/src/main/kotlin/snippets/Page.kt", *sample.rglob("*.kts")]),
        "toml": lines([sample / "gradle/libs.versions.toml"]),
    }
    blocks = re.findall(r"```(kotlin|toml)\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 5
    assert not [line for kind, text in blocks for line in text.splitlines() if line.strip() not in known[kind]]


def test_the_sample_asks_for_what_the_page_and_the_build_say() -> None:
    gradle = (BRIDGE / "sample/app/build.gradle.kts").read_text(encoding="utf-8")
    versions = (BRIDGE / "sample/gradle/libs.versions.toml").read_text(encoding="utf-8")
    pom = (BRIDGE / "pom.xml").read_text(encoding="utf-8")
    kotlin = re.search(r"<kotlin.version>(.*)</", pom)[1]
    assert "minSdk = 24" in gradle and "noCompress" in gradle and f'kotlin = "{kotlin}"' in versions
    manifest = (BRIDGE / "sample/app/src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    assert "INTERNET" not in manifest and 'allowBackup="false"' in manifest
