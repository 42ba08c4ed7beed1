"""People who come, talk, stop reading and go in any order, on two nodes whose store takes its time.

Whoever stays hears each event of their rooms once and in order, or is told of a gap; each request
is answered once; and when all have gone, nothing is left of them.
"""

from random import Random

from twisted.internet.task import Clock

from giestack.chat import wire
from giestack.chat.chat import Chat
from giestack.chat.storage import Who
from tests.chat.jumble import JumbledStore, Reader
from tests.chat.memory_store import Log
from tests.chat.people import BEGIN, FREE, ChatCase, identity

TALKS = 15
STEPS = 400


class World:
    """Two nodes and those who are there."""

    def __init__(self, case: ChatCase, seed: int) -> None:
        self.random = random = Random(seed)
        self.clock = Clock()
        self.log = Log()
        self.stores = [JumbledStore(self.log, random) for _ in range(2)]
        self.chats = [Chat(one, FREE, self.clock, case.now, case.note) for one in self.stores]
        for chat in self.chats:
            chat.start()
        self.readers: list[Reader] = []
        somebody = Who(host="galaxy", user_id=1, id="id1", name="user1")
        maker = case.successResultOf(self.stores[0].person(somebody))
        case.successResultOf(self.stores[0].create(maker, "public", "Another", BEGIN))
        case.successResultOf(self.stores[0].create(maker, "unlisted", "Hidden", BEGIN))
        self.rooms = list(self.log.rooms)
        for store in self.stores:
            store.at_once = False

    @property
    def here(self) -> list[Reader]:
        return [one for one in self.readers if not one.gone]

    def act(self) -> None:
        """Something happens."""
        chance, choice = self.random.random, self.random.choice
        if chance() < 0.08 and len(self.here) < 12:
            who = identity(self.random.randint(1, 4))
            self.readers.append(Reader(who, choice(self.chats), self.log, self.clock))
        if chance() < 0.5:
            choice(self.stores).step()
        if chance() < 0.1:
            self.clock.advance(choice((0, 0.001, 0.006, 0.5)))
        if chance() < 0.03:
            choice(self.stores).deaf = choice((0.0, 0.5, 1.0))
        if chance() < 0.01:
            choice(self.stores).down = choice((None, None, "down"))
        if self.here:
            self.do(choice(self.here), choice(self.rooms))

    def do(self, one: Reader, room: str) -> None:
        """Somebody does something."""
        what = self.random.choices(
            ("join", "resume", "leave", "say", "edit", "look", "pause", "read", "go", "burst"),
            (10, 6, 2, 32, 5, 5, 12, 16, 4, 1),
        )[0]
        if what == "join" and room not in one.rooms:
            one.ask(wire.Join, room=room)
        elif what == "resume":
            rooms = [room for room in self.rooms if self.random.random() < 0.6]
            known = {id: self.random.randint(0, self.log.rooms[id].last) for id in rooms}
            one.ask(wire.Resume, rooms={id: known[id] for id in known if id not in one.rooms})
        elif what == "leave":
            one.ask(wire.Leave, room=room)
        elif what == "say":
            one.say(room)
        elif what == "edit":
            ref = self.random.randint(1, max(1, self.log.rooms[room].last))
            one.ask(wire.Edit, room=room, ref=ref, text="ho")
        elif what == "look":
            one.ask(wire.Hist, room=room)
        elif what == "pause":
            one.pause()
        elif what == "read":
            one.read_on()
        elif what == "go":
            one.go()
        elif what == "burst":
            for _ in range(150):
                one.say(room)
                for _ in range(6):
                    self.stores[self.chats.index(one.chat)].step()

    def settle(self) -> None:
        """All works again and is waited for."""
        for store in self.stores:
            store.deaf, store.down = 0.0, None
        waiting = True
        while waiting:
            for one in self.readers:
                one.read_on()
            moved = {room.id: room.last for room in self.log.rooms.values()}
            for store in self.stores:
                store.finish()
                assert store._watcher is not None
                store._watcher.moved(moved)
            self.clock.advance(0.01)
            waiting = any(store.calls for store in self.stores)
        self.clock.advance(1)


class JumbledTalkTests(ChatCase):
    def test_all_is_heard_and_nothing_is_left(self) -> None:
        for seed in range(TALKS):
            world = World(self, seed)
            for _ in range(STEPS):
                world.act()
            world.settle()
            self.heard_all(world, f"seed {seed}")
            for one in world.readers:
                one.go()
            world.settle()
            # Other nodes name those who are there twice before one who is not named has left.
            for _ in range(8):
                world.clock.advance(10)
            self.left_nothing(world, f"seed {seed}")

    def heard_all(self, world: World, seed: str) -> None:
        self.assertTrue(world.readers)
        for one in world.readers:
            self.assertEqual(one.mistakes, [], seed)
        for one in world.here:
            self.assertEqual(one.waiting, {}, seed)
            for room in one.at.keys() - one.unsure:
                self.assertEqual(one.at[room], world.log.rooms[room].last, f"{seed}, {room}")

    def left_nothing(self, world: World, seed: str) -> None:
        for chat in world.chats:
            around = chat._around
            self.assertEqual((chat.clients, around.participants), (set(), {}), seed)
            self.assertEqual((chat.fanout._rooms, chat.fanout.waiting), ({}, 0), seed)
            self.assertEqual((chat._sockets, chat.paused), ({}, 0), seed)
            self.assertEqual((len(around.looks), len(chat.requests.fairness)), (0, 0), seed)
            self.assertEqual(around.people.all_here(), [], seed)
            for room in around.rooms:
                self.assertEqual((room.hearers, room.seats, room.waits), ({}, set(), False), seed)
            self.successResultOf(chat.stop())
        self.assertEqual(world.clock.getDelayedCalls(), [], seed)
