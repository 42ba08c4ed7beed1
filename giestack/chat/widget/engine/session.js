// Who one is, and whether to be connected: the leading tab's part.

import { createBackoff } from "./backoff.js";
import { createConnection } from "./connection.js";
import { choices } from "./model.js";

export const POLL = 300_000;
export const RECHECK = 10_000;
const LONGEST_TIMER = 2 ** 31 - 1;

// told: state(changes of client.state), and those of createConnection but `state` and `ended`.
export function createSession(env, told) {
  const { setTimeout, clearTimeout } = env.timers;
  const backoff = createBackoff(env.random);
  const connection = createConnection(env, { ...told, state: told.state, ended });
  let running = false;
  let phase = "starting";
  let timer = null;
  let recent = null;
  let checks = 0;

  function say(next, { reason = null, retryAt = null, ...more } = {}) {
    phase = next;
    told.state({ phase: next, reason, retryAt, ...more });
  }

  function later(ms, call = poll) {
    clearTimeout(timer);
    timer = setTimeout(call, Math.min(ms, LONGEST_TIMER));
  }

  function poll() {
    if (env.visible()) check();
    else later(POLL);
  }

  async function check(refused = null) {
    const mine = ++checks;
    clearTimeout(timer);
    clearTimeout(recent);
    recent = setTimeout(() => (recent = null), RECHECK);
    const [status, about] = await whoami(env);
    if (!running || mine !== checks) return;
    if (status === 200 && about?.id) decide(about, refused);
    else if (status === 401) loggedOut(about);
    else if (status === 403 || status === 404) {
      say("disabled", { reason: about?.error ?? null });
      later(POLL);
    } else {
      const delay = backoff.next();
      say("unavailable", { retryAt: env.now() + delay });
      later(delay, () => check(refused));
    }
  }

  function loggedOut(about) {
    say("loggedout", { me: null, ...places(about ?? {}) });
    later(POLL);
  }

  function decide(about, refused) {
    backoff.reset();
    const prefs = choices(about.prefs);
    const known = {
      me: { id: about.id, name: about.name, role: about.role ?? "user" },
      prefs,
      impersonated: about.impersonated ?? false,
      ...places(about),
      banned_until: about.banned_until || null,
    };
    if (about.banned_until) {
      say("banned", { ...known, reason: refused, retryAt: about.banned_until });
      // Moderators may think better of it.
      later(Math.min(Math.max(about.banned_until - env.now(), RECHECK), POLL));
    } else if (about.opt_in_needed && !prefs.opt_in) {
      say("optin", known);
    } else if (refused !== null) {
      say("disabled", { ...known, reason: refused });
      later(POLL);
    } else if (!prefs.online) {
      say("offline", known);
    } else {
      phase = "connected";
      told.state({ ...known, phase: "connecting", reason: null, retryAt: null });
      connection.start();
    }
  }

  function ended(code, reason) {
    if (code === 4401) loggedOut(null);
    else check(reason || "forbidden");
  }

  return {
    start() {
      running = true;
      check();
    },
    stop() {
      running = false;
      checks += 1;
      clearTimeout(timer);
      clearTimeout(recent);
      connection.stop();
    },
    // Something was chosen, here or elsewhere. Where nobody has to opt in, nobody has.
    chosen(prefs, before) {
      const leaves = !prefs.online || (before.opt_in && !prefs.opt_in);
      if (phase === "connected" && !leaves) return;
      connection.stop();
      check();
    },
    // The network, the page or the person is back.
    nudge() {
      if (phase === "connected") connection.nudge();
      else if (running && (phase === "unavailable" || !recent)) check();
    },
    // Somebody does not want to wait.
    refresh() {
      if (phase === "connected") connection.nudge();
      else check();
    },
    send: (frame) => connection.send(frame),
    doubt: () => connection.doubt(),
  };
}

// Where things are; what was not said stays as it was known.
function places(about) {
  const names = ["galaxy_url", "static", "login"].filter((name) => about[name]);
  return Object.fromEntries(names.map((name) => [name, about[name]]));
}

// [status, body]; status 0: no answer.
async function whoami(env) {
  try {
    const answer = await env.fetch(`${env.base}/whoami`, {
      credentials: "include",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
    return [answer.status, await answer.json().catch(() => null)];
  } catch {
    return [0, null];
  }
}

// Keeps choices with the server; resolves to all of them.
export async function choose(env, prefs) {
  const answer = await env.fetch(`${env.base}/api/prefs`, {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json", "X-Giestack": "1" },
    body: JSON.stringify(prefs),
  });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw Object.assign(new Error(body?.message ?? "refused"), { body, status: answer.status });
  return choices(body?.prefs);
}
