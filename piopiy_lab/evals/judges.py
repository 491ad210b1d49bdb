"""Who judges in an eval: what the file names, what was given, or rules; and what gives reasons.

Chosen on the calling thread before the run; made on its loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipecat.classifiers.base_classifier import BaseClassifier
from pipecat.classifiers.llm.classifier import LLMClassifier
from pipecat.evals.judge import EvalJudge
from pipecat.evals.services import classifier_from_config, llm_service_from_config
from pipecat.services.llm_service import LLMService

from piopiy_lab.checks.texts import shown
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.evals import seams
from piopiy_lab.evals.judging import RuleClassifier, RuleJudge
from piopiy_lab.evals.there import Config, Servers

#: What a file calls our rules.
OUR_RULES = "piopiy_lab.evals.rules"
#: What can be a judge, and what one is made of.
JUDGES = (EvalJudge, BaseClassifier, LLMService)
GIVE = (
    "'rules', a classifier of pipecat's, an LLM service, an EvalJudge, or a function that makes "
    "one of them"
)


def choose(
    given: object, config: Config, servers: Servers, notices: list[str]
) -> Callable[[], EvalJudge]:
    """Return what makes the judge of a run.

    Args:
        given: What the caller of ``run_eval`` gave, checked.
        config: The file's ``judge.eval``.
        servers: Which model servers are there.
        notices: Gets what has to be said, some of it when the judge is made.
    """
    going_on = config.get("allow_continue", True) is not False
    by_rules = given == "rules" or (given is None and config.get("factory") == OUR_RULES)
    if (by_rules or given is not None) and isinstance(config.get("explainer"), Mapping):
        why = "rules give their reasons themselves" if by_rules else "judge= is another judge"
        notices.append(f"the judge: the file's explainer is not asked for reasons: {why}")
    if by_rules:
        return lambda: RuleJudge(allow_continue=going_on)
    if given is not None:
        return lambda: _as_judge(given() if callable(given) else given, going_on)
    if where := servers.lacks(config):
        notices.append(
            f"the judge: nobody answers at {where}, so rules judge by the words of each criterion, "
            "without an LLM; judge= takes another"
        )
        return lambda: RuleJudge(allow_continue=going_on)
    return lambda: _of_file(config, going_on, servers, notices)


def _of_file(config: Config, going_on: bool, servers: Servers, notices: list[str]) -> EvalJudge:
    """Make the judge that a file names, as pipecat does, but for an explainer that isn't there."""
    classifier = classifier_from_config(dict(config), where="judge.eval")
    if isinstance(classifier, RuleClassifier):
        return RuleJudge(classifier, allow_continue=going_on)
    explainer: LLMService[Any] | None = None
    block = config.get("explainer")
    if not block and block is not False and isinstance(classifier, LLMClassifier):
        explainer = classifier.llm
    elif block is not False:
        explainer = _explainer(block or {}, servers, notices)
    below = float(config.get("explain_below", 0.75))
    return EvalJudge(classifier, explainer=explainer, explain_below=below, allow_continue=going_on)


def _explainer(block: Config, servers: Servers, notices: list[str]) -> LLMService[Any] | None:
    if where := servers.lacks(block):
        notices.append(
            f"the judge: nobody answers at {where}, where its explainer should be, so its reasons "
            "are probabilities; explainer: false in judge.eval says that this is meant"
        )
        return None
    return llm_service_from_config(dict(block), where="judge.eval.explainer")


def _as_judge(given: object, going_on: bool) -> EvalJudge:
    if isinstance(given, EvalJudge):
        return seams.fresh(given)  # another run may have it, too
    if isinstance(given, RuleClassifier):
        return RuleJudge(given, allow_continue=going_on)
    if isinstance(given, BaseClassifier):
        return EvalJudge(given, allow_continue=going_on)
    if isinstance(given, LLMService):
        return EvalJudge(LLMClassifier(llm=given), explainer=given, allow_continue=going_on)
    raise ArgumentTypeError(f"judge made {shown(given)}: give {GIVE}")
