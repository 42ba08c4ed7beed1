// The one connection of all tabs: opened again when it breaks, by WebSocket or, where those don't
// get through, by server-sent events; and noticed when it died without a word.

import { createBackoff } from "./backoff.js";
import { openStream } from "./stream.js";
import { openWebSocket } from "./websocket.js";

export const HELLO_PATIENCE = 15_000;
export const TICK = 10_000;
export const SILENT_TICKS = 4;
export const PROBE_PATIENCE = 10_000;
export const SHORT_LIFE = 2_000;
export const UPGRADE_AFTER = 180_000;
const MOST_NEVER_OPENED = 2;
const MOST_SHORT_LIVES = 3;

const REASONS = { 1009: "toobig", 1012: "restart", 4408: "slow", 4429: "flood" };

// told: frame(frame), answer(frame), marks() → what `resume` carries, caughtUp(ok),
// state({phase, reason, retryAt, transport}), ended(code, reason), busy().
export function createConnection(env, told) {
  const { setTimeout, clearTimeout } = env.timers;
  const backoff = createBackoff(env.random);
  let running = false;
  let link = null;
  let candidate = null;
  let neverOpened = 0;
  let shortLives = 0;
  let lastReason = null;
  let flooded = false;
  let count = 0;
  const timer = {};

  const clear = (...names) => {
    for (const name of names) {
      clearTimeout(timer[name]);
      timer[name] = null;
    }
  };
  const after = (name, ms, call) => {
    clear(name);
    timer[name] = setTimeout(() => {
      timer[name] = null;
      call();
    }, ms);
  };

  function attempt() {
    clear("retry");
    flooded = false;
    const stream =
      !env.WebSocket || neverOpened >= MOST_NEVER_OPENED || shortLives >= MOST_SHORT_LIVES;
    told.state({
      phase: "connecting",
      reason: lastReason,
      retryAt: null,
      transport: stream ? "stream" : "websocket",
    });
    link = opened(stream ? openStream : openWebSocket);
    after("hello", HELLO_PATIENCE, () => giveUp());
  }

  // A link with what this keeps about it.
  function opened(open) {
    const mine = { resumed: false, hello: false, heard: false, silent: 0, probing: null };
    mine.link = open(env, {
      life() {
        mine.heard = true;
        if (mine.firstLife) return;
        mine.firstLife = true;
        mine.young = true;
        mine.growing = setTimeout(() => grown(mine), SHORT_LIFE);
      },
      frame: (frame) => arrived(mine, frame),
      closed: (code, reason) => closed(mine, code, reason),
    });
    return mine;
  }

  function grown(mine) {
    mine.young = false;
    if (mine !== link || !mine.hello) return;
    backoff.reset();
    if (mine.link.name === "websocket") neverOpened = shortLives = 0;
  }

  function arrived(mine, frame) {
    if (mine === candidate && frame.t === "hello") adopt(mine);
    if (mine !== link) return;
    if (frame.t === "hello") greet(mine, frame);
    else if (frame.t === "ok" || frame.t === "err") answered(mine, frame);
    else told.frame(frame);
  }

  function greet(mine, hello) {
    clear("hello");
    mine.hello = true;
    lastReason = null;
    if (!mine.young) grown(mine);
    told.frame(hello);
    if (mine !== link) return;
    told.state({ phase: "online", reason: null, retryAt: null, transport: mine.link.name });
    mine.resuming = ask({ t: "resume", rooms: told.marks() });
    tick(mine);
    if (mine.link.name === "stream") after("upgrade", UPGRADE_AFTER, tryWebSocket);
  }

  function ask(frame) {
    const id = `c-${++count}`;
    link.link.send({ ...frame, id });
    return id;
  }

  function answered(mine, frame) {
    if (frame.id === mine.resuming) resumed(mine, frame);
    else if (frame.id !== mine.probing) told.answer(frame);
  }

  function resumed(mine, frame) {
    mine.resuming = null;
    // One room that is gone is no reason to wait.
    if (frame.t === "ok" || frame.code === "noroom" || frame.code === "perm") {
      mine.resumed = true;
      told.caughtUp(frame);
      return;
    }
    after("resume", frame.retry_ms ?? backoff.next(), () => {
      if (mine === link) mine.resuming = ask({ t: "resume", rooms: told.marks() });
    });
  }

  // Browsers hide the server's pings from us; so after a silence, a request that costs nothing.
  function tick(mine) {
    after("tick", TICK, () => {
      if (mine !== link) return;
      mine.silent = mine.heard ? 0 : mine.silent + 1;
      mine.heard = false;
      if (mine.silent >= SILENT_TICKS) probe(mine);
      tick(mine);
    });
  }

  function probe(mine) {
    if (timer.probe) return;
    mine.heard = false;
    mine.probing = ask({ t: "resume", rooms: {} });
    after("probe", PROBE_PATIENCE, () => {
      if (mine === link && !mine.heard) giveUp();
    });
  }

  function giveUp() {
    const mine = link;
    mine.link.close();
    closed(mine, 1006, "");
  }

  function closed(mine, code, reason) {
    clearTimeout(mine.growing);
    if (mine === candidate) {
      candidate = null;
      after("upgrade", UPGRADE_AFTER, tryWebSocket);
    }
    if (mine !== link) return;
    link = null;
    candidate?.link.close();
    candidate = null;
    clear("hello", "tick", "probe", "resume", "upgrade");
    if (!running) return;
    if (code === 4401 || code === 4403) {
      running = false;
      told.ended(code, reason);
      return;
    }
    judge(mine, code);
    retry(code, mine);
  }

  // Learn from a link's end whether WebSockets get through.
  function judge(mine, code) {
    if (code in REASONS || !env.onLine()) return;
    if (mine.link.name === "stream") {
      if (!mine.hello) neverOpened = shortLives = 0;
    } else if (!mine.hello && !mine.firstLife) neverOpened += 1;
    else if (mine.young || !mine.hello) shortLives += 1;
  }

  function retry(code, mine) {
    lastReason = REASONS[code] ?? (mine.hello ? "lost" : "unreachable");
    flooded = code === 4429;
    let delay = backoff.next();
    if (code === 1012) delay = Math.round(env.random() * 5000);
    if (flooded) delay = Math.round(30_000 * (1 + env.random()));
    told.state({
      phase: "connecting",
      reason: lastReason,
      retryAt: env.now() + delay,
      transport: mine.link.name,
    });
    after("retry", delay, attempt);
  }

  function tryWebSocket() {
    if (!link?.resumed) return;
    candidate = opened(openWebSocket);
    const mine = candidate;
    after("upgrade", HELLO_PATIENCE, () => {
      if (mine !== candidate) return;
      mine.link.close();
      closed(mine, 1006, "");
    });
  }

  function adopt(mine) {
    candidate = null;
    clear("upgrade");
    if (told.busy()) {
      mine.link.close();
      clearTimeout(mine.growing);
      after("upgrade", TICK, tryWebSocket);
      return;
    }
    link.link.close();
    clearTimeout(link.growing);
    clear("tick", "probe", "resume");
    link = mine;
    // It has failed before: once more, and it is the stream again.
    neverOpened = MOST_NEVER_OPENED - 1;
    shortLives = MOST_SHORT_LIVES - 1;
  }

  return {
    start() {
      if (running) return;
      running = true;
      lastReason = null;
      attempt();
    },
    stop() {
      running = false;
      const old = [link, candidate];
      link = candidate = null;
      for (const one of old) {
        one?.link.close();
        clearTimeout(one?.growing);
      }
      clear(...Object.keys(timer));
    },
    send(frame) {
      link?.link.send(frame);
    },
    // The network or the person is back: no need to wait any longer.
    nudge() {
      if (!running) return;
      if (link?.resumed) probe(link);
      else if (!link && !flooded) attempt();
    },
    // Something that should have been answered was not.
    doubt() {
      if (link?.resumed) giveUp();
    },
  };
}
