"""The command line and Piopiy's gateway: the environment's names, and the check of ``doctor``."""

from __future__ import annotations

import asyncio
import io
import json
import threading

import pytest
from gateway_servers import GatewayServer, job, pb

from piopiy_lab.cli import account, checks, doctor, main
from piopiy_lab.cli.gateway_check import gateway_checks
from piopiy_lab.cli.serve import ServeOptions, serve
from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.errors import ArgumentError, MissingExtraError
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.redaction import keep_secret

TOKEN = "tok-nobody-may-see"
SESSION = "piopiy_lab.cli.demo_session:create_session"
NAMES = (
    account.ID_VARIABLE,
    account.TOKEN_VARIABLE,
    account.GATEWAY_TOKEN_VARIABLE,
    account.URL_VARIABLE,
    account.REGISTER_VARIABLE,
    account.TLS_VARIABLE,
    *account.REST_VARIABLES,
)


@pytest.fixture
def environment(monkeypatch):
    """Set variables by name, and no other of the account's."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def set_them(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"PIOPIY_{name}", value)

    return set_them


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, None),
        ({"AGENT_TOKEN": "t"}, None),
        ({"TOKEN": "t"}, "grpcs://register.piopiy.com"),
        ({"TOKEN": "t", "AGENT_TOKEN": "t"}, None),
        ({"REGISTER": "https://register.piopiy.com/"}, "grpcs://register.piopiy.com"),
        ({"REGISTER": "gw.lan:50051", "TLS": "False"}, "grpc://gw.lan:50051"),
        ({"REGISTER": "gw.lan", "SIGNALING_URL": "wss://x/y"}, "wss://x/y"),
    ],
)
def test_where_to_connect_is_read_from_the_environment(environment, values, url):
    environment(**values)
    assert account.signaling_url() == url


BOTH = {"TOKEN": "tok-gateway", "AGENT_TOKEN": "tok-agent"}


@pytest.mark.parametrize(
    ("values", "url", "token"),
    [
        (BOTH, "grpcs://register.piopiy.com", "tok-gateway"),
        (BOTH, "GRPC://gw.lan:1", "tok-gateway"),
        (BOTH, None, "tok-agent"),
        (BOTH, "wss://x/y", "tok-agent"),
        (BOTH, "https://grpc.lan", "tok-agent"),
        ({"AGENT_TOKEN": "only"}, "grpcs://register.piopiy.com", "only"),
        ({"AGENT_TOKEN": "only", "TOKEN": " "}, "grpcs://register.piopiy.com", "only"),
        ({"TOKEN": "only"}, None, "only"),
        ({}, "grpcs://register.piopiy.com", ""),
    ],
)
def test_the_token_is_the_gateways_own_at_a_gateway(environment, values, url, token):
    environment(**values)
    assert account.token(url) == token


async def test_doctor_and_serve_take_the_same_token(environment, monkeypatch):
    """Both variables are set, and the gateway wants its own."""
    environment(AGENT_TOKEN="tok-of-the-old-signalling")

    def stand_in(agent_id, token, create_session, **options):
        raise LookupError(f"agent {agent_id} with {token}")

    monkeypatch.setattr("piopiy_lab.agent.Agent", stand_in)
    async with GatewayServer(token=TOKEN) as server:
        (check,) = await checked(server, environment)
    assert check.status == "ok", check
    with pytest.raises(LookupError, match=f"agent agent-1 with {TOKEN}"):
        serve(Terminal(io.StringIO()), ServeOptions(SESSION))


@pytest.mark.parametrize(
    ("register", "name"), [("gw.lan:1", "PIOPIY_TOKEN"), ("", "PIOPIY_AGENT_TOKEN")]
)
def test_what_is_missing_has_the_same_name_in_serve_and_doctor(environment, register, name):
    environment(AGENT_ID="agent-1", REGISTER=register, TLS="false")
    with pytest.raises(ArgumentError, match=f"no agent token: set {name}, or"):
        serve(Terminal(io.StringIO()), ServeOptions(SESSION))
    details = [check.detail for check in gateway_checks()]
    assert details == ([f"{name} is not set"] if register else [])


@pytest.mark.parametrize("url", ["grpcs://[", "grpc://gw.lan:port", "gopher://x", "grpcs://h/v2"])
def test_an_address_that_is_none_is_said_by_serve_and_doctor(environment, url):
    environment(AGENT_ID="agent-1", TOKEN=TOKEN, SIGNALING_URL=url)
    (check,) = checks._try_all("gateway", gateway_checks)
    assert (check.name, check.status) == ("gateway", "failed")
    assert check.detail.startswith("ArgumentError: signaling_url=")
    with pytest.raises(ArgumentError, match="signaling_url="):
        serve(Terminal(io.StringIO()), ServeOptions(SESSION))


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (OSError(f"no {TOKEN}"), "failed", "OSError: no [removed]"),
        (MissingExtraError("Piopiy's gateway", "telephony"), "missing", "needs the 'telephony'"),
    ],
)
def test_a_gateway_check_that_breaks_is_a_finding(environment, monkeypatch, error, status, detail):
    async def broken(url, agent_id, token):
        keep_secret(token)
        raise error

    monkeypatch.setattr("piopiy_lab.telephony.gateway_check.check_credentials", broken)
    for name in ("audio_checks", "_pipecat", "_detector", "_turns", "_speech", "_recogniser"):
        monkeypatch.setattr(checks, name, list)
    environment(AGENT_ID="agent-1", TOKEN=TOKEN)
    check = checks.run_checks()[-1]
    assert (check.name, check.status) == ("gateway", status)
    assert check.detail.startswith(detail)


def test_sound_devices_that_break_are_a_finding(environment, monkeypatch):
    def broken():
        raise RuntimeError("no driver")

    monkeypatch.setattr(checks, "audio_checks", broken)
    for name in ("_pipecat", "_detector", "_turns", "_speech", "_recogniser"):
        monkeypatch.setattr(checks, name, str)
    check = checks.run_checks()[-1]
    assert (check.name, check.status) == ("audio devices", "failed")
    assert check.detail == "RuntimeError: no driver"


def checked(server, environment, token=TOKEN):
    """Run the check on a thread, beside the server's loop."""
    environment(AGENT_ID="agent-1", TOKEN=token, REGISTER=server.url, TLS="false")
    return asyncio.to_thread(gateway_checks)


