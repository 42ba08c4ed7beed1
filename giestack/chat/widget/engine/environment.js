// What the engine needs of a browser, in one place, so that tests can stand in for all of it.

const silent = { getItem: () => null, setItem: () => {}, removeItem: () => {} };

// A page may be denied its storage altogether; even naming it throws then.
function storageOf(read) {
  try {
    return read() || silent;
  } catch {
    return silent;
  }
}

// crypto.randomUUID exists on pages with https only (and on localhost).
function randomId() {
  const crypto = globalThis.crypto;
  if (crypto?.randomUUID) return crypto.randomUUID();
  const bytes = new Uint8Array(16);
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else for (let i = 0; i < 16; i++) bytes[i] = Math.floor(Math.random() * 256);
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

export function environmentOf(given) {
  const window = given.window ?? globalThis;
  const document = given.document ?? window.document;
  const timers = given.timers ?? {
    setTimeout: (call, ms) => globalThis.setTimeout(call, ms),
    clearTimeout: (one) => globalThis.clearTimeout(one),
  };
  return {
    base: given.base.replace(/\/+$/, ""),
    window,
    document,
    timers,
    fetch: given.fetch ?? ((...asked) => globalThis.fetch(...asked)),
    WebSocket: "WebSocket" in given ? given.WebSocket : globalThis.WebSocket,
    BroadcastChannel: "BroadcastChannel" in given ? given.BroadcastChannel : globalThis.BroadcastChannel,
    locks: "locks" in given ? given.locks : globalThis.navigator?.locks,
    storage: given.storage ?? storageOf(() => window.localStorage),
    sessionStorage: given.sessionStorage ?? storageOf(() => window.sessionStorage),
    now: given.now ?? (() => Date.now()),
    random: given.random ?? Math.random,
    uuid: given.uuid ?? randomId,
    visible: () => document?.visibilityState !== "hidden",
    onLine: () => window.navigator?.onLine !== false,
  };
}

// Read and write JSON; a full or forbidden storage is as good as none.
export function readJson(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

export function writeJson(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Nothing is lost but the comfort after a reload.
  }
}

export class Refusal extends Error {
  constructor(code, message, retry_ms = null) {
    super(message);
    this.code = code;
    this.retry_ms = retry_ms;
  }
}
