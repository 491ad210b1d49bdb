"""How the platform reaches the agent: links and their dialects."""
