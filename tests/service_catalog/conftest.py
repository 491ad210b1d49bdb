from __future__ import annotations

import http.server
import json
import os
import threading

import pytest
from stack_keys import CARTESIA, DEEPGRAM, OPENAI

from piopiy_lab.service_catalog.entries import catalog

#: Keys that would be recognised anywhere they leaked to.


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    """No variable of any provider's, no .env above, and an empty home."""
    for entry in catalog().entries.values():
        for variables in (entry.env, entry.env_optional, entry.settings_env):
            for variable in variables.values():
                monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "home"
    work = tmp_path / "work" / "deep"
    home.mkdir()
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(work)


@pytest.fixture
def three_keys(monkeypatch):
    monkeypatch.setenv("DEEPGRAM_API_KEY", DEEPGRAM)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI)
    monkeypatch.setenv("CARTESIA_API_KEY", CARTESIA)


@pytest.fixture(autouse=True)
def needs_the_three():
    """The services that the tests make: they come with the "test" extra."""
    try:
        import deepgram  # noqa: F401 - only whether it is there
        import espeakng_loader  # noqa: F401
        import openai  # noqa: F401
        import pocketsphinx  # noqa: F401
    except ImportError as error:
        if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
            raise
        pytest.skip(f"{error}: pip install 'piopiy-lab[offline,test]'")


@pytest.fixture(scope="session")
def google_account(tmp_path_factory):
    """A service account's file, with a key made for it; its token comes from loopback."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    class Token(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = b'{"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server = http.server.HTTPServer(("127.0.0.1", 0), Token)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": text.decode(),
        "client_email": "a@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"http://127.0.0.1:{server.server_port}/token",
    }
    path = tmp_path_factory.mktemp("google") / "service_account.json"
    path.write_text(json.dumps(account))
    yield path
    server.shutdown()
    server.server_close()
    thread.join()
