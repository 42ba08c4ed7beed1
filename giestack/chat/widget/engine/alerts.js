// Who hears of a new message: each tab for what it shows, and one of them out loud, if nobody
// looks at any.

export const OTHERS_PATIENCE = 250;

// told: emit(kind, room, detail), post(message), leading(), quiet() → do not disturb, unread().
export function createAlerts(env, told) {
  let catching = false;
  let missed = [];
  let asked = 0;
  let seen = 0;

  function say(detail) {
    const loud = told.leading() && !env.visible() && !told.quiet();
    if (!loud) {
      told.emit("notify", detail.room, { ...detail, alert: false });
      return;
    }
    const mine = ++asked;
    told.post({ k: "seen?", n: mine });
    env.timers.setTimeout(() => {
      told.emit("notify", detail.room, { ...detail, alert: seen < mine });
    }, OTHERS_PATIENCE);
  }

  return {
    catchUp() {
      catching = true;
      missed = [];
    },
    // After a sleep one alert for all that spoke to the reader, not one for each.
    caughtUp() {
      if (!catching) return;
      catching = false;
      const last = missed.at(-1);
      if (last) say({ ...last, count: missed.length });
      missed = [];
    },
    heard(detail) {
      if (!catching) say({ ...detail, count: 1 });
      else if (detail.mention || detail.dm) missed.push(detail);
    },
    message(message) {
      if (message.k === "seen?" && env.visible()) {
        told.post({ k: "seen", to: message.from, n: message.n });
      } else if (message.k === "seen") seen = Math.max(seen, message.n);
    },
  };
}
