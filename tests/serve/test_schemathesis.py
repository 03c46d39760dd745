"""Schemathesis makes requests from the running server's own OpenAPI, right and wrong ones: no 5xx among the answers.

HANDLENS_SCHEMATHESIS_EXAMPLES=200 makes more of them for each operation than the normal run does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from handlens.serve.app import make_app
from handlens.serve.limits import Limits

from .conftest import real_door, serving

pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytest.importorskip("skimage", reason="scikit-image, which brings pictures, is not installed")

TOKEN = "a-secret-of-some-length"
EXAMPLES = os.environ.get("HANDLENS_SCHEMATHESIS_EXAMPLES", "5")


@pytest.mark.slow
def test_no_request_made_from_the_schema_is_answered_with_5xx_or_against_it(tmp_path: Path) -> None:
    limits = Limits(upload_bytes=2**20)
    app = make_app(real_door(tmp_path / "store", limits), limits, token=TOKEN, hosts=("127.0.0.1", "localhost"))
    with serving(app) as base:
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json"]
            + ["--header", f"Authorization: Bearer {TOKEN}", "--checks", "all"]
            # OpenAPI cannot say "a picture with one face": a request that fits the schema may still be refused.
            + ["--exclude-checks", "positive_data_acceptance"]
            + ["--max-examples", EXAMPLES, "--generation-deterministic", "--no-color"],
            cwd=tmp_path,
            env=os.environ
            | {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "pictures_for_schemathesis"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        print(done.stdout[-2000:])
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert httpx.get(f"{base}/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    cases = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert cases and int(cases[1].replace(",", "")) > 100
    assert "Tested: 6" in done.stdout
