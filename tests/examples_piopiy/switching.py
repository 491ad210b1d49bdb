import asyncio
import os

from piopiy.adapters.schemas.function_schema import FunctionSchema
from piopiy.agent import Agent
from piopiy.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.voice_agent import VoiceAgent

book_table = FunctionSchema(
    name="book_table", description="Book a table.", properties={}, required=[]
)


async def create_session():
    stt_a = DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY"))
    stt_b = DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY"))
    tts_a = CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="a")
    tts_b = CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="b")
    voice_agent = VoiceAgent(instructions="You switch voices.", greeting="Hello in my first voice.")

    async def switch_and_book(params):
        await voice_agent.switch_service(tts_b)
        await voice_agent.switch_service(stt_b)
        return "booked in another voice"

    voice_agent.add_tool(book_table, switch_and_book)
    await voice_agent.Action(
        stt_switcher=ServiceSwitcher(
            services=[stt_a, stt_b], strategy_type=ServiceSwitcherStrategyManual
        ),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts_switcher=ServiceSwitcher(
            services=[tts_a, tts_b], strategy_type=ServiceSwitcherStrategyManual
        ),
        vad=True,
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
