"""A pipecat bot on a cassette: the services that it makes itself, recorded and played."""

from __future__ import annotations

import cloud_bots
from cloud_desk import SAYS
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import TransportParams
from taped import lines, run, sound

from piopiy_lab import Caller, offline_realtime, offline_stack
from piopiy_lab.errors import CassetteError
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI, Scenario

CALLER = Caller().hears_greeting().says(SAYS[0]).hears_reply().hangs_up()


async def bot(runner_args: RunnerArguments) -> None:
    params = {
        "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    }
    await cloud_bots.converse(await create_transport(runner_args, params), runner_args)


class OnProviders:
    """The bot on providers that are fakes on loopback; each call has new ones."""

    def __init__(self, monkeypatch):
        self.servers = ()
        monkeypatch.setattr(cloud_bots, "services", self.services)

    def services(self):
        dg, oa, ca = self.servers
        return (
            DeepgramSTTService(api_key=dg.key, base_url=dg.base_url),
            OpenAILLMService(api_key=oa.key, base_url=oa.base_url),
            CartesiaTTSService(api_key=ca.key, url=ca.url),
        )

    async def __call__(self, runner_args: RunnerArguments) -> None:
        async with (
            FakeDeepgram(SAYS, scenario=Scenario.late_final(0.3)) as dg,
            FakeOpenAI(["Hello.", "What name?"], scenario=Scenario.slow(0.35)) as oa,
            FakeCartesia(scenario=Scenario.slow(0.18)) as ca,
        ):
            self.servers = (dg, oa, ca)
            await bot(runner_args)


def check_played(create_session, folder, **options):
    recorded = run(create_session, CALLER, cassette=folder, **options).raise_for_error()
    played = [
        run(create_session, CALLER, cassette=folder, record_mode="none", **options) for _ in "12"
    ]
    played[0].raise_for_error()
    assert lines(played[0]) == lines(played[1])
    assert sorted(lines(played[0])) == sorted(lines(recorded))
    assert sound(played[0]) == sound(recorded)
    return recorded


def test_a_bot_with_replaced_services(tmp_path):
    call = check_played(bot, tmp_path / "tape", replace=offline_stack())
    assert call.transcript[-1].role == "assistant"


def test_a_bot_on_its_providers_is_played_without_them(tmp_path, monkeypatch):
    made = OnProviders(monkeypatch)
    call = check_played(made, tmp_path / "tape")
    assert [e.text for e in call.transcript] == ["Hello.", SAYS[0], "What name?"]
    assert [len(server.received) for server in made.servers] == [0, 0, 0]


def test_a_bot_whose_model_can_not_be_played_is_told_why(tmp_path):
    tape = tmp_path / "tape"
    run(bot, CALLER, cassette=tape, replace=offline_stack()).raise_for_error()
    stt, _, tts = offline_stack()
    call = run(bot, CALLER, cassette=tape, replace=(stt, offline_realtime(), tts))
    assert isinstance(call.error, CassetteError)
    assert "no realtime model is on the cassette" in str(call.error)
