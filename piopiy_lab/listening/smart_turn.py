"""``smart_turn(threshold=, wait_secs=, model=)``: the turn model with settings of one's own."""

from __future__ import annotations

from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.listening.seams import ThresholdSmartTurn
from piopiy_lab.listening.turn_models import Asking, TurnModel
from piopiy_lab.listening.turn_taking import INCOMPLETE_WAIT_SECS


def smart_turn(
    *,
    threshold: float = 0.5,
    wait_secs: float = INCOMPLETE_WAIT_SECS,
    model: TurnModel | None = None,
) -> ThresholdSmartTurn:
    """Return Smart Turn, which says whether a caller is done, or another model, with settings.

    For one call; :func:`turn_sweep` recommends the settings. What stands in its place is Smart Turn
    with a threshold of 0.5 and a wait of 1.5 s.

    Example::

        params = TelecmiParams(turn_analyzer=smart_turn(threshold=0.7, wait_secs=1.0))
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, telecmi_params=params)

    Args:
        threshold: The turn is over if the model is surer of it than that, 0 to 1. Higher cuts
            fewer callers off, and more of those who are done wait.
        wait_secs: Seconds of silence after which a turn that sounded incomplete ends all the same,
            0.1 to 30.
        model: What is asked in Smart Turn's place: a turn analyzer of pipecat's kind, or a function
            of float32 samples (those of the turn so far, -1 to 1) and their rate in Hz that returns
            how sure it is of an end, 0 to 1. On a thread of the call's own; one that fails, or says
            something else, ends the call with an error (an early look that fails is taken again).

    Raises:
        ArgumentError: A value is out of range, or the model follows the sound as it comes.
        ArgumentTypeError: One is no number, or no model.
    """
    check_number("threshold", threshold, 0, 1, of="smart_turn")
    check_number("wait_secs", wait_secs, 0.1, 30, of="smart_turn")
    params = SmartTurnParams(stop_secs=wait_secs)
    if model is None:
        return ThresholdSmartTurn(float(threshold), params=params)
    asked = Asking(model, of="smart_turn(model=...)")
    params.max_duration_secs = asked.most_secs
    return ThresholdSmartTurn(float(threshold), asked, params=params)
