"""What can happen in a call: one frozen record for each kind of event.

The event log is the one account of a call: widgets, the recorder's alignment, tests and saved
calls all read it. Names are in the past tense, units are in the field names or comments, and
``at`` is in seconds of the call's clock, taken when the thing happened (for a pipecat frame:
when it was pushed), not when somebody handled it.

A record holds only values that JSON can hold, and nothing that differs between two runs of the
same simulation: no ids, no wall-clock times, no host facts (those live in ``meta.json``).
"""

from __future__ import annotations

from piopiy_lab.events.agent import (
    AgentInterrupted,
    AgentSpeechHeld,
    AgentSpeechResumed,
    AgentSpeechStarted,
    AgentSpeechStopped,
    AgentTurnAdded,
    AudioSynthesized,
    ContextSent,
    LLMResponseStarted,
    LLMResponseStopped,
    LLMTextGenerated,
    SpeechRequested,
    SynthesisStarted,
    SynthesisStopped,
    WordSpoken,
)
from piopiy_lab.events.base import Event, UnknownEvent
from piopiy_lab.events.call import (
    CallEnded,
    CallStarted,
    CallStateChanged,
    PipelineStarted,
    TransferFinished,
    TransferRequested,
    TransferStarted,
)
from piopiy_lab.events.lost_turns import (
    EmptyAnswer,
    NoSound,
    NoWords,
    SpeechUnheard,
    TurnLost,
)
from piopiy_lab.events.reading import from_json
from piopiy_lab.events.room import (
    DataReceived,
    ParticipantJoined,
    ParticipantLeft,
    RoomJoined,
    RoomLinkLost,
    RoomLinkRestored,
)
from piopiy_lab.events.services import (
    ComputedOutside,
    ErrorOccurred,
    InstructionsChanged,
    MetricsReported,
    NoticeGiven,
    ServiceSwitched,
    SettingsChanged,
)
from piopiy_lab.events.tools import (
    ToolCalled,
    ToolCancelled,
    ToolReturned,
)
from piopiy_lab.events.transports import (
    AudioDeviceLost,
    AudioDeviceOpened,
    AudioDropped,
    BackgroundHeard,
    CallerDescribed,
    CallerSpoke,
    CallerStayedSilent,
    CallerStepFailed,
    CallerStepFinished,
    CallerStepStarted,
    LevelMeasured,
)
from piopiy_lab.events.user import (
    BackchannelHeard,
    DTMFReceived,
    InterimTranscribed,
    Transcribed,
    TurnPredicted,
    UserMuted,
    UserSpeechStarted,
    UserSpeechStopped,
    UserTextTyped,
    UserTurnAdded,
    UserTurnStarted,
    UserTurnStopped,
    VADSampled,
)

__all__ = [
    "AgentInterrupted",
    "AgentSpeechHeld",
    "AgentSpeechResumed",
    "AgentSpeechStarted",
    "AgentSpeechStopped",
    "AgentTurnAdded",
    "AudioDeviceLost",
    "AudioDeviceOpened",
    "AudioDropped",
    "AudioSynthesized",
    "CallEnded",
    "CallStarted",
    "CallStateChanged",
    "BackchannelHeard",
    "BackgroundHeard",
    "CallerDescribed",
    "CallerSpoke",
    "CallerStayedSilent",
    "CallerStepFailed",
    "CallerStepFinished",
    "CallerStepStarted",
    "ComputedOutside",
    "ContextSent",
    "DTMFReceived",
    "DataReceived",
    "EmptyAnswer",
    "ErrorOccurred",
    "Event",
    "InstructionsChanged",
    "InterimTranscribed",
    "LLMResponseStarted",
    "LLMResponseStopped",
    "LLMTextGenerated",
    "LevelMeasured",
    "MetricsReported",
    "NoSound",
    "NoWords",
    "NoticeGiven",
    "ParticipantJoined",
    "ParticipantLeft",
    "PipelineStarted",
    "RoomJoined",
    "RoomLinkLost",
    "RoomLinkRestored",
    "ServiceSwitched",
    "SettingsChanged",
    "SpeechRequested",
    "SpeechUnheard",
    "SynthesisStarted",
    "SynthesisStopped",
    "ToolCalled",
    "ToolCancelled",
    "ToolReturned",
    "Transcribed",
    "TransferFinished",
    "TransferRequested",
    "TransferStarted",
    "TurnLost",
    "TurnPredicted",
    "UnknownEvent",
    "UserMuted",
    "UserSpeechStarted",
    "UserSpeechStopped",
    "UserTextTyped",
    "UserTurnAdded",
    "UserTurnStarted",
    "UserTurnStopped",
    "VADSampled",
    "WordSpoken",
    "from_json",
]
