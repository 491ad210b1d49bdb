"""Who plays along in an eval besides the bot: the judge, the user's voice, who hears the bot.

What the file names is taken where it is there. Where it isn't, something offline stands in and a
notice says so; only a persona, which must think, has no stand-in. Chosen on the calling thread
before the call, made on its loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipecat.evals.judge import EvalJudge
from pipecat.evals.scenario import EvalLoadedScenario, EvalScriptScenario, EvalSimulationScenario
from pipecat.evals.script_session import EvalScriptSession
from pipecat.evals.services import (
    llm_service_from_config,
    stt_service_from_config,
    tts_service_from_config,
)
from pipecat.evals.session import EvalSession, EvalSessionParams
from pipecat.evals.simulation_session import EvalSimulationSession
from pipecat.evals.tts import CachingTTSService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from piopiy_lab.checks.texts import described, shown
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    EvalFileError,
    PiopiyLabError,
    ServiceError,
)
from piopiy_lab.evals import judges
from piopiy_lab.evals.there import Config, Servers, lacks
from piopiy_lab.evals.voices import espeak, spoken_words
from piopiy_lab.hosting.containment import is_of_a_signal
from piopiy_lab.pipeline.parts import mark_used, was_used
from piopiy_lab.sound.speech import find_voice

#: What ``transcription=`` can name: nobody, or one of pipecat's.
_RECOGNISERS = ("spoken_words", "moonshine", "whisper")
#: What to give for each, for the message of an error.
_GIVE = {
    "judge": judges.GIVE,
    "voice": "the name of an offline voice, or a function that makes a TTS service",
    "transcription": "'spoken_words', 'moonshine', 'whisper', or a function that makes an STT "
    "service",
    "persona": "an LLM service, or a function that makes one",
}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Cast:
    """What the caller of ``run_eval`` wants in place of what the files name; None: as they say.

    Attributes:
        judge: ``"rules"``, a classifier, an LLM service, an ``EvalJudge``, or a function that
            makes one of them for each run.
        voice: The user's voice: a name of an offline one, or a function that makes a TTS service.
        transcription: Who hears the bot: ``"spoken_words"``, or a function that makes an STT.
        persona: Who thinks for a simulated caller: an LLM service, or a function that makes one.
        servers: Which model servers are there.
    """

    judge: object = None
    voice: object = None
    transcription: object = None
    persona: object = None
    servers: Servers = field(default_factory=Servers)

    def __post_init__(self) -> None:
        """Check what was given, before any run; what a function makes is seen when it is called.

        Raises:
            ArgumentError: There is no judge, voice or recogniser of that name.
            ArgumentTypeError: Something is none of what it may be.
        """
        _check_given("judge", self.judge, judges.JUDGES, ("rules",))
        _check_given("voice", self.voice, (str,))
        _check_given("transcription", self.transcription, (), _RECOGNISERS)
        _check_given("persona", self.persona, (LLMService,))
        if isinstance(self.voice, str):
            find_voice(self.voice)

    def parts(self, scenario: EvalLoadedScenario) -> Parts:
        """Choose who plays along in a scenario; on the calling thread, in real time.

        Raises:
            EvalFileError: Nobody can play the simulated caller.
        """
        parts = Parts(scenario)
        if scenario.user_speech is not None:
            parts.voice = self._voice(scenario.user_speech, parts.notices)
        if _hears(scenario):
            parts.transcription = self._transcription(scenario.transcriber or {}, parts.notices)
        if _judges(scenario):
            parts.judge = judges.choose(self.judge, scenario.judge, self.servers, parts.notices)
        if isinstance(scenario, EvalSimulationScenario):
            parts.persona = self._persona(scenario)
        return parts

    def check_runs(self, simulated: int) -> None:
        """Refuse one persona for several runs: what it heard in the first, it knows in the next.

        Args:
            simulated: How many runs have a simulated caller.

        Raises:
            ArgumentError: It is one service for more than one run, or was in a run before.
        """
        given = self.persona
        if isinstance(given, LLMService) and (simulated > 1 or (simulated and was_used(given))):
            why = "was in a run before" if was_used(given) else f"is one for {simulated} runs"
            raise ArgumentError(
                f"persona={shown(given)} {why}, and pipecat's services can't be used twice: give a "
                "function that makes one"
            )

    def _voice(self, config: Config, notices: list[str]) -> Callable[[], CachingTTSService]:
        if callable(self.voice):
            make = self.voice
            return lambda: _uncached(_made(make, TTSService, "voice"))
        if self.voice is not None:
            named = {**config, "voice": self.voice}
            return lambda: _uncached(espeak(named))
        service = config.get("service")
        if config.get("factory"):
            return lambda: tts_service_from_config(dict(config), use_cache=False)
        if service == "espeak":
            return lambda: _uncached(espeak(config))
        if (why := lacks(service)) is None:
            return lambda: tts_service_from_config(dict(config))
        notices.append(
            f"the user's voice: {service} {why}, so an offline one speaks; voice= takes another"
        )
        return lambda: _uncached(espeak({**config, "voice": None}))

    def _transcription(self, config: Config, notices: list[str]) -> Callable[[], STTService]:
        if callable(self.transcription):
            make = self.transcription
            return lambda: _made(make, STTService, "transcription")
        named = self.transcription or config.get("service") or "moonshine"
        if self.transcription is None and config.get("factory"):
            return lambda: _made(
                lambda: stt_service_from_config(dict(config)), STTService, "transcription"
            )
        if named == "spoken_words":
            return lambda: spoken_words(config)
        if (why := lacks(named)) is None:
            return lambda: stt_service_from_config({**config, "service": named})
        notices.append(
            f"the bot's speech: {named} {why}, so its words are taken as its own voice "
            "reports them, and nobody listens to the sound; transcription= takes another"
        )
        return lambda: spoken_words(config)

    def _persona(self, scenario: EvalSimulationScenario) -> Callable[[], LLMService[Any]]:
        if self.persona is not None:
            given = self.persona
            make = given if callable(given) else lambda: given
            return lambda: _made(make, LLMService, "persona")
        config = scenario.simulator
        if (where := self.servers.lacks(config)) is None:
            return lambda: _made(
                lambda: llm_service_from_config(dict(config), where="simulator"),
                LLMService,
                "simulator",
            )
        raise EvalFileError(
            f"{scenario.source_path}: {scenario.name} has a simulated caller, who needs an LLM to "
            f"think with, and nobody answers at {where}: give persona=a function that makes an LLM "
            "service, or a factory: under simulator: in the file"
        )


@dataclass
class Parts:
    """Who was chosen for one scenario, and what has to be said of it."""

    scenario: EvalLoadedScenario
    judge: Callable[[], EvalJudge] | None = None
    voice: Callable[[], CachingTTSService] | None = None
    transcription: Callable[[], STTService] | None = None
    persona: Callable[[], LLMService[Any]] | None = None
    notices: list[str] = field(default_factory=list[str])

    def session(
        self,
        address: str,
        params: EvalSessionParams,
        on_voice: Callable[[CachingTTSService], None],
    ) -> EvalSession[Any]:
        """Make pipecat's session; on the loop of the call.

        Args:
            address: Where its client connects to.
            params: pipecat's.
            on_voice: Told of the user's voice, if there is one.

        Raises:
            ServiceError: Somebody can't be made.
            PiopiyLabError: Somebody is none of what they should be.
        """
        judge = self.judge and _make("judge", self.judge)
        voice = self.voice and _make("user's voice", self.voice)
        if voice is not None:
            on_voice(voice)
        heard = self.transcription and _make("recogniser", self.transcription)
        if isinstance(self.scenario, EvalScriptScenario):
            return EvalScriptSession(
                self.scenario,
                address,
                params=params,
                judge=judge,
                user_tts=voice,
                bot_stt=heard,
            )
        assert self.persona is not None, "Cast.parts() chose one"
        return EvalSimulationSession(
            self.scenario,
            address,
            params=params,
            persona_llm=_make("persona", self.persona),
            judge=judge,
            user_tts=voice,
            bot_stt=heard,
        )


def _hears(scenario: EvalLoadedScenario) -> bool:
    """Whether somebody has to hear what the bot speaks."""
    wants = not isinstance(scenario, EvalScriptScenario) or scenario.wants_response()
    return scenario.bot_audio and wants


def _judges(scenario: EvalLoadedScenario) -> bool:
    """Whether there is something to judge."""
    if not isinstance(scenario, EvalScriptScenario):
        return True
    return any(expected.eval is not None for turn in scenario.turns for expected in turn.expect)


def _check_given(
    name: str, given: object, kinds: tuple[type, ...], names: tuple[str, ...] = ()
) -> None:
    """Refuse what is no function, none of these kinds of things and none of these names."""
    if given is None or isinstance(given, kinds) or given in names:
        return
    if isinstance(given, str):
        raise ArgumentError(f"{name}={given!r}: there is none of that name: give {_GIVE[name]}")
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise ArgumentTypeError(f"{name}={shown(given)}: give {_GIVE[name]}; no coroutine function")


def _make(who: str, make: Callable[[], T]) -> T:
    """Make who plays along; what the code of a file's factory or of the user raises is one error.

    Raises:
        ServiceError: It raised.
        PiopiyLabError: An error of ours, which says more.
    """
    try:
        return make()
    except PiopiyLabError:
        raise
    except (Exception, SystemExit) as error:
        if is_of_a_signal(error):
            raise
        where = user_line(error)
        raise ServiceError(
            f"the {who} can't be made: {described(error)}{f' ({where})' if where else ''}: mend "
            "what makes it, or have another one"
        ) from error


def _made(make: Callable[[], object], kind: type[Any], name: str) -> Any:
    """Return a service that a function makes, for one run alone.

    Raises:
        ArgumentTypeError: It makes something else.
        ServiceError: An earlier run had this one: what it heard and said is in it.
    """
    made = make()
    if not isinstance(made, kind):
        raise ArgumentTypeError(
            f"{name} made {shown(made)}: the function must return one of pipecat's {kind.__name__}"
        )
    if was_used(made):
        raise ServiceError(
            f"this {type(made).__name__} was in an earlier run, and pipecat's services can't be "
            f"used twice: let {name}'s function make another for each run"
        )
    mark_used([made])
    return made


def _uncached(voice: TTSService) -> CachingTTSService:
    return CachingTTSService(voice, cache_key="", use_cache=False)
