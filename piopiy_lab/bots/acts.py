"""What a bot can be told while it runs: what its pipeline has the parts for, as a VoiceAgent.

Runs on the session's loop, but for :meth:`BotActs.prepare`, which any thread may call.
"""

from __future__ import annotations

from typing import Any

from piopiy_lab.bots.found import Found
from piopiy_lab.errors import CallError
from piopiy_lab.pipeline.acts import Acts
from piopiy_lab.session.commands import AgentCommand, Say, SwitchService, UserSays
from piopiy_lab.session.running_agent import Act


class BotActs(Acts):
    """Does what a running bot is told."""

    def __init__(self, found: Found, *args: Any, **options: Any) -> None:
        """Act on a pipeline.

        Args:
            found: What is in it.
            *args: As for ``Acts``.
            **options: As for ``Acts``.
        """
        super().__init__(*args, **options)
        self._found = found

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it; any thread.

        Raises:
            CallError: The bot's pipeline lacks what the command needs.
            ArgumentError: A setting or service that this call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        if (missing := self._missing(command)) is not None:
            raise CallError(f"{command.verb}: this bot's pipeline {missing}")
        return super().prepare(command)

    def _missing(self, command: AgentCommand) -> str | None:
        found, speech = self._found, self._found.mode == "speech"
        match command:
            case Say() if speech:
                return (
                    "has a realtime model, which takes no words to say; let a caller ask for them"
                )
            case Say() if "tts" not in found.active:
                return "has no text-to-speech service"
            case UserSays() if found.mode != "cascaded":
                return "has a realtime model, which takes no typed turns: let a caller say it"
            case UserSays() if found.user is None:
                return "has no LLMUserAggregator, where typed turns go in"
            case SwitchService() if not found.switchers:
                return "has no ServiceSwitcher"
            case _:
                return None
