"""Made-up keys, easy to find wherever they would leak."""

DEEPGRAM, OPENAI, CARTESIA = "dg-leak-0011223344", "sk-leak0011223344556677", "ca-leak-0011223344"