async def test_doctor_registers_takes_no_call_and_leaves(environment):
    async with GatewayServer(token=TOKEN, deadline_ms=350) as server:
        server.at_once = [{"job": job()}]
        (check,) = await checked(server, environment)
        (stream,) = server.streams
        statuses = stream.of("status")
    assert (check.name, check.status) == ("gateway", "ok")
    assert "agent 'agent-1' is registered at grpc://127.0.0.1" in check.detail
    assert "within 350 ms" in check.detail
    assert {status.state for status in statuses} == {pb.NOT_SERVING}
    assert not stream.of("accepted")
    assert TOKEN not in str(check)


async def test_doctor_says_that_it_was_refused_and_not_with_what(environment):
    async with GatewayServer(token=TOKEN) as server:
        (check,) = await checked(server, environment, token="tok-that-is-wrong")
    assert check.status == "failed"
    assert "refused agent 'agent-1': token and agent don't match" in check.detail
    assert "tok-that-is-wrong" not in str(check)


def test_doctor_says_that_it_is_offline(environment, unused_port, monkeypatch, capsys):
    environment(AGENT_ID="agent-1", TOKEN=TOKEN, REGISTER=f"127.0.0.1:{unused_port}", TLS="false")
    monkeypatch.setattr(doctor, "run_checks", gateway_checks)
    assert main(["doctor", "--json"]) == 0  # calls can run all the same
    out = capsys.readouterr().out
    (check,) = json.loads(out)["checks"]
    assert check["status"] == "failed"
    assert check["detail"].startswith("offline, or not there: no gateway at grpc://127.0.0.1")
    assert TOKEN not in out


def test_doctor_checks_nothing_where_there_is_no_agent_of_a_gateway(environment):
    assert gateway_checks() == []
    environment(AGENT_ID="agent-1", AGENT_TOKEN=TOKEN)
    assert gateway_checks() == []
    environment(REGISTER="gw.lan:1", TLS="false", AGENT_TOKEN="", AGENT_ID="")
    (check,) = gateway_checks()
    assert (check.status, check.detail) == ("missing", "PIOPIY_AGENT_ID is not set")


async def test_doctor_at_the_loopback_platform(environment):
    async with LoopbackPlatform({"desk": TOKEN}) as platform:
        environment(AGENT_ID="desk", TOKEN=TOKEN, SIGNALING_URL=platform.gateway_url)
        (check,) = await asyncio.to_thread(gateway_checks)
    assert check.status == "ok", check
    assert not [t for t in threading.enumerate() if t.name == "piopiy_lab.gateway"]


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
