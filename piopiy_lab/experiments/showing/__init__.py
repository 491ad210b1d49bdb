"""Many calls, and two agents compared, as text, HTML, JUnit and pictures."""
