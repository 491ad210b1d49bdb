"""Sweeps: every combination on the same sound, the table, the pictures, providers and prices."""

from __future__ import annotations

import asyncio

import pytest
from quick_agents import SURE, UNSURE, quick

from piopiy_lab import VoiceAgent, offline_stack, sweep_agents
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.sweep_points import label_of
from piopiy_lab.offline import EspeakTTSService


def swept(make_session, axes, callers=None, **told):
    told = {"executor": 0, "repeat": 6, **told}
    return asyncio.run(sweep_agents(make_session, axes, callers or {"u": UNSURE}, **told))


def waits(wait):
    return quick(wait=wait)


@pytest.fixture(scope="module")
def one_axis():
    return swept(waits, {"wait": [1.5, 0.5]}, repeat=8)


def drawn(figure, gid):
    return [a for axes in figure.axes for a in axes.get_children() if a.get_gid() == gid]


def test_rows_carry_the_parameters_and_points_are_found_by_them(one_axis):
    assert [dict(point.params) for point in one_axis] == [{"wait": 1.5}, {"wait": 0.5}]
    assert {row.params["wait"] for row in one_axis[1].calls} == {0.5}
    assert one_axis.at(wait=0.5) is one_axis[1]
    assert repr(one_axis) == "<Sweep: 2 points, wait (2)>"
    with pytest.raises(ArgumentError, match=r"0 points have that; there are wait in 1.5, 0.5"):
        one_axis.at(wait=0.7)


def test_points_hear_the_same_and_are_compared_with_the_first(one_axis):
    first, second = one_axis
    assert [row.seed for row in first.calls] == [row.seed for row in second.calls]
    assert first.comparison is None
    held = sum(row.answers[0] > 1 for row in first.calls)
    assert 0 < held < 8
    assert len(second.comparison.differing) == held
    assert second.difference("mean").difference < 0


def test_the_table_has_intervals_and_what_differs(one_axis):
    text = str(one_axis)
    assert "8 of 8, 1.00 (0.68 to 1.00)" in text
    assert "the first" in text
    assert "words not understood" in text
    assert "cost" not in text, "nobody gave prices"
    assert "<table" in one_axis._repr_html_()
    frame = one_axis.to_pandas()
    assert list(frame["wait"]) == [1.5, 0.5]
    assert frame["mean"][0] > frame["mean"][1]
    assert (frame["mean_low"] <= frame["mean"]).all()
    assert len(one_axis.to_pandas(calls=True)) == 16
    assert "wait" in one_axis.to_pandas(calls=True)


def test_one_axis_is_a_curve_with_intervals(one_axis, tmp_path):
    figure = one_axis.plot()
    assert {
        gid: len(drawn(figure, gid)) for gid in ("mean", "p50", "p95", "passed")
    } == dict.fromkeys(("mean", "p50", "p95", "passed"), 1)
    assert len(drawn(figure, "interval")) >= 4
    assert len(drawn(one_axis.plot("late"), "late")) == 1
    page = one_axis.save_html(tmp_path / "sweep.html").read_text()
    assert "data:image/png" in page
    with pytest.raises(ArgumentError, match="the figures are mean, p50"):
        one_axis.plot("p99")
    with pytest.raises(ArgumentError, match="no point has that"):
        one_axis.plot(wait=3)


def test_two_axes_are_a_map_and_of_three_one_is_fixed(tmp_path):
    def make_session(wait, reply, instructions):
        return quick(wait=wait, reply=reply, instructions=instructions)

    axes = {"wait": [1.5, 0.5], "reply": ["Yes.", "No."], "instructions": ["Be brief."]}
    sweep = swept(make_session, axes, {"s": SURE}, repeat=1)
    assert len(sweep) == 4
    assert len(drawn(sweep.plot(), "cell")) == 4
    assert len(drawn(sweep.plot(reply="No."), "passed")) == 1
    assert "1 call: 6 at least" not in str(sweep), "the table is no place for it"
    three = swept(
        make_session, {**axes, "instructions": ["Be kind.", "Be brief."]}, {"s": SURE}, repeat=1
    )
    with pytest.raises(ArgumentError, match=r"give the others, plot\(instructions='Be kind.'\)"):
        three.plot()
    assert len(drawn(three.plot(instructions="Be kind."), "cell")) == 4
    for page in (three._repr_html_(), three.save_html(tmp_path / "three.html").read_text()):
        assert "data:image/png" not in page
        assert "No picture: 3 axes differ and two can be drawn." in page
        assert "sweep.plot(instructions=&#x27;Be kind.&#x27;) draws one." in page
    assert "No picture" not in sweep._repr_html_()


