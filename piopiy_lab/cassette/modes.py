"""What is done with a cassette."""

from __future__ import annotations

from typing import Literal

#: vcrpy's: "once" records if there is no cassette, else plays; "none" plays; "new_episodes" plays,
#: and asks and adds what is not there; "all" records anew.
RecordMode = Literal["once", "none", "new_episodes", "all"]
