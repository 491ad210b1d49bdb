"""Our records over the wire, beside the vendor's own messages of the same schema."""

from __future__ import annotations

import contextlib

import hypothesis.strategies as st
import pytest
from hypothesis import given, seed, settings
from piopiy_agent._pb import agent_pb2 as theirs

from piopiy_lab.gateway import messages as ours
from piopiy_lab.gateway.wire import (
    WireError,
    from_gateway,
    from_worker,
    to_gateway,
    to_worker,
)

RECORDS = [
    (envelope, name, record)
    for envelope, kinds in ours.ENVELOPES.items()
    for name, record in kinds.items()
]
VALUES = {
    "string": "é…",
    "uint32": 2**32 - 1,
    "uint64": 2**64 - 1,
    "bool": True,
    "enum": 2,
    "texts": {"a": "b", "": ""},
}


def filled(record):
    return record(
        **{
            name: filled(wire.of) if wire.kind == "message" else VALUES[wire.kind]
            for name, wire in ours.wires_of(record).items()
        }
    )


@pytest.mark.parametrize(("envelope", "name", "record"), RECORDS)
def test_every_field_is_where_the_vendors_is(envelope, name, record):
    pack, unpack = (
        (to_gateway, from_worker) if envelope == "WorkerMessage" else (to_worker, from_gateway)
    )
    message = filled(record)
    read = getattr(theirs, envelope).FromString(pack(message))
    assert read.WhichOneof("payload") == name
    inner = getattr(read, name)
    assert [field.name for field, _ in inner.ListFields()] == list(ours.wires_of(record))
    assert unpack(read.SerializeToString()) == message


def test_the_enums_are_the_vendors():
    for enum in (ours.ServingState, ours.RejectReason):
        assert dict(getattr(theirs, enum.__name__).items()) == {v.name: v.value for v in enum}


def test_the_method_is_the_vendors():
    service = theirs.DESCRIPTOR.services_by_name["AgentGateway"]
    assert f"/{service.full_name}/{service.methods[0].name}" == ours.METHOD


def test_fields_and_kinds_of_a_later_version_are_passed_over():
    later = to_worker(ours.Drain(grace_seconds=5)) + b"\xf2\x07\x02hi"  # field 126, beside it
    assert from_gateway(later) == ours.Drain(grace_seconds=5)
    assert from_gateway(b"\xf2\x07\x02hi") is None
    assert from_gateway(b"") is None
    assert from_worker(b"\x12\x04\x18\x09\x50\x01") == ours.StatusUpdate(state=9)  # a new state


@seed(31)
@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=60))
def test_any_bytes(data):
    for read in (from_gateway, from_worker):
        with contextlib.suppress(WireError):
            read(data)


def test_bytes_that_are_none_are_not_shown():
    with pytest.raises(WireError, match="^it is no protobuf message of this protocol$"):
        from_gateway(b"\x12\xffsecret")


def test_a_number_too_large_is_the_largest():
    assert from_worker(to_gateway(ours.JobAccepted(join_ms=2**40))) == ours.JobAccepted(
        join_ms=2**32 - 1
    )


def test_no_token_is_shown():
    assert "secret" not in repr(ours.JobAssignment(access_token="secret"))
    assert "secret" not in repr(ours.Register(api_key="secret"))
