"""The scripted caller: the script as pure data, and who performs it."""
