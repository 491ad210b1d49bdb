"""What an agent is told to do in a call: end it, hand the caller over, switch a service."""

from __future__ import annotations

from typing import Unpack

from piopiy_lab.errors import CallError, ServiceError
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.pipeline.run import AgentRun
from piopiy_lab.session.transfer_order import TransferOptions, TransferOrder


class InCall:
    """An agent's side of a call that runs."""

    _run: AgentRun | None  # the call that it is in; by start()
    _parts: Parts | None  # what the call is made of; by Action()

    async def end_call(self) -> None:
        """End the call, once what the agent is saying has been heard; the reason is "agent_ended".

        Call it on the session's loop: in a tool's handler, or a task of ``create_session``.

        Raises:
            CallError: The agent isn't running.
        """
        await self._running("end_call").acts.end_call()

    async def transfer_call(self, number: str, **options: Unpack[TransferOptions]) -> None:
        """Hand the caller over, once what the agent is saying has been heard.

        On the phone the platform transfers the caller: it rings, and the caller stays with the
        agent until somebody answers. Returns then, and the call ends with the reason
        "agent_ended". Elsewhere a transfer is an event, and the end. Call it on the session's loop.

        Args:
            number: A telephone number with its country code, or a SIP address.
            **options: Those of :meth:`piopiy_lab.call.call.Call.transfer`: ``blind=True`` to leave
                at once, ``caller_id``, ``timeout_secs`` and so on.

        Raises:
            ArgumentError: It is neither, or an option can't be used.
            CallControlError: The platform refused, or nobody took the call, which goes on.
            CallError: The agent isn't running.
        """
        order = TransferOrder(number, **options)
        run = self._running("transfer_call")
        transfer = await run.acts.transfer(order, "code")
        if transfer is not None:
            await run.acts.transferred(transfer)

    def _running(self, what: str) -> AgentRun:
        if self._run is None:
            raise CallError(f"{what}: this VoiceAgent is in no call; await voice_agent.start()")
        return self._run

    async def switch_service(self, service: object) -> None:
        """Make another service of a switcher the active one; from any thread or event loop.

        Queues the request and returns. The switch waits for a seam, so that no word is cut or
        said twice: a voice finishes what it was given, a language model its answer, a recogniser
        the caller's turn. When it has happened the log says ``ServiceSwitched``. What comes late
        from the service that was switched off is neither spoken nor transcribed.

        Args:
            service: A service of a switcher, or its name in ``call.services``.

        Raises:
            ArgumentError: There is no such service in this call's switchers.
            ServiceError: The agent isn't running, or the service can no longer do its job.
        """
        if self._run is None:
            switchers = {} if self._parts is None else self._parts.names
            names = [name for of_kind in switchers.values() for name in of_kind]
            raise ServiceError(
                "switch_service() changes a running call, and this VoiceAgent is in none; the "
                "first service of a switcher begins"
                + (f" (there are: {', '.join(map(repr, names))})" if names else "")
            )
        await self._run.changes.switch_service(service)
