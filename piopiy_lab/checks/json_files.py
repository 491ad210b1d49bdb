"""Reading a JSON file that others may have written."""

from __future__ import annotations

import json
from pathlib import Path

from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.errors import SavedCallError


def read_object(file: Path, what: str, remedy: str) -> Record:
    """Return the JSON object that a file holds.

    Args:
        file: The file.
        what: What it should be, as an error says it.
        remedy: What to do where it is damaged, as an error says it.

    Raises:
        FileNotFoundError: It isn't there.
        SavedCallError: It can't be read, is damaged, or is no object.
    """
    try:
        with open_regular(file) as opened:
            whole: object = json.loads(opened.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SavedCallError(
            f"{file} can't be read ({error.strerror or error}); check its permissions"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SavedCallError(f"{file} is damaged ({error}); {remedy}") from error
    if not isinstance(whole, dict):
        raise SavedCallError(f"{file} is no {what}; {remedy}")
    return whole