def test_the_voice_and_the_detectors_settings_are_axes_like_any_other():
    def make_session(voice, stop_secs):
        async def create_session(call_id):
            agent = VoiceAgent(instructions="Be brief.", greeting="Hi.")
            stt, llm, _ = offline_stack(replies={"tomorrow": "Thank you, tomorrow it is."})
            tts = EspeakTTSService(voice=voice)
            vad = {"stop_secs": stop_secs}
            await agent.Action(stt=stt, llm=llm, tts=tts, vad=vad)
            await agent.start()

        return create_session

    axes = {"voice": ["en-gb", "en-us"], "stop_secs": [0.2, 0.6]}
    sweep = swept(make_session, axes, {"s": SURE}, repeat=1)
    assert len(drawn(sweep.plot(), "cell")) == 4
    early, late = (sweep.at(voice="en-gb", stop_secs=secs).calls[0] for secs in (0.2, 0.6))
    assert late.answers[0] > early.answers[0], "the detector waits longer"
    british, american = (sweep.at(voice=v, stop_secs=0.2).calls["s", 1] for v in axes["voice"])
    assert len(british.recording) != len(american.recording), "another voice takes other times"
    assert [e.text for e in british.transcript] == [e.text for e in american.transcript]


def providers(provider):
    """Two recognisers: one knows what is said, the other another word."""
    from piopiy_lab import VoiceAgent, offline_stack

    phrase = {"good": "tomorrow", "bad": "a table for two"}[provider]

    async def create_session(call_id):
        agent = VoiceAgent(instructions="Be brief.", greeting="Hi.")
        stt, llm, tts = offline_stack(phrases=[phrase], replies={phrase: "Thank you."})
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


PRICES = {
    "PhraseSTTService": {"audio_minutes": 0.6},
    "RuleLLMService": {"tokens": 0.001},
    "EspeakTTSService": {"characters": 0.01},
}


def test_providers_are_compared_by_words_latency_and_cost():
    sweep = swept(providers, {"provider": ["good", "bad"]}, {"s": SURE}, repeat=2, prices=PRICES)
    good, bad = sweep
    assert (good.word_errors.errors, good.word_errors.words) == (0, 2)
    assert bad.word_errors.rate == 1.0
    row = good.calls[0]
    used = row.usage
    by_hand = sum(
        0.6 * one.secs / 60
        + 0.001 * sum(one.usage["RuleLLMService"].values())
        + 0.01 * one.usage["EspeakTTSService"]["characters"]
        for one in good.calls
    ) / 2  # fmt: skip
    assert used["EspeakTTSService"]["characters"] > 0
    assert good.cost == pytest.approx(by_hand)
    assert f"{good.cost:.4g}" in str(sweep)
    assert bad.cost is None
    (notice,) = sweep.notices
    assert "RuleLLMService" in notice, "it was never asked, and told no tokens"


def test_a_service_without_a_price_leaves_the_cost_unknown():
    some = {name: PRICES[name] for name in ("RuleLLMService", "EspeakTTSService")}
    sweep = swept(providers, {"provider": ["good"]}, {"s": SURE}, repeat=1, prices=some)
    assert sweep[0].cost is None
    assert "what PhraseSTTService costs isn't known" in str(sweep)


@pytest.mark.parametrize(
    ("make_session", "axes", "error", "said"),
    [
        (waits, {}, ArgumentError, "axes is empty"),
        (waits, [1], ArgumentTypeError, "give a dict"),
        (waits, {"wait": []}, ArgumentError, "no values"),
        (waits, {"tokens": [1]}, ArgumentError, "'tokens' is a column"),
        (waits, {"wait": "1.5"}, ArgumentTypeError, "list of values"),
        (waits, {"wait": [1.0, 1.0]}, ArgumentError, "'1.0' twice"),
        (waits, {"wait": range(501)}, ArgumentError, "501 points"),
        (waits, {"weight": [1]}, ArgumentError, "parameters are the axes' names"),
        (lambda wait: None, {"wait": [1]}, ArgumentTypeError, "must return a session"),
        (None, {"wait": [1]}, ArgumentTypeError, "give a function"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_any_call(make_session, axes, error, said):
    with pytest.raises(error, match=said):
        swept(make_session, axes)


@pytest.mark.parametrize(
    ("prices", "error", "said"),
    [
        (3, ArgumentTypeError, "give a table"),
        ({"A": 0.1}, ArgumentTypeError, "{} for what is free"),
        ({"A": {"words": 0.1}}, ArgumentError, "nothing is counted in 'words'"),
        ({"A": {"tokens": -1}}, ArgumentError, "out of range"),
    ],
)
def test_prices_that_are_none_are_refused(prices, error, said):
    with pytest.raises(error, match=said):
        swept(waits, {"wait": [1.5]}, prices=prices)


def test_an_option_that_there_is_not_is_refused():
    with pytest.raises(ArgumentError, match="no option 'repeats'"):
        swept(waits, {"wait": [1.5]}, repeats=3)


def test_labels_are_short_and_name_functions():
    assert label_of(waits) == "waits"
    assert label_of("You take\nbookings of a restaurant, and nothing else.") == (
        "You take bookings of a rest…"
    )
