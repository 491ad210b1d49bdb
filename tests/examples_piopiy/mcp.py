import asyncio
import os
import sys

from piopiy.agent import Agent
from piopiy.services.cartesia.tts import CartesiaTTSService
from piopiy.services.deepgram.stt import DeepgramSTTService
from piopiy.services.mcp_service import MCPClient, StdioServerParameters
from piopiy.services.openai.llm import OpenAILLMService
from piopiy.voice_agent import VoiceAgent

SERVER = os.getenv("WEATHER_MCP_SERVER", "weather_server.py")


async def create_session():
    voice_agent = VoiceAgent(instructions="You know the weather.", greeting="Hello, ask away.")
    llm = OpenAILLMService(api_key=os.getenv("OPENAI_API_KEY"))
    mcp = MCPClient(StdioServerParameters(command=sys.executable, args=[SERVER, "stdio"]))
    mcp_tools = await mcp.register_tools(llm)
    await voice_agent.Action(
        stt=DeepgramSTTService(api_key=os.getenv("DEEPGRAM_API_KEY")),
        llm=llm,
        tts=CartesiaTTSService(api_key=os.getenv("CARTESIA_API_KEY"), voice_id="x"),
        mcp_tools=mcp_tools,
        vad=True,
    )
    await voice_agent.start()


if __name__ == "__main__":
    agent = Agent(os.getenv("AGENT_ID"), os.getenv("AGENT_TOKEN"), create_session)
    asyncio.run(agent.connect())
