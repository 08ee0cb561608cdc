"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Something the user gave is wrong; the message is one sentence that names it, says what was expected and what to do."""
