"""The words of :mod:`piopiy_lab.listening.lexicon`, by language. Pure data.

Three lists each: what a listener says, what of it (and what else) answers a question, and what
takes the floor. English has many, for listeners praise what they hear: those phrases are built.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: What an English listener calls what they hear, and the phrases in which they do.
_PRAISE = (
    "good great nice lovely perfect fine cool brilliant wonderful excellent amazing awesome "
    "fantastic interesting true right fair sweet super superb marvellous marvelous fabulous "
    "terrific splendid beautiful impressive useful helpful funny incredible unbelievable handy "
    "reasonable understandable clear correct sensible delicious tasty clever kind ideal neat"
).split()
_FRAMES = (
    "{}, very {}, so {}, really {}, pretty {}, quite {}, how {}, that's {}, that is {}, "
    "that's very {}, that's really {}, that's so {}, that's pretty {}, that's quite {}, "
    "that is very {}, that is really {}, sounds {}, sounds very {}, sounds really {}, "
    "that sounds {}, that sounds very {}, that sounds really {}, it sounds {}, it's {}, all {}"
)
_PRAISES = ", ".join(_FRAMES.replace("{}", word) for word in _PRAISE)
#: Those that are said for "yes".
_AGREES = ", ".join(
    _FRAMES.replace("{}", word)
    for word in ("good", "great", "perfect", "fine", "right", "true", "correct", "lovely", "ideal")
)

#: By language: backchannels, answers, stops.
WORDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "en": (
            # sounds
            "mm, mmhm, hmm, hm, mhm, mm hmm, um hmm, um hum, uh huh, aha, ah, ahh, oh, ooh, aw, "
            "huh, hah, ha, heh, ha ha, haha, wow, whoa, woah, yay, phew, "
            # yes, in its kinds
            "okay, ok, okey dokey, okie dokie, mkay, kay, okay then, yeah, yea, ya, yep, yup, yes, "
            "yes indeed, right, right then, righto, alright, all right, alrighty, alright then, "
            "all right then, sure, sure thing, for sure, surely, of course, exactly, precisely, "
            "absolutely, definitely, certainly, totally, completely, indeed, obviously, clearly, "
            "naturally, quite, quite so, very well, you bet, agreed, i agree, i bet, no doubt, "
            "i guess, i guess so, i suppose, i suppose so, i think so, i hope so, i imagine, "
            # understood
            "i see, got it, i got it, got you, i got you, gotcha, i get it, get it, i understand, "
            "understood, i know, i know right, i hear you, i follow, i'm with you, i'm listening, "
            "makes sense, that makes sense, make sense, that would make sense, fair enough, "
            "fair point, good point, point taken, noted, will do, roger, roger that, copy that, "
            "good to know, good to hear, glad to hear that, same here, me too, likewise, "
            # surprise and sympathy
            "really, oh really, seriously, for real, is that right, is that so, you don't say, "
            "no way, no kidding, oh my, oh no, oh dear, oh man, oh boy, oh well, ah well, gosh, "
            "my gosh, my god, oh god, goodness, my goodness, goodness me, gee, jeez, imagine that, "
            "fancy that, too bad, what a shame, what a pity, "
            # praise
            "good one, nice one, good idea, good stuff, good call, not bad, not too bad, bravo, "
            "no problem, no worries, not a problem, that's it, that's the one, that works, "
            "works for me, that works for me, thank goodness, thank god, there you go, "
            # go on
            "go on, go ahead, carry on, keep going, please go on, please continue, continue, "
            "do go on, please do, " + _PRAISES,
            "yes, yeah, yea, ya, yep, yup, okay, ok, sure, sure thing, right, correct, exactly, "
            "fine, please, no, nope, nah, thank you, thanks, thank you very much, thank you so "
            "much, thanks a lot, thanks very much, many thanks, cheers, of course, alright, "
            "all right, absolutely, definitely, certainly, precisely, indeed, understood, agreed, "
            "i agree, you bet, i think so, i guess so, i suppose so, very well, go ahead, please "
            "do, that works, works for me, that works for me, good idea, " + _AGREES,
            "stop, wait, no, hold on, hang on, hey, sorry, excuse, excuse me, pardon, but, "
            "actually, what, who, when, how, where, why, one moment, one second, just a moment, "
            "just a second, just a minute, give me a second, listen, enough",
        ),
        "hi": (
            "हाँ, हां, जी, जी हाँ, जी हां, हाँ जी, हां जी, हम्म, हूँ, हूं, हुँ, अच्छा, अच्छा जी, ठीक है, ठीक, "
            "सही, सही है, सही बात है, ओके, ओह, वाह, समझ गया, समझ गई, बिल्कुल, बिलकुल, अरे वाह, बढ़िया, "
            "बहुत बढ़िया, बहुत अच्छा, अच्छी बात है, सच में, सच, चलो ठीक है, चलिए ठीक है, शुक्रिया, "
            "haan, han, haanji, hanji, ji, ji haan, haan ji, hmm, hm, hoon, accha, achha, acha, "
            "achcha, achchha, accha ji, theek hai, thik hai, theek, thik, sahi, sahi hai, "
            "sahi baat hai, okay, ok, oh, wah, arre wah, samajh gaya, samajh gayi, bilkul, "
            "bilkul sahi, badhiya, bahut badhiya, bahut accha, bahut achha, acchi baat hai, "
            "sach mein, sach, sachi, chalo theek hai, chaliye theek hai, shukriya",
            "हाँ, हां, जी, जी हाँ, जी हां, हाँ जी, हां जी, ठीक है, सही, सही है, नहीं, जी नहीं, बिल्कुल, बिलकुल, "
            "haan, han, haanji, hanji, ji, ji haan, haan ji, theek hai, thik hai, sahi, sahi hai, "
            "nahi, nahin, ji nahi, bilkul",
            "रुको, रुकिए, रुकिये, ठहरो, ठहरिए, नहीं, बस, सुनो, सुनिए, माफ कीजिए, एक मिनट, लेकिन, "
            "मगर, क्या, कौन, कब, कैसे, कहाँ, "
            "ruko, rukiye, thehro, nahi, nahin, bas, suno, suniye, maaf kijiye, ek minute, lekin, "
            "magar, kya, kaun, kab, kaise, kahan",
        ),
        "ta": (
            "ஆமா, ஆமாம், ஆம், ஆமாங்க, சரி, சரிங்க, ம்ம், ம், ஹ்ம், ஓகே, ஓ, அப்படியா, புரியுது, "
            "புரிஞ்சது, நல்லது, ரொம்ப நல்லது, சூப்பர், கண்டிப்பா, சொல்லுங்க, நன்றி, "
            "aama, aamaa, aamam, aam, aamanga, seri, sari, seringa, saringa, mm, hmm, okay, ok, "
            "oh, appadiya, apdiya, puriyuthu, puriyudhu, purinjathu, purinjuthu, nallathu, "
            "nalladhu, romba nallathu, romba nalladhu, super, kandippa, sollunga, nandri",
            "ஆமா, ஆமாம், ஆம், ஆமாங்க, சரி, சரிங்க, இல்லை, இல்ல, வேண்டாம், "
            "aama, aamaa, aamam, aam, aamanga, seri, sari, seringa, saringa, illai, illa, vendam",
            "நிறுத்து, நிறுத்துங்க, இருங்க, இரு, கொஞ்சம் இருங்க, ஒரு நிமிஷம், ஒரு நிமிடம், இல்லை, "
            "இல்ல, வேண்டாம், மன்னிக்கவும், ஆனா, ஆனால், என்ன, யார், எப்ப, எப்படி, எங்க, "
            "niruthu, niruthunga, irunga, konjam irunga, oru nimisham, illai, illa, vendam, "
            "mannikkavum, aana, aanal, enna, yaaru, eppo, eppadi, enga",
        ),
        "es": (
            "mm, mmm, hmm, ajá, aja, ah, oh, uy, sí, si, ya, ya veo, vale, claro, claro que sí, "
            "bueno, bien, muy bien, qué bien, qué bueno, está bien, de acuerdo, entiendo, "
            "entendido, comprendo, exacto, exactamente, perfecto, estupendo, genial, fenomenal, "
            "excelente, por supuesto, desde luego, okay, ok, eso, eso es, así es, cierto, "
            "es verdad, ah sí, no me digas, vaya, guau, interesante, dale, gracias",
            "sí, si, vale, claro, claro que sí, de acuerdo, exacto, exactamente, correcto, no, "
            "bueno, está bien, por supuesto, desde luego, perfecto, okay, ok, gracias",
            "para, pare, alto, espera, espere, un momento, momento, un segundo, no, perdón, "
            "perdona, perdone, disculpa, disculpe, pero, oye, oiga, qué, quién, cuándo, cómo, "
            "dónde, por qué",
        ),
        "de": (
            "mm, mhm, hm, hmm, aha, ah, oh, ach, ja, jaja, ja ja, jo, jawohl, okay, ok, genau, "
            "gut, sehr gut, na gut, alles klar, klar, na klar, richtig, stimmt, das stimmt, "
            "ach so, achso, ach ja, ach wirklich, wirklich, echt, verstehe, ich verstehe, "
            "verstanden, schön, sehr schön, super, toll, prima, wunderbar, perfekt, ausgezeichnet, "
            "interessant, natürlich, selbstverständlich, sicher, einverstanden, klingt gut, "
            "das klingt gut, gut zu wissen, nicht schlecht, in ordnung, danke",
            "ja, jawohl, genau, richtig, stimmt, das stimmt, klar, na klar, okay, ok, gut, na gut, "
            "in ordnung, einverstanden, natürlich, selbstverständlich, sicher, gerne, nein, nee, "
            "danke",
            "stopp, stop, halt, warte, warten sie, moment, einen moment, moment mal, nein, "
            "entschuldigung, entschuldigen sie, verzeihung, aber, eigentlich, was, wer, wann, wie, "
            "wo, warum",
        ),
    }
)
