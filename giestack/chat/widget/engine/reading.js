// Tells the server what was read: only of the room that is shown, only while somebody can see it,
// and once a second at most.

export const PAUSE = 1_000;

// told: current() → the room that is shown or null, ask(frame), share(frame).
export function createReading(env, told) {
  let wanted = null;
  let pause = null;

  function go() {
    const room = told.current();
    if (!room || wanted !== room.id || !env.visible() || pause) return;
    wanted = null;
    if (!room.joined || room.detached) return;
    const seq = room.to;
    if (seq <= room.read && !room.unread) return;
    pause = env.timers.setTimeout(() => {
      pause = null;
      go();
    }, PAUSE);
    told.share({ t: "read", room: room.id, seq, unread: 0, mentions: 0 });
    told.ask({ t: "read", room: room.id, seq }).then(
      ({ unread = 0, mentions = 0 }) => {
        told.share({ t: "read", room: room.id, seq, unread, mentions });
      },
      // The next `hello` has the server's own count.
      () => {},
    );
  }

  return {
    wants(room) {
      wanted = room;
      go();
    },
    seen: go,
  };
}
