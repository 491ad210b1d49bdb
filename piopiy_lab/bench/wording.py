"""What an agent did about a stimulus, in a few words. Pure."""

from __future__ import annotations

from piopiy_lab.bench.measuring import Measured


def did(one: Measured) -> str:
    """Return what the agent did: "cut after 0.36 s, and took it for a turn"."""
    told: list[str] = []
    reaction = one.reaction
    if reaction is not None:
        match reaction.outcome:
            case "went on":
                told.append("went on" if reaction.fell is None else "went on, lower for a while")
            case "resumed":
                told.append(f"resumed after {max(reaction.gaps):.2f} s of silence")
            case "resumed late":
                told.append(f"resumed only after {max(reaction.gaps):.2f} s of silence")
            case "cut":
                told.append(f"was silent after {reaction.fell or 0.0:.2f} s")
            case "was silent":
                told.append("had been silent before")
    for silence in one.silences:
        if silence.label == "hold" and silence.fired is not None:
            told.append(
                f"took a pause of {silence.secs:.2f} s for the end after {silence.fired:.2f} s"
            )
    if not one.silences and one.turned:
        told.append("took it for a turn")
    if one.stimulus.during == "silence" and one.answered is not None:
        where = "before its end" if one.answered < 0 else "after it"
        told.append(f"spoke {abs(one.answered):.2f} s {where}")
    elif one.stimulus.kind == "end" and one.answered is None:
        told.append("gave no answer")
    return ", ".join(told) or "did nothing"
