"""Records to protobuf's bytes, and back. Pure: no I/O, no thread, no clock.

The schema is built from the records into a pool of its own: the vendor's package registers messages
of the same names in protobuf's common one.
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from piopiy_lab.gateway.messages import (
    ENVELOPES,
    PACKAGE,
    CallContext,
    FromGateway,
    FromWorker,
    RejectReason,
    ServingState,
    Wire,
    wires_of,
)

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "bool": _Field.TYPE_BOOL,
    "enum": _Field.TYPE_ENUM,
    "message": _Field.TYPE_MESSAGE,
    "texts": _Field.TYPE_MESSAGE,
}
#: The largest number that fits.
_MOST = {"uint32": 2**32 - 1, "uint64": 2**64 - 1}


class WireError(Exception):
    """Bytes that are no message of this protocol; its text holds nothing of them."""


def to_gateway(message: FromWorker) -> bytes:
    """Return what a worker sends."""
    return _pack("WorkerMessage", message)


def to_worker(message: FromGateway) -> bytes:
    """Return what the gateway sends."""
    return _pack("DispatcherMessage", message)


def from_worker(data: bytes) -> FromWorker | None:
    """Read what a worker sent; None for a kind that this version of the protocol doesn't have.

    Raises:
        WireError: It is no message.
    """
    return _unpack("WorkerMessage", data)


def from_gateway(data: bytes) -> FromGateway | None:
    """Read what the gateway sent; None for a kind that this version doesn't have.

    Raises:
        WireError: It is no message.
    """
    return _unpack("DispatcherMessage", data)


def _pack(envelope: str, record: FromWorker | FromGateway) -> bytes:
    name = next(name for name, kind in ENVELOPES[envelope].items() if kind is type(record))
    return _class(envelope)(**{name: _filled(record)}).SerializeToString()


def _filled(record: object) -> Message:
    values: dict[str, object] = {}
    for name, wire in wires_of(type(record)).items():
        value = getattr(record, name)
        if wire.kind in _MOST:
            value = max(0, min(value, _MOST[wire.kind]))
        values[name] = _filled(value) if wire.kind == "message" else value
    return _class(type(record).__name__)(**values)


def _unpack(envelope: str, data: bytes) -> Any:
    message = _class(envelope)()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise WireError("it is no protobuf message of this protocol") from error
    for field, value in message.ListFields():  # of an envelope one is set, at the most
        return _read(ENVELOPES[envelope][field.name], value)
    return None


def _read(record: type, message: Message) -> object:
    wires = wires_of(record)
    values: dict[str, object] = {}
    for field, value in message.ListFields():
        wire = wires[field.name]
        if wire.kind == "message" and wire.of is not None:
            values[field.name] = _read(wire.of, value)
        else:
            values[field.name] = dict(value) if wire.kind == "texts" else value
    return record(**values)


# --- the schema ------------------------------------------------------------------------------


@functools.cache
def _class(name: str) -> type[Message]:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="gateway.proto", package=PACKAGE, syntax="proto3"
    )
    for enum in (ServingState, RejectReason):
        entry = file.enum_type.add(name=enum.__name__)
        for value in enum:
            entry.value.add(name=value.name, number=value.value)
    for envelope, kinds in ENVELOPES.items():
        table = file.message_type.add(name=envelope)
        table.oneof_decl.add(name="payload")
        for number, (name, kind) in enumerate(kinds.items(), 1):
            field = table.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
            field.type, field.oneof_index = _Field.TYPE_MESSAGE, 0
            field.type_name = f".{PACKAGE}.{kind.__name__}"
    for record in (CallContext, *(kind for kinds in ENVELOPES.values() for kind in kinds.values())):
        table = file.message_type.add(name=record.__name__)
        for name, wire in wires_of(record).items():
            _add_field(table, name, wire)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(table: descriptor_pb2.DescriptorProto, name: str, wire: Wire) -> None:
    field = table.field.add(
        name=name, number=wire.number, type=_TYPES[wire.kind], label=_Field.LABEL_OPTIONAL
    )
    if wire.of is not None:
        field.type_name = f".{PACKAGE}.{wire.of.__name__}"
    if wire.kind == "texts":  # a map is a repeated message with a key and a value
        field.label = _Field.LABEL_REPEATED
        entry = f"{name.title().replace('_', '')}Entry"
        field.type_name = f".{PACKAGE}.{table.name}.{entry}"
        pair = table.nested_type.add(name=entry)
        pair.options.map_entry = True
        for number, part in enumerate(("key", "value"), 1):
            pair.field.add(
                name=part, number=number, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL
            )
