// Fetches what a room's window lacks: earlier, later, around a message, what a gap left out.

export const PAGE = 50;
export const MOST_FILLED = 300;

// ask(frame) → promise of `ok`; said(room): its messages or its loading have changed.
export function createHistory(ask, said) {
  async function load(room, frames, take) {
    const { era } = room;
    room.loads = (room.loads ?? 0) + 1;
    room.loading = true;
    said(room);
    try {
      const pages = await Promise.all(
        frames.map((one) => ask({ t: "hist", room: room.id, ...one })),
      );
      const read = pages.map((ok) => ({ events: ok.events ?? [], more: ok.more ?? false }));
      if (room.era === era) take(...read);
    } finally {
      room.loads -= 1;
      room.loading = room.loads > 0;
      said(room);
    }
  }

  // The same question is not asked twice at once.
  const running = new Map();
  function once(name, room, call) {
    const key = `${name} ${room.id} ${room.era}`;
    if (!running.has(key)) {
      running.set(key, call().finally(() => running.delete(key)));
    }
    return running.get(key);
  }

  const older = (room) =>
    once("older", room, async () => {
      if (room.complete) return;
      await load(room, [{ before: room.from, limit: PAGE }], ({ events, more }) =>
        room.before(events, more),
      );
    });

  const newer = (room) =>
    once("newer", room, async () => {
      if (room.atEnd) return;
      await load(room, [{ after: room.to, limit: 2 * PAGE }], ({ events, more }) =>
        room.after(events, more),
      );
    });

  const latest = (room) =>
    once("latest", room, () =>
      load(room, [{ limit: PAGE }], ({ events, more }) =>
        room.instead(events, { more, atEnd: true }),
      ),
    );

  const around = (room, seq) =>
    once(`around ${seq}`, room, async () => {
      if (room.message(seq)) return;
      const half = Math.floor(PAGE / 2);
      await load(
        room,
        [
          { before: seq + 1, limit: half },
          { after: seq, limit: half },
        ],
        (earlier, later) =>
          room.instead([...earlier.events, ...later.events], {
            more: earlier.more,
            atEnd: !later.more,
          }),
      );
    });

  // Bring a room that is shown up to its end, unless it was scrolled away from there.
  async function fill(room) {
    if (room.detached) return;
    if (room.mark - room.to > MOST_FILLED) await latest(room);
    for (let rounds = 0; room.gap && !room.detached && rounds < 10; rounds++) await newer(room);
  }

  // What one sees on opening it.
  async function first(room) {
    await fill(room);
    if (room.messages.length < PAGE / 2 && !room.complete) {
      await (room.messages.length ? older(room) : latest(room));
    }
  }

  return { older, newer, latest, around, fill, first };
}
