import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="How long should an agent wait?")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # How long should an agent wait?

    A caller stops talking. Have they finished, or are they thinking? The detector's `stop_secs` is
    the silence after which the agent answers. Move the slider below: the same caller calls again at
    once, in simulated time, and you see and hear what the other setting makes of the same words.

    *Takes 3 minutes to read; each move of the slider takes a second or two.*
    """)
    return


@app.cell
def _():
    import marimo as mo

    from piopiy_lab import Caller, Keyboard, VoiceAgent, offline_stack, simulate, start_call

    return Caller, Keyboard, VoiceAgent, mo, offline_stack, simulate, start_call


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A desk and a hesitant caller

    The desk takes bookings. The caller has one wish, and takes 0.6 seconds to think in the middle
    of it: "a table for two … tomorrow at seven".
    """)
    return


@app.cell
def _(Caller, VoiceAgent, offline_stack):
    from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
    from pipecat.turns.user_turn_strategies import UserTurnStrategies

    def desk(stop_secs, smart_turn):
        async def create_session():
            agent = VoiceAgent(instructions="You take bookings.", greeting="Hello, how can I help?")
            stt, llm, tts = offline_stack()
            silence = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)
            await agent.Action(
                stt=stt,
                llm=llm,
                tts=tts,
                vad={"stop_secs": stop_secs},
                turn_strategies=None if smart_turn else UserTurnStrategies(stop=[silence]),
            )
            await agent.start()

        return create_session

    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two")
        .waits(0.6)
        .says("tomorrow at seven")
        .hears_reply()
        .hangs_up()
    )
    return caller, desk


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The slider

    marimo runs the cells again that read it: the simulation, its picture and the words below it.
    """)
    return


@app.cell
def _(mo):
    stop_secs = mo.ui.slider(
        0.2, 1.2, step=0.2, value=0.2, label="stop_secs: seconds of silence", show_value=True
    )
    smart_turn = mo.ui.switch(label="Smart Turn judges each pause")
    mo.hstack([stop_secs, smart_turn], justify="start", gap=3)
    return smart_turn, stop_secs


@app.cell
async def _(caller, desk, simulate, smart_turn, stop_secs):
    call = await simulate(desk(stop_secs.value, smart_turn.value), caller)
    call.plot()
    return (call,)


@app.cell(hide_code=True)
def _(call, mo, stop_secs):
    answers = [entry for entry in call.transcript[1:] if entry.role == "assistant"]
    spoken_over = any(entry.interrupted for entry in answers)
    first = answers[0].text
    if spoken_over:
        verdict = (
            "They talked at the same time: the agent began, the caller went on, "
            "and half of it was lost."
        )
    elif "what name" in first.lower():
        verdict = "It heard the whole wish, and asks for what is missing."
    else:
        verdict = "It answered into the pause, and asked for what the caller was about to say."
    mo.md(
        f"""
        With **{stop_secs.value:g} s** of silence the agent's first answer is *“{first}”*,
        {1000 * call.turns[0].total:.0f} ms after the caller's last word. {verdict}
        """
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    At 0.2 and 0.4 the agent is quick and impatient. 0.6 is the worst: it waits just until the
    caller goes on. From 0.8 it hears the wish out, and is slow after *every* sentence, finished or
    not.

    Smart Turn is the way out. Move the slider back to 0.2 and switch it on: a small model listens
    to each pause and tells whether the sentence sounded finished.

    ## Hear it

    Click a word, a time or the picture.
    """)
    return


@app.cell
def _(call):
    call
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A call of your own

    The same desk, with the panel that every live call has: type a turn into it. Its own sliders
    change the running call. A move of the slider above ends it: marimo runs the cell below again.
    """)
    return


@app.cell
def _(mo):
    begin = mo.ui.run_button(label="Call by typing")
    begin
    return (begin,)


@app.cell
def _(Keyboard, begin, desk, mo, smart_turn, start_call, stop_secs):
    mo.stop(not begin.value)
    live = start_call(desk(stop_secs.value, smart_turn.value), Keyboard(voice=False))
    return (live,)


if __name__ == "__main__":
    app.run()
