"""The phone: a session for each invited room, and the platform's REST."""
