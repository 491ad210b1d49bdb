"""The booking desk, as screenplays in text: ">" is the caller, "<" the agent, "*" the tool."""

import importlib.util
import os

import pytest

from piopiy_lab.offline.booking import BookingDesk, book, booking_desk
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.replies import Heard, Said, ToolReturned


def play(screenplay: str, tool=book) -> None:
    """Say the caller's lines and compare everything else."""
    rules = booking_desk().rules()
    history, happened = [], []
    expected = [line.strip() for line in screenplay.strip().splitlines()]
    for line in expected:
        if not line.startswith(">"):
            continue
        history.append(Heard(line.removeprefix("> ")))
        happened.append(line)
        answer = rules.answer(history)
        for call in answer.calls:
            values = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
            happened.append(f"* {call.tool}({values})")
            history.append(
                ToolReturned(call.tool, call.arguments, "returned", tool(**call.arguments))
            )
            answer = rules.answer(history)
        happened.append(f"< {answer.text}")
        history.append(Said(answer.text))
    assert happened == expected


def test_one_detail_at_a_time():
    play("""
        > hello
        < Hello. How can I help?
        > i would like a table please
        < For how many people?
        > two people
        < Two people. For which day?
        > tomorrow
        < Tomorrow. At what time?
        > at seven thirty
        < At seven thirty. What name is it under?
        > my name is anna
        < A table for two tomorrow at seven thirty for Anna. Is that right?
        > yes that is right
        * book_table(party_size=2, day='tomorrow', time='19:30', name='Anna')
        < Your table is booked. The reference is four six four. Is there anything else?
        > no thank you
        < Thank you for calling. Goodbye.
    """)


def test_everything_at_once():
    play("""
        > a table for four on friday at half past eight my name is oliver
        < A table for four on Friday at half past eight for Oliver. Is that right?
        > yes please
        * book_table(party_size=4, day='friday', time='20:30', name='Oliver')
        < Your table is booked. The reference is one one six. Is there anything else?
        > thank you
        < You are welcome. Is there anything else?
        > goodbye
        < Thank you for calling. Goodbye.
    """)


def test_corrections_at_any_time():
    play("""
        > a table for two tomorrow at seven
        < A table for two tomorrow at seven. What name is it under?
        > no make it friday
        < On Friday. What name is it under?
        > maria
        < A table for two on Friday at seven for Maria. Is that right?
        > no at eight
        < A table for two on Friday at eight for Maria. Is that right?
        > actually for four people
        < A table for four on Friday at eight for Maria. Is that right?
        > no
        < What would you like to change? You can say: make it friday, or: at eight.
        > the name is julia
        < A table for four on Friday at eight for Julia. Is that right?
        > change the number of people
        < For how many people?
        > seven
        < A table for seven on Friday at eight for Julia. Is that right?
        > make it nine
        < A table for seven on Friday at nine for Julia. Is that right?
        > yes book it
        * book_table(party_size=7, day='friday', time='21:00', name='Julia')
        < Your table is booked. The reference is two five five. Is there anything else?
        > make it saturday
        < A table for seven on Saturday at nine for Julia. Is that right?
        > yes
        * book_table(party_size=7, day='saturday', time='21:00', name='Julia')
        < Your table is booked. The reference is nine zero nine. Is there anything else?
    """)


def test_questions_and_what_is_not_understood():
    play("""
        > what is the weather like
        < Sorry I did not get that. You can say: a table for two tomorrow at seven.
        > what can i say
        < You can say: a table for two tomorrow at seven.
        > a table tomorrow
        < Tomorrow. For how many people?
        > what times do you have
        < We have tables from five to ten. For how many people?
        > [unclear: four people please]
        < Sorry I did not get that. You can say: four people please, or: two people.
        > four people please
        < Four people. At what time?
        > can you repeat that please
        < Four people. At what time?
        > for seven
        < At seven. What name is it under?
        > start again
        < All right. What would you like to book?
    """)


def test_a_typed_line_may_be_written_as_one_writes():
    play("""
        > Hi! Could we book a table for 2 people tomorrow at 7:30 pm? My name's Anna.
        < A table for two tomorrow at seven thirty for Anna. Is that right?
        > Yep!
        * book_table(party_size=2, day='tomorrow', time='19:30', name='Anna')
        < Your table is booked. The reference is four six four. Is there anything else?
    """)


def test_a_tool_that_refuses_leaves_the_booking_open():
    def full(**details):
        return {"error": "we are full at seven"} if details["time"] == "19:00" else "All yours."

    play(
        """
        > a table for one today at seven my name is peter
        < A table for one today at seven for Peter. Is that right?
        > yes
        * book_table(party_size=1, day='today', time='19:00', name='Peter')
        < Sorry, that did not work. We are full at seven.
        > make it at eight
        < A table for one today at eight for Peter. Is that right?
        > yes
        * book_table(party_size=1, day='today', time='20:00', name='Peter')
        < All yours. Is there anything else?
        """,
        tool=full,
    )


def test_the_same_booking_has_the_same_reference_and_wrong_values_are_refused():
    assert book(2, "friday", "19:30", "Anna") == book(2, "friday", "19:30", "anna") | {
        "name": "Anna"
    }
    assert "twelve" in book(13, "friday", "19:30", "Anna")["error"]
    assert "from five" in book(2, "friday", "03:00", "Anna")["error"]


def test_the_desk_has_what_a_voice_agent_needs():
    desk = booking_desk()
    (schema,) = desk.tools
    assert isinstance(desk, BookingDesk)
    assert schema.name == "book_table"
    assert set(schema.required) == {"party_size", "day", "time", "name"}
    assert schema.handler is not None


def test_every_phrase_is_answered_by_its_own_reply_or_one_more_specific():
    desk = booking_desk()
    rules = desk.rules()
    for sentence in PhraseBook(desk.phrases, desk.slots).examples(400):
        answer = rules.answer([Heard(sentence)])
        assert answer.text, sentence
        assert "did not get" not in answer.text, sentence


@pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None
    and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="pip install 'piopiy-lab[offline]'",
)
def test_the_recogniser_knows_every_word():
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, loglevel="FATAL")
    desk = booking_desk()
    words = PhraseBook(desk.phrases, desk.slots).words
    assert sorted(word for word in words if decoder.lookup_word(word) is None) == []
