// The chat without its looks: what the page calls, and what it is told. See state and subscribe.
//
// client.state is alive: read it after each event, keep no copies. Events, as (kind, room id,
// detail): "phase", "rooms", "room", "messages", "people", "typing", "pending", "notify", "report".

import { createCore } from "./core.js";
import { Refusal, environmentOf } from "./environment.js";
import { messageOf } from "./room.js";
import { createReading } from "./reading.js";
import { choose } from "./session.js";

export const TYPING_PAUSE = 3_000;

const NO_AGAIN = { again: false };

export function createClient(options) {
  const env = environmentOf(options);
  const core = createCore(env);
  const { state, model, tabs, ask, history, outbox, session } = core;
  const reading = createReading(env, {
    current: () => model.rooms.get(state.current) ?? null,
    ask,
    share: core.share,
  });
  const unheard = [];
  const serverNow = () => env.now() + model.clockOffset;

  function roomOf(id) {
    const room = model.rooms.get(id);
    if (!room) throw new Refusal("noroom", "There is no such room.");
    return room;
  }

  // The page was hidden, the network gone, the machine asleep: look after everything at once.
  function awake() {
    if (!env.visible()) return;
    reading.seen();
    if (tabs.leading) session.nudge();
    else {
      tabs.post({ k: "nudge" });
      tabs.check();
    }
  }

  function listen(target, kind, call) {
    target?.addEventListener?.(kind, call);
    unheard.push(() => target?.removeEventListener?.(kind, call));
  }

  function start() {
    listen(env.window, "online", awake);
    listen(env.window, "focus", awake);
    listen(env.document, "visibilitychange", awake);
    // A page that is put aside must not keep the connection from the others.
    listen(env.window, "pagehide", () => core.stop());
    listen(env.window, "pageshow", (event) => (event.persisted ? core.start() : awake()));
    core.start();
  }

  function stop() {
    for (const one of unheard.splice(0)) one();
    core.stop();
  }

  async function setPrefs(prefs) {
    let chosen;
    try {
      chosen = await choose(env, prefs);
    } catch (error) {
      if (error.status === 401) refresh();
      const body = error.body;
      throw new Refusal(body?.code ?? (error.status ? "server" : "offline"), body?.message ?? "");
    }
    tabs.post({ k: "chosen", prefs: chosen });
    core.chosen(chosen);
    return chosen;
  }

  function refresh() {
    if (tabs.leading) session.refresh();
    else tabs.post({ k: "refresh" });
  }

  async function open(id) {
    if (state.current !== id) close();
    state.current = id;
    core.emit("room", id);
    if (state.phase !== "online") return id;
    const known = model.rooms.get(id);
    if (!known || (!known.joined && known.kind === "public")) await join(id);
    await history.first(roomOf(id));
    return id;
  }

  function close() {
    const room = model.rooms.get(state.current);
    state.current = null;
    room?.trim();
  }

  async function join(id) {
    const { room } = await ask({ t: "join", room: id });
    return room?.id ?? id;
  }

  async function leave(id) {
    const { name, kind, persistent, last, locked, slow, owner } = roomOf(id);
    const left = { id, name, kind, persistent, last, locked, slow, owner };
    const { room = left } = await ask({ t: "leave", room: id });
    core.share({ t: "room", room, gone: true });
  }

  async function create({ kind = "unlisted", name, user }) {
    const frame = { t: "create", kind };
    if (name) frame.name = name;
    if (user) frame.user = user;
    return (await ask(frame, NO_AGAIN)).room.id;
  }

  async function send(id, text, reply = null) {
    roomOf(id);
    if (!text.trim()) return null;
    const { limits } = model;
    if (limits?.length && [...text].length > limits.length) {
      throw new Refusal("len", `More than ${limits.length} characters.`);
    }
    if (!["online", "connecting"].includes(state.phase)) {
      throw new Refusal("offline", "There is no connection.");
    }
    return outbox.add(id, text, reply);
  }

  const typed = new Set();
  function typing(room) {
    if (state.phase !== "online" || typed.has(room)) return;
    typed.add(room);
    env.timers.setTimeout(() => typed.delete(room), TYPING_PAUSE);
    core.transmit({ t: "typing", room });
  }

  async function search(text, { room, before, limit } = {}) {
    const frame = { t: "search", text, ...given({ room, before, limit }) };
    const { events = [], next = null } = await ask(frame);
    return { messages: events.map((one) => messageOf(one, state.me?.id)), next };
  }

  function canWrite(id) {
    const room = model.rooms.get(id);
    if (!room || !["online", "connecting"].includes(state.phase)) return "offline";
    if (!room.joined) return "notjoined";
    if (room.muted_until > serverNow()) return "muted";
    if (room.locked && state.me?.role === "user") return "locked";
    return "";
  }

  function mayEdit(id, message) {
    const { edit_ms = 0 } = model.limits ?? {};
    if (!message.mine || message.deleted) return false;
    return !edit_ms || serverNow() - message.ts < edit_ms;
  }

  return {
    state,
    subscribe(listener) {
      core.listeners.add(listener);
      return () => core.listeners.delete(listener);
    },
    start,
    stop,
    refresh,
    serverNow,
    setPrefs,
    optIn: () => setPrefs({ opt_in: true, online: true }),
    optOut: () => setPrefs({ opt_in: false, online: false }),
    goOnline: () => setPrefs({ online: true }),
    goOffline: () => setPrefs({ online: false }),
    open,
    close,
    join,
    leave,
    create,
    send: (room, text, reply) => attended(send(room, text, reply)),
    retry: (cid) => attended(outbox.retry(cid)),
    discard: (cid) => outbox.discard(cid),
    edit: (room, ref, text) => ask({ t: "edit", room, ref, text }, NO_AGAIN),
    remove: (room, ref, reason) => ask({ t: "del", room, ref, ...given({ reason }) }, NO_AGAIN),
    moderate: (act) => ask({ t: "mod", ...given(act) }, NO_AGAIN),
    report: (room, ref, reason) => ask({ t: "report", room, ref, reason }),
    older: async (room) => history.older(roomOf(room)),
    newer: async (room) => history.newer(roomOf(room)),
    latest: async (room) => history.latest(roomOf(room)),
    around: async (room, seq) => history.around(roomOf(room), seq),
    message: (room, seq) => model.rooms.get(room)?.message(seq),
    markRead: (room) => reading.wants(room),
    typing,
    search,
    publicRooms: async (text = "") => (await ask({ t: "rooms", text })).rooms ?? [],
    people: async (text = "", room) =>
      (await ask({ t: "people", text, ...given({ room }) })).people ?? [],
    setDraft(room, text) {
      core.draft(room, text);
      tabs.post({ k: "draft", room, text });
    },
    canWrite,
    mayEdit,
  };
}

// Who doesn't wait for it sees it in the list.
function attended(promise) {
  promise.catch(() => {});
  return promise;
}

function given(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== undefined && one !== null));
}
