"""What a call can be on: turns ``on`` into a factory of transports, and checks it early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.events.values import Origin
from piopiy_lab.screenplay.caller import Caller, as_caller
from piopiy_lab.screenplay.recorded import Recorded, read_recorded
from piopiy_lab.screenplay.steps import AudioFile
from piopiy_lab.session.session import OpenTransport, Session
from piopiy_lab.session.transport import CallTransport, TransportSettings
from piopiy_lab.transports.microphones import BrowserMicrophone, Keyboard, Microphone


def opener(on: Any) -> tuple[Origin, OpenTransport]:
    """Return a call's origin and the factory of its transport.

    Args:
        on: A ``Microphone``, a ``BrowserMicrophone``, a ``Keyboard``, a ``Caller``, an
            ``AudioFile``, a transport of pipecat's, or None for ``Microphone()``.

    Raises:
        ArgumentTypeError: Something else.
        AudioFileError: A sound file that the caller would play can't be played.
        MissingExtraError: The caller's voice needs the ``offline`` extra.
        BrowserMicrophoneError: There is no notebook to show the browser's microphone in, or its
            kernel can't carry the audio.
        AudioDeviceError: There is no PortAudio, or no such device.
    """
    if on is None:
        on = Microphone()
    if isinstance(on, Microphone):
        return "microphone", _local(on)
    if isinstance(on, AudioFile):
        recorded = read_recorded(Path(on.path)) if on.channel is None else None
        return "file", _scripted(as_caller(on)) if recorded is None else _as_heard(on, recorded)
    if isinstance(on, Caller):
        return "caller", _scripted(on)
    if isinstance(on, BrowserMicrophone):
        return "browser", _in_browser(on)
    if isinstance(on, Keyboard):
        return "keyboard", _typed(on)
    if hasattr(on, "input") and hasattr(on, "output"):

        def open_custom(session: Session, settings: TransportSettings) -> CallTransport:
            from piopiy_lab.transports.custom import CustomTransport

            return CustomTransport(on, session)

        return "custom", open_custom
    raise ArgumentTypeError(
        f"a call can't be on {on!r}: give Microphone(), BrowserMicrophone(), Keyboard(), a "
        f"Caller, AudioFile(path), or a pipecat transport"
    )


def in_room(url: str | None, token: str, room_name: str) -> OpenTransport:
    """Return the factory of a transport in a call's room."""

    def open_room(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.room import RoomTransport

        return RoomTransport(session, settings, url, token, room_name)

    return open_room


def _in_browser(microphone: BrowserMicrophone) -> OpenTransport:
    channel = microphone.show()

    def open_browser(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.browser import BrowserTransport

        return BrowserTransport(session, settings, microphone, channel)

    return open_browser


def _local(microphone: Microphone) -> OpenTransport:
    from piopiy_lab.transports import devices

    devices.look_again()
    for side in ("input", "output"):
        devices.find(side, getattr(microphone, side))

    def open_microphone(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.microphone import MicrophoneTransport

        return MicrophoneTransport(session, settings, microphone)

    return open_microphone


def _typed(keyboard: Keyboard) -> OpenTransport:
    if keyboard.voice and keyboard.output is not None:
        from piopiy_lab.transports import devices

        devices.look_again()
        devices.find("output", keyboard.output)

    def open_keyboard(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.keyboard import KeyboardTransport

        return KeyboardTransport(session, settings, keyboard)

    return open_keyboard


def _as_heard(file: AudioFile, recorded: Recorded) -> OpenTransport:
    def open_as_heard(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.as_heard import AsHeardTransport

        return AsHeardTransport(session, settings, recorded, file.then_listens)

    return open_as_heard


def _scripted(caller: Caller) -> OpenTransport:
    from piopiy_lab.screenplay.sounds import check_screenplay

    check_screenplay(caller)

    def open_caller(session: Session, settings: TransportSettings) -> CallTransport:
        from piopiy_lab.transports.caller import CallerTransport

        return CallerTransport(session, settings, caller)

    return open_caller
