"""Makes ``twistd giestack`` known; imported by every twistd call, so it imports nothing of ours."""

from twisted.application.service import ServiceMaker

giestack = ServiceMaker(
    "giestack",
    "giestack.tap",
    "An authenticating reverse proxy, notebook spawner and chat for Galaxy",
    "giestack",
)
