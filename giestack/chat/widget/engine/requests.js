// Requests that wait for their answer. A tab that holds no connection of its own sends them
// through another tab, and this does not care.

import { Refusal } from "./environment.js";

export const PATIENCE = 20_000;

export class Requests {
  #env;
  #prefix;
  #send;
  #count = 0;
  #connected = false;
  #waiting = new Map();

  constructor(env, prefix, send) {
    this.#env = env;
    this.#prefix = prefix;
    this.#send = send;
  }

  // Resolves to the `ok` frame; rejects with a Refusal: the server's code, or "timeout", "lost",
  // "offline". What may be asked twice (`again`) is, when the connection broke before its answer.
  ask(frame, { again = true, patience = PATIENCE } = {}) {
    const id = `${this.#prefix}-${++this.#count}`;
    return new Promise((resolve, reject) => {
      const one = { frame: { ...frame, id }, again, sent: false, resolve, reject };
      one.timer = this.#env.timers.setTimeout(() => {
        const code = one.sent ? "timeout" : "offline";
        this.#refuse(id, new Refusal(code, "No answer came in time."));
      }, patience);
      this.#waiting.set(id, one);
      if (this.#connected) this.#go(one);
      else if (!again) this.#refuse(id, new Refusal("offline", "There is no connection."));
    });
  }

  // Takes an `ok` or `err`; returns whether it was for one of these.
  answer(frame) {
    const one = this.#waiting.get(frame.id);
    if (!one) return false;
    if (frame.t === "ok") this.#forget(frame.id).resolve(frame);
    else this.#refuse(frame.id, new Refusal(frame.code, frame.message, frame.retry_ms ?? null));
    return true;
  }

  get busy() {
    return [...this.#waiting.values()].some((one) => one.sent && !one.again);
  }

  connected() {
    this.#connected = true;
    for (const one of [...this.#waiting.values()]) if (!one.sent) this.#go(one);
  }

  disconnected() {
    this.#connected = false;
    for (const [id, one] of [...this.#waiting]) {
      if (one.sent && !one.again) this.#refuse(id, new Refusal("lost", "The connection broke."));
      one.sent = false;
    }
  }

  refuseAll(code, message) {
    this.#connected = false;
    for (const id of [...this.#waiting.keys()]) this.#refuse(id, new Refusal(code, message));
  }

  #go(one) {
    one.sent = true;
    this.#send(one.frame);
  }

  #forget(id) {
    const one = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#env.timers.clearTimeout(one.timer);
    return one;
  }

  #refuse(id, refusal) {
    this.#forget(id).reject(refusal);
  }
}
