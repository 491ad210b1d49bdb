"""Cassettes: what the services of a call answered, kept in a folder and played back.

``Cassette`` is one of them in one call. ``tape`` is the folder: a line for each thing that was
asked, a line for each thing that came of it, and the sound beside them. ``recording`` listens to
what a service does to its pipecat base class; ``playing`` does the same to it again, with the same
delays, and the service itself is never run: no socket, no key.
"""

from __future__ import annotations

from piopiy_lab.cassette.cassette import Cassette, RecordMode, open_cassette
from piopiy_lab.cassette.misses import Miss

__all__ = ["Cassette", "Miss", "RecordMode", "open_cassette"]
