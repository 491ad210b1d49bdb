import asyncio
import os

from piopiy.agent import Agent
from piopiy.audio.vad.silero import SileroVADAnalyzer
from piopiy.audio.vad.vad_analyzer import VADParams
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.transports.services.telecmi import TelecmiParams
from piopiy.voice_agent import VoiceAgent


async def create_session(call_id):
    voice_agent = VoiceAgent(instructions="You are brief.", greeting="Hello, on a phone line.")
    await voice_agent.Action(
        stt=DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY")),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        telecmi_params=TelecmiParams(
            audio_in_sample_rate=8000,
            audio_out_sample_rate=16000,
            audio_out_queue_size_ms=500,
            vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=0.25)),
        ),
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
