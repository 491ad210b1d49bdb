import asyncio
import os

from piopiy.agent import Agent
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.openai.realtime.llm import OpenAIRealtimeLLMService
from piopiy.speech_agent import SpeechAgent


async def create_session():
    speech_agent = SpeechAgent(
        instructions="You take restaurant bookings.", greeting="Hello, this is the booking desk."
    )
    await speech_agent.Action(
        omni=OpenAIRealtimeLLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        vad=True,
    )
    await speech_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
