// Tells the server what was read: only of the room that is shown, only while somebody can see it,
// and once a second at most. Here and in other tabs it is read at once.

export const PAUSE = 1_000;

// told: current() → the room that is shown or null, ask(frame), share(frame).
export function createReading(env, told) {
  const owed = new Map();
  let wanted = null;
  let pause = null;

  function go() {
    const room = told.current();
    if (room && wanted === room.id && env.visible()) {
      wanted = null;
      seen(room);
    }
    if (!pause) pay();
  }

  function seen(room) {
    if (!room.joined || room.detached) return;
    const seq = room.to;
    if (seq <= room.read && !room.unread) return;
    told.share({ t: "read", room: room.id, seq, unread: 0, mentions: 0 });
    owed.set(room.id, seq);
  }

  function pay() {
    if (!owed.size) return;
    pause = env.timers.setTimeout(() => {
      pause = null;
      go();
    }, PAUSE);
    for (const [room, seq] of owed) {
      told.ask({ t: "read", room, seq }).then(
        ({ unread = 0, mentions = 0 }) => {
          told.share({ t: "read", room, seq, unread, mentions });
        },
        // The next `hello` has the server's own count.
        () => {},
      );
    }
    owed.clear();
  }

  return {
    wants(room) {
      wanted = room;
      go();
    },
    seen: go,
  };
}
