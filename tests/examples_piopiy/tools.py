import asyncio
import os

from piopiy.adapters.schemas.function_schema import FunctionSchema
from piopiy.agent import Agent
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.llm_service import FunctionCallParams
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.voice_agent import VoiceAgent

book_table = FunctionSchema(
    name="book_table",
    description="Book a table.",
    properties={
        "people": {"type": "integer"},
        "day": {"type": "string"},
        "time": {"type": "string"},
        "name": {"type": "string"},
    },
    required=["people", "day", "time", "name"],
)
booked = []


async def handle_booking(params: FunctionCallParams):
    booked.append(dict(params.args))
    return {"status": "booked", "reference": "R-7"}


async def create_session():
    voice_agent = VoiceAgent(
        instructions="You take restaurant bookings.",
        greeting="Hello, this is the booking desk.",
        tools=[book_table],
    )
    voice_agent.register_tool("book_table", handle_booking)
    await voice_agent.AgentAction(
        stt=DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY")),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        vad=True,
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
