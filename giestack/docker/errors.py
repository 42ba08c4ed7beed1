"""What goes wrong between us and a Docker engine."""


class DockerError(Exception):
    """An engine has refused something, or failed; the text is in the engine's own words.

    :ivar status: the HTTP status that it answered with; 0 where there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(DockerError):
    """There is no such container, image, network or volume (404)."""

    def __init__(self, message: str) -> None:
        super().__init__(404, message)


class Conflict(DockerError):
    """A name is taken, or something is in a state in which that can't be done (409)."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message)


class Unreachable(DockerError):
    """No connection, or no answer, or not in time: it may have been done or not."""

    def __init__(self, message: str) -> None:
        super().__init__(0, message)
