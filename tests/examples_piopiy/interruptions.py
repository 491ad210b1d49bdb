import asyncio
import os

from piopiy.agent import Agent
from piopiy.audio.interruptions.min_words_interruption_strategy import MinWordsInterruptionStrategy
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.voice_agent import VoiceAgent


async def create_session():
    voice_agent = VoiceAgent(
        instructions="You are patient.", greeting="Hello, this is a rather long greeting for you."
    )
    await voice_agent.Action(
        stt=DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY")),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        vad=True,
        allow_interruptions=True,
        interruption_strategy=MinWordsInterruptionStrategy(min_words=2),
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
