// Messages that were written and are not stored yet. Every tab has the same list; the leading tab
// sends, one at a time in each room, so that they keep their order.

import { Refusal, readJson, writeJson } from "./environment.js";

export const TOO_OLD = 600_000;
export const ECHO_PATIENCE = 5_000;
const MOST_TRIES = 5;

// told: changed(room id), post(message for the other tabs), ask(frame), doubt(), missing(room, seq),
// heardTo(room) → number of the last event that is known.
export class Outbox {
  #env;
  #told;
  #items = new Map();
  #waiters = new Map();
  #inFlight = new Map();
  #timers = new Map();
  #user = null;
  #leading = false;
  #connected = false;

  constructor(env, told) {
    this.#env = env;
    this.#told = told;
  }

  items(room) {
    return [...this.#items.values()].filter((one) => one.room === room);
  }

  dumped() {
    return [...this.#items.values()];
  }

  // Whose messages these are; what this tab kept of theirs before a reload is taken up again.
  belongsTo(user) {
    if (user === this.#user) return;
    const others = this.#user !== null;
    this.#user = user;
    if (others) for (const cid of [...this.#items.keys()]) this.#drop(cid);
    const kept = readJson(this.#env.sessionStorage, this.#key());
    for (const item of Array.isArray(kept) ? kept : []) {
      const old = this.#env.now() - item.made > TOO_OLD;
      this.#share("put", old && item.status !== "failed" ? failed(item, "lost", "") : item);
    }
  }

  // Resolves when the message is stored; rejects when it was refused (and stays, as failed).
  add(room, text, reply) {
    const cid = this.#env.uuid();
    const made = this.#env.now();
    this.#share("put", { cid, room, text, reply: reply ?? null, made, tries: 0, ...SENDING });
    return this.#watched(cid);
  }

  retry(cid) {
    const item = this.#items.get(cid);
    if (!item) return Promise.resolve(null);
    this.#share("put", { ...item, made: this.#env.now(), tries: 0, ...SENDING });
    return this.#watched(cid);
  }

  discard(cid) {
    this.#share("drop", { cid });
  }

  // Another tab's change.
  heard(op, item) {
    if (op === "put") this.#put(item);
    else this.#drop(item.cid, item.stored);
  }

  // The room says a message of one's own: here it is, stored.
  echoed(cid, seq, ts) {
    if (this.#items.has(cid)) this.#drop(cid, { cid, seq, ts });
  }

  lead(whether) {
    this.#leading = whether;
    this.#inFlight.clear();
    for (const timer of this.#timers.values()) this.#env.timers.clearTimeout(timer);
    this.#timers.clear();
    if (whether) this.#pump();
  }

  connected(whether) {
    this.#connected = whether;
    if (whether) this.#pump();
  }

  // The server hangs up on what is being sent: it is too big for something on the way.
  tooBig() {
    for (const cid of this.#inFlight.values()) {
      const item = this.#items.get(cid);
      if (item) this.#share("put", failed(item, "len", ""));
    }
  }

  #key() {
    return `giechat:outbox:${this.#env.base}:${this.#user}`;
  }

  #watched(cid) {
    return new Promise((resolve, reject) => this.#waiters.set(cid, { resolve, reject }));
  }

  #share(op, item) {
    this.#told.post({ k: "outbox", op, item });
    this.heard(op, item);
  }

  #put(item) {
    this.#items.set(item.cid, item);
    if (item.status === "failed") {
      this.#settle(item.cid, (one) => one.reject(new Refusal(item.code, item.message)));
    }
    this.#changed(item.room);
    this.#pump();
  }

  #drop(cid, stored = null) {
    const item = this.#items.get(cid);
    if (!item) return;
    this.#items.delete(cid);
    this.#settle(cid, (one) => one.resolve(stored));
    this.#changed(item.room);
    this.#pump();
  }

  #settle(cid, how) {
    const waiter = this.#waiters.get(cid);
    this.#waiters.delete(cid);
    if (waiter) how(waiter);
  }

  #changed(room) {
    const all = this.dumped();
    if (this.#user) writeJson(this.#env.sessionStorage, this.#key(), all.length ? all : null);
    this.#told.changed(room);
  }

  #pump() {
    if (!this.#leading || !this.#connected) return;
    const seen = new Set(this.#inFlight.keys());
    for (const item of [...this.#items.values()]) {
      if (item.status === "failed" || item.seq || seen.has(item.room)) continue;
      seen.add(item.room);
      if (item.status === "sending") this.#send(item);
      else if (!this.#timers.has(item.cid)) this.#wait(item);
    }
  }

  #send(item) {
    const { cid, room, text, reply } = item;
    this.#inFlight.set(room, cid);
    const mine = () => this.#inFlight.get(room) === cid;
    this.#told.ask({ t: "msg", cid, room, text, ...(reply === null ? {} : { reply }) }).then(
      (ok) => {
        if (mine()) this.#inFlight.delete(room);
        this.#stored(cid, ok);
      },
      (refusal) => {
        if (!mine()) return;
        this.#inFlight.delete(room);
        const now = this.#items.get(cid);
        if (now) this.#refused(now, refusal);
        else this.#pump();
      },
    );
  }

  #stored(cid, { seq, ts }) {
    const item = this.#items.get(cid);
    if (!item) {
      this.#pump();
      return;
    }
    if (this.#told.heardTo(item.room) >= seq) {
      this.#share("drop", { cid, stored: { cid, seq, ts } });
      return;
    }
    this.#share("put", { ...item, seq, ts });
    // Its echo is on the way; if it got lost, history has it.
    this.#env.timers.setTimeout(() => {
      if (!this.#items.has(cid)) return;
      this.#share("drop", { cid, stored: { cid, seq, ts } });
      this.#told.missing(item.room, seq);
    }, ECHO_PATIENCE);
  }

  #refused(item, { code, message, retry_ms }) {
    const tries = item.tries + 1;
    if (code === "rate" && retry_ms !== null) {
      const retryAt = this.#env.now() + retry_ms;
      this.#share("put", { ...item, status: "waiting", code, message, retry_ms, retryAt });
    } else if (code === "offline") {
      // It goes when there is a connection.
    } else if ((code === "lost" || code === "timeout") && tries < MOST_TRIES) {
      this.#share("put", { ...item, tries });
      if (code === "timeout") this.#told.doubt();
    } else {
      this.#share("put", failed(item, code, message));
    }
  }

  #wait(item) {
    const wait = () => {
      this.#timers.delete(item.cid);
      const now = this.#items.get(item.cid);
      if (now?.status === "waiting") this.#share("put", { ...now, ...SENDING });
    };
    const ms = Math.min(Math.max(item.retryAt - this.#env.now(), 0), item.retry_ms);
    this.#timers.set(item.cid, this.#env.timers.setTimeout(wait, ms));
  }
}

const SENDING = { status: "sending", code: null, message: null, retry_ms: null, retryAt: null };

function failed(item, code, message) {
  return { ...item, ...SENDING, status: "failed", code, message };
}
