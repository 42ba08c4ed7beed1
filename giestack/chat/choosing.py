"""What people choose: whether they take part, whether they are here, whether to be disturbed."""

from functools import partial

from giestack.chat.client import Asker
from giestack.chat.outlet import batch
from giestack.chat.storage import Person
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import CLOSE_FORBIDDEN, Chosen, Ok, Prefs


class Choosing:
    """Carries out choices; raises `giestack.chat.storage.Rejected`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def prefs(self, asker: Asker, asked: Prefs) -> Ok:
        """Keep what was chosen, and tell the person's other clients."""
        around = self._around
        around.rooms.chooses_as_oneself(asker.standing)
        before = asker.person.opt_in
        person = await around.store.choose(
            asker.person,
            opt_in=asked.opt_in,
            do_not_disturb=asked.do_not_disturb,
            online=asked.online,
        )
        if asked.opt_in is not None and asked.opt_in != before:
            around.audit("chat-opt-in" if asked.opt_in else "chat-opt-out", asker.identity)
        self.chosen(person, asker)
        around.tell("prefs", {"person": person.id, **_body(person)})
        return Ok(id=asked.id, prefs=person.choices)

    def chosen(self, person: Person, asker: Asker | None = None) -> None:
        """Tell clients of somebody's choices; who takes part no longer is sent away."""
        around = self._around
        around.looks.changed(person.id)
        participant = around.participants.get(person.id)
        if participant is None:
            return
        participant.person = person
        told = batch(Chosen(prefs=person.choices))
        for client in tuple(participant.clients):
            if around.rules.opt_in and not person.opt_in:
                # The client that has asked gets its answer first.
                around.later(partial(client.close, CLOSE_FORBIDDEN, "not opted in"))
            elif asker is None or client is not asker.client:
                client.send(told)


def _body(person: Person) -> dict[str, object]:
    return {
        "opt_in": bool(person.opt_in),
        "do_not_disturb": person.do_not_disturb,
        "online": person.online,
    }
