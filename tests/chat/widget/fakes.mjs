// Stand-ins for a browser and for the chat's server, on one clock that only tests move.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const EXAMPLES = JSON.parse(
  readFileSync(new URL("../wire_examples.json", import.meta.url), "utf-8"),
);

// Which fields each request may have, and which it must have.
const ALLOWED = new Map();
const REQUIRED = new Map();
for (const one of EXAMPLES.requests) {
  const names = Object.keys(one);
  ALLOWED.set(one.t, new Set([...(ALLOWED.get(one.t) ?? []), ...names]));
  const must = REQUIRED.get(one.t) ?? new Set(names);
  REQUIRED.set(one.t, new Set([...must].filter((name) => names.includes(name))));
}

export function checkRequest(frame) {
  assert.ok(ALLOWED.has(frame.t), `no such request: ${frame.t}`);
  for (const [name, value] of Object.entries(frame)) {
    assert.ok(ALLOWED.get(frame.t).has(name), `${frame.t} has no field ${name}`);
    assert.ok(value !== null && value !== undefined, `${frame.t}.${name} is nothing`);
  }
}

export { EXAMPLES, REQUIRED };

const turn = () => new Promise((resolve) => setImmediate(resolve));

export async function settled(turns = 12) {
  for (let i = 0; i < turns; i++) await turn();
}

export class Clock {
  time = 0;
  #count = 0;
  #calls = new Map();

  setTimeout = (call, ms) => {
    const id = ++this.#count;
    this.#calls.set(id, { at: this.time + Math.max(0, ms), call });
    return id;
  };

  clearTimeout = (id) => this.#calls.delete(id);

  get pending() {
    return this.#calls.size;
  }

  async advance(ms) {
    const end = this.time + ms;
    for (;;) {
      await settled();
      const due = [...this.#calls].filter(([, one]) => one.at <= end);
      if (!due.length) break;
      const [id, one] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.#calls.delete(id);
      this.time = Math.max(this.time, one.at);
      one.call();
    }
    this.time = end;
    await settled();
  }
}

export class MemoryStorage {
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, String(value));
  removeItem = (key) => void this.#items.delete(key);
  copy() {
    const copy = new MemoryStorage();
    for (const [key, value] of this.#items) copy.setItem(key, value);
    return copy;
  }
  get keys() {
    return [...this.#items.keys()];
  }
}

// Web Locks: one holder, a line of those who wait, and taking by force.
export class Locks {
  holder = null;
  line = [];

  request(name, options, call) {
    return new Promise((resolve, reject) => {
      const one = { call, resolve, reject };
      options.signal?.addEventListener("abort", () => {
        if (!this.line.includes(one)) return;
        this.line.splice(this.line.indexOf(one), 1);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (options.steal) {
        this.holder?.reject(new DOMException("stolen", "AbortError"));
        this.holder = null;
        this.line.unshift(one);
      } else this.line.push(one);
      this.#next();
    });
  }

  #next() {
    if (this.holder || !this.line.length) return;
    const one = (this.holder = this.line.shift());
    queueMicrotask(() => {
      one.call({}).then((value) => {
        if (this.holder !== one) return;
        this.holder = null;
        one.resolve(value);
        this.#next();
      });
    });
  }

  // The tab that holds it dies without a word.
  dies() {
    this.holder = null;
    this.#next();
  }
}

export function channels() {
  const open = new Set();
  return class {
    constructor(name) {
      this.name = name;
      open.add(this);
    }
    postMessage(message) {
      const copy = structuredClone(message);
      for (const one of open) {
        if (one === this || one.name !== this.name) continue;
        setImmediate(() => open.has(one) && !one.frozen && one.onmessage?.({ data: structuredClone(copy) }));
      }
    }
    close() {
      open.delete(this);
    }
    static open = open;
  };
}

export class FakeDocument extends EventTarget {
  visibilityState = "visible";
}

export class FakeWindow extends EventTarget {
  location = { href: "https://galaxy.example/" };
  navigator = { onLine: true };
}

// One browser profile: what its tabs share.
export class Browser {
  constructor(server, clock = new Clock()) {
    this.server = server;
    this.clock = clock;
    this.locks = new Locks();
    this.BroadcastChannel = channels();
    this.storage = new MemoryStorage();
    this.skew = 0;
    this.uuids = 0;
    server.clock = clock;
  }

  // The options of createClient for one more tab.
  tab(more = {}) {
    const { server, clock } = this;
    const window = new FakeWindow();
    const document = new FakeDocument();
    const channels = [];
    const Shared = this.BroadcastChannel;
    const links = new Set();
    const tab = {
      base: "https://galaxy.example/giestack/chat",
      window,
      document,
      timers: clock,
      locks: this.locks,
      storage: this.storage,
      sessionStorage: new MemoryStorage(),
      BroadcastChannel: class {
        constructor(name) {
          const channel = new Shared(name);
          channels.push(channel);
          return channel;
        }
      },
      WebSocket: class {
        constructor(url, protocols) {
          const socket = server.socket(url, protocols);
          links.add(socket);
          return socket;
        }
      },
      fetch: (url, options) => server.fetch(url, options),
      now: () => 1_795_280_000_000 + clock.time + this.skew,
      random: () => 0.5,
      uuid: () => `u${++this.uuids}-${"0".repeat(20)}`,
      ...more,
    };
    // The process of the tab is gone: no timer of it matters to the others.
    const crash = () => {
      for (const one of links) one.vanish();
      for (const one of channels) one.close();
      tab.dead = true;
    };
    return { options: tab, window, document, crash, channels };
  }
}
