"""What calls need of the insides of marimo: when a cell's output goes away.

marimo takes a cell's output and variables away when the cell, or one above it, runs again, and when
it is deleted. Its public sign of that is ``mo.Thread.should_exit``: a thread for each call, which
asks again and again. marimo may be missing, and comes late: what is relied on is checked then.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

from piopiy_lab.services.fitting import Reliance, attributes, expect, method

_CONTEXT = "marimo._runtime.context.types"
_REGISTRY = "marimo._runtime.cell_lifecycle_registry"


def relied_on_of_context(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what knowing marimo's cell relies on."""
    what = "ending a call whose marimo cell runs again"
    return (
        method(module, "safe_get_context", needed_by=what),
        *attributes(module.RuntimeContext, "cell_id", needed_by=what),
    )


def relied_on_of_registry(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what being told of a cell's end relies on."""
    what = "ending a call whose marimo cell runs again"
    return (method(module.CellLifecycleRegistry, "add", "item", needed_by=what),)


#: What is checked only when its module is there.
LATE = {_CONTEXT: relied_on_of_context, _REGISTRY: relied_on_of_registry}


class _Gone:
    """marimo's CellLifecycleItem, which it knows by its two methods."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def create(self, context: object) -> None:
        """Begin: there is nothing to do."""

    def dispose(self, context: object, deletion: bool) -> bool:
        """Say that the cell's output is gone; True: and need not be asked again."""
        self._told()
        return True


def when_cell_is_gone(told: Callable[[], None]) -> None:
    """Have a function called once marimo takes away what the cell that runs now has made.

    It is called on the kernel's thread, which it must not hold up. Missing: a public hook.

    Raises:
        IncompatibleVersionError: This marimo has it otherwise.
    """
    for name, relied_on in LATE.items():
        expect(relied_on(importlib.import_module(name)))
    context = importlib.import_module(_CONTEXT).safe_get_context()
    if context is not None and context.cell_id is not None:
        context.cell_lifecycle_registry.add(_Gone(told))
