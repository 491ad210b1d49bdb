import asyncio
import os

from piopiy.agent import ROOM_CTX, Agent
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.voice_agent import VoiceAgent

seen = []


async def create_session(call_id: str, metadata: dict | None = None, **kwargs):
    name = (metadata or {}).get("name", "there")
    seen.append((call_id, metadata, ROOM_CTX.get(), sorted(kwargs)))
    voice_agent = VoiceAgent(
        instructions=f"You talk to {name}.", greeting=f"Hello {name}!", idle_timeout_secs=30
    )
    await voice_agent.configure(
        stt=DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY")),
        llm=OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY")),
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        vad={"confidence": 0.6, "start_secs": 0.15, "stop_secs": 0.3, "min_volume": 0.5},
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session, debug=True)
    asyncio.run(agent.connect())
