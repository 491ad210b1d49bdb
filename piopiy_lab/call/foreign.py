"""Calls from elsewhere: how a ``Call`` is made of what other tools wrote, and written for them.

What does the work is behind :mod:`piopiy_lab.call.doors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from piopiy_lab.call.doors import behind

#: A file, or the caller's file and the agent's.
_Sound = str | PathLike[str] | Sequence[str | PathLike[str]]


class FromElsewhere:
    """The part of a ``Call`` that comes from other tools and goes to them."""

    @classmethod
    def from_recording(
        cls,
        recording: _Sound,
        *,
        transcript: object = None,
        recogniser: object = None,
        caller_channel: str | int = "left",
        agent_starts: float | None = None,
    ) -> Self:
        """Make a call of a recording: stereo, or the caller's file and the agent's.

        Turns are found in the sound by the detector; their times are within about 20 ms. What the
        recording doesn't tell (words, tools, latencies' parts) is a ``NoticeGiven``. Takes about
        20 ms for a second of sound, and no network.

        Args:
            recording: A sound file with the caller on one channel and the agent on the other, or
                two files that begin at the same moment: the caller's, then the agent's.
            transcript: What was said: ``(who, text)``, ``(who, text, start, end)``, dicts of
                ``role``, ``text``, ``start``, ``end`` and ``words``, another call's transcript,
                or a JSON file of such. Times in seconds of the recording.
            recogniser: Who hears what there is no transcript of: a function of the samples (int16,
                mono) and their rate in Hz, which gives the text, or the text and ``(word, start,
                end)`` of each word; or a ``PhraseBook``, for the caller's side.
            caller_channel: "left" (or 0), "right" (or 1); "only" for a mono file of the caller
                alone.
            agent_starts: Of two files: at which second of the caller's the agent's begins.

        Raises:
            ForeignCallError: It can't be read, is a mix of both sides, or the transcript's times
                run backwards or past the recording's end.
            ArgumentTypeError: ``recogniser`` is none.
        """
        return behind("from_recording")(
            cls,
            recording,
            transcript=transcript,
            recogniser=recogniser,
            caller_channel=caller_channel,
            agent_starts=agent_starts,
        )

    @classmethod
    def from_pipecat(
        cls,
        recording: _Sound | None,
        spans: str | PathLike[str],
        *,
        recording_started: float | None = None,
        conversation_id: str | None = None,
        recogniser: object = None,
        caller_channel: str | int = "left",
    ) -> Self:
        """Make a call of pipecat's OpenTelemetry spans and a recording of both sides.

        Transcripts, answers, tools and the parts of the latencies are the spans'; when each side
        was heard is the recording's. What :meth:`save_otlp` wrote is read back whole.

        Args:
            recording: As for :meth:`from_recording`; what ``AudioBufferProcessor(num_channels=2)``
                gives has the caller left. None: the spans alone.
            spans: OTLP's JSON: one object, or one a line.
            recording_started: When the recording began, in seconds of the wall clock
                (``time.time()`` in ``on_recording_started``). Without it, what the spans say of
                it, or where what is heard fits them best.
            conversation_id: Which conversation, if the file has several.
            recogniser: As for :meth:`from_recording`.
            caller_channel: As for :meth:`from_recording`.

        Raises:
            ForeignCallError: One of the files can't be read, or the two don't belong together.
            ArgumentTypeError: ``recording_started`` is no time.
        """
        return behind("from_pipecat")(
            cls,
            recording,
            spans,
            recording_started=recording_started,
            conversation_id=conversation_id,
            recogniser=recogniser,
            caller_channel=caller_channel,
        )

    @classmethod
    def from_livekit(
        cls,
        report: str | PathLike[str] | Mapping[str, Any],
        recording: _Sound | None = None,
        *,
        recording_started: float | None = None,
        recogniser: object = None,
        caller_channel: str | int = "left",
    ) -> Self:
        """Make a call of LiveKit Agents' session report and its recording.

        Args:
            report: ``JobContext.make_session_report().to_dict()``, or a JSON file of it.
            recording: The stereo recording, the user left; None: where the report says that it is.
            recording_started: When the recording began, in seconds of the wall clock, if the
                report doesn't say (``audio_recording_started_at``).
            recogniser: As for :meth:`from_recording`.
            caller_channel: As for :meth:`from_recording`.

        Raises:
            ForeignCallError: One of the files can't be read, lacks a field, or the two don't
                belong together.
        """
        return behind("from_livekit")(
            cls,
            report,
            recording,
            recording_started=recording_started,
            recogniser=recogniser,
            caller_channel=caller_channel,
        )

    @classmethod
    def from_retell(
        cls,
        call: str | PathLike[str] | Mapping[str, Any],
        recording: _Sound,
        *,
        recogniser: object = None,
        caller_channel: str | int | None = None,
    ) -> Self:
        """Make a call of Retell's call JSON and its multi-channel recording.

        Args:
            call: The call, or its webhook, or a JSON file of one.
            recording: What was downloaded from ``recording_multi_channel_url``.
            recogniser: As for :meth:`from_recording`.
            caller_channel: As for :meth:`from_recording`; None: where the words' times fit.

        Raises:
            ForeignCallError: One of the files can't be read, lacks a field, or the two don't
                belong together.
        """
        return behind("from_retell")(
            cls, call, recording, recogniser=recogniser, caller_channel=caller_channel
        )

    @classmethod
    def from_vapi(
        cls,
        call: str | PathLike[str] | Mapping[str, Any],
        recording: _Sound,
        *,
        recogniser: object = None,
        caller_channel: str | int | None = None,
    ) -> Self:
        """Make a call of Vapi's call JSON and its stereo recording, or the two of each side.

        Args:
            call: The call, or its end-of-call report, or a JSON file of one.
            recording: What was downloaded from ``presignedStereoUrl``, or from
                ``presignedCustomerUrl`` and ``presignedAssistantUrl``.
            recogniser: As for :meth:`from_recording`.
            caller_channel: As for :meth:`from_recording`; None: where the messages' times fit.

        Raises:
            ForeignCallError: One of the files can't be read, lacks a field, or the two don't
                belong together.
        """
        return behind("from_vapi")(
            cls, call, recording, recogniser=recogniser, caller_channel=caller_channel
        )

    def save_otlp(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the call as one file of OpenTelemetry's OTLP-JSON, for any viewer of traces.

        The spans are named as pipecat names them: ``conversation``, ``turn``, ``stt``, ``llm``,
        ``tts``, ``tool_call``; the events of the log are events of the turns' spans. The recording
        itself is not in it, but when it began. No key or token is in it; what was said is.

        Args:
            path: The file.
            overwrite: Replace a file that is there.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        return behind("save_otlp")(self, path, overwrite)
