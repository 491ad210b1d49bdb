"""One call as its own code sees it: what create_session is given, and what it can ask for."""
