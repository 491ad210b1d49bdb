"""pipecat's judge with rules in the place of a model: offline, free, and honest about what it is.

It decides as :mod:`piopiy_lab.evals.criteria` does. What rules can't decide is never met.
On the loop of the eval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipecat.classifiers.base_classifier import (
    BaseClassifier,
    ChoiceQuestion,
    ChoiceResult,
    ClassifierError,
    ClassifierImage,
    ClassifierQuestion,
    ClassifierResult,
    ScoreQuestion,
    YesNoQuestion,
    YesNoResult,
)
from pipecat.evals.judge import EvalJudge, JudgeVerdict, RunVerdicts
from pipecat.metrics.metrics import LLMTokenUsage

from piopiy_lab.evals import criteria

#: How each reason begins, so that nobody takes it for a model's.
BY_RULES = "by rules, no LLM: "
#: What pipecat's judge writes around a criterion.
_CRITERION = re.compile(
    r"(?:Criterion|Goal): (.*?)"
    r"(?= `conversation` is context| A `tool` entry| The bot's text may be an|$)",
    re.S,
)


def rules(config: Mapping[str, object]) -> BaseClassifier:
    """Return the classifier, as a ``factory:`` of a file's ``judge.eval``."""
    return RuleClassifier()


class RuleChoice(ChoiceResult):
    """A choice by rules, with what it rests on."""

    why: str
    undecided: bool


class RuleYesNo(YesNoResult):
    """A yes or no by rules, with what it rests on."""

    why: str
    undecided: bool


class RuleClassifier(BaseClassifier):
    """Answers what pipecat's ``EvalJudge`` asks, by the words of the criterion.

    It knows nothing and keeps nothing of a conversation.
    """

    @property
    def model(self) -> str:
        """What answers: no model."""
        return "rules"

    async def _ask(
        self,
        state: str | dict[str, object] | list[object],
        questions: Mapping[str, ClassifierQuestion],
        images: Sequence[ClassifierImage] = (),
    ) -> tuple[dict[str, ClassifierResult], LLMTokenUsage | None]:
        """Answer each question with certainty; a scale is nothing for rules."""
        said = _said(state)
        return {name: self._answer(question, said) for name, question in questions.items()}, None

    def _answer(self, question: ClassifierQuestion, said: str) -> ClassifierResult:
        if isinstance(question, ScoreQuestion):
            raise ClassifierError("rules give no scores: take an LLM for that")
        finding = criteria.find(_criterion(question), said)
        if isinstance(question, YesNoQuestion):
            return RuleYesNo(
                probability=1.0 if finding.found else 0.0,
                why=finding.why,
                undecided=finding.found is None,
            )
        return _choice(question, finding, said)


class RuleJudge(EvalJudge):
    """pipecat's judge over :class:`RuleClassifier`, whose reasons say that rules gave them."""

    def __init__(
        self, classifier: RuleClassifier | None = None, *, allow_continue: bool = True
    ) -> None:
        """Begin with an empty conversation.

        Args:
            classifier: What decides; one of its own if None.
            allow_continue: As for ``EvalJudge``.
        """
        super().__init__(classifier or RuleClassifier(), allow_continue=allow_continue)

    async def evaluate(self, criterion: str) -> JudgeVerdict:
        """Judge the bot's latest reply."""
        return _told(await super().evaluate(criterion))

    async def evaluate_call(self, name: str, args: dict | None, criterion: str) -> JudgeVerdict:
        """Judge a function call by its name and arguments."""
        return _told(await super().evaluate_call(name, args, criterion))

    async def evaluate_run(
        self, criteria: dict[str, str], success: str, transcript: Sequence[dict] | None = None
    ) -> RunVerdicts:
        """Judge a whole conversation; a criterion that rules can't decide gets no verdict."""
        verdicts = await super().evaluate_run(criteria, success, transcript)
        turns = {
            name: [_told(verdict, may_be_none=True) for verdict in each]
            for name, each in verdicts.turns.items()
        }
        return RunVerdicts(goal=_told(verdicts.goal), turns=turns)


def _told(verdict: JudgeVerdict, *, may_be_none: bool = False) -> JudgeVerdict:
    """Return a verdict with its reason: what the rules' answer, which pipecat keeps, has of it."""
    try:
        answer = json.loads(verdict.raw_response)
    except ValueError:  # a question that failed has no answer
        return verdict
    undecided = may_be_none and answer["undecided"]
    return replace(
        verdict,
        reason=BY_RULES + answer["why"],
        verdict="none" if undecided else verdict.verdict,
    )


def _choice(question: ChoiceQuestion, finding: criteria.Finding, said: str) -> RuleChoice:
    """Choose among the options of a reply (yes, no, continue) or of a turn (meets, fails, ...)."""
    options = question.options
    if finding.found:
        best = "yes" if "yes" in options else "meets"
    elif "continue" in options and (not said.strip() or criteria.is_at_work(said)):
        best = "continue"
    else:
        best = "no" if "no" in options else "fails"
    if best not in options:
        raise ClassifierError(f"rules know no option of {', '.join(options)}")
    sure = {option: float(option == best) for option in options}
    return RuleChoice(
        choice=best,
        probabilities=sure,
        confidence=1.0,
        why=finding.why,
        undecided=finding.found is None,
    )


def _said(state: str | dict[str, object] | list[object]) -> str:
    """Return what a question is about: the reply, the call, or the bot's whole side."""
    if not isinstance(state, dict):
        return str(state)
    if "latest_bot_reply" in state:
        return str(state["latest_bot_reply"])
    if isinstance(call := state.get("call"), dict):
        return f"{call.get('name')} {call.get('arguments')}".replace("_", " ")
    entries = state.get("conversation")
    told = [
        str(entry.get("text", ""))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and entry.get("speaker") != "user"
    ]
    return "\n".join(told).replace("_", " ")


def _criterion(question: YesNoQuestion | ChoiceQuestion) -> str:
    text = str(question.instructions)
    found = _CRITERION.search(text)
    return (found[1] if found else text).strip().rstrip(".!?")
