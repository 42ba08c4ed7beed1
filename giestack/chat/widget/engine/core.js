// What all tabs share: the state, and how frames, answers and other tabs' messages change it.

import { createAlerts } from "./alerts.js";
import { createHistory } from "./history.js";
import { createKept } from "./kept.js";
import { Model } from "./model.js";
import { Outbox } from "./outbox.js";
import { Requests } from "./requests.js";
import { createSession } from "./session.js";
import { createTabs } from "./tabs.js";
import { createTyping } from "./typing.js";

const SHARED = [
  "phase", "reason", "retryAt", "transport", "me", "impersonated", "prefs", "galaxy_url", "static",
  "login", "banned_until",
];
const OUT = new Set(["loggedout", "optin", "offline", "banned", "disabled"]);

export function createCore(env) {
  const model = new Model();
  const listeners = new Set();
  const state = {
    phase: "starting",
    reason: null,
    retryAt: null,
    transport: "websocket",
    leader: false,
    me: null,
    prefs: model.prefs,
    galaxy_url: null,
    static: null,
    login: null,
    banned_until: null,
    impersonated: false,
    current: null,
    get limits() { return model.limits; },
    get rooms() { return model.rooms; },
    get unread() { return model.unread; },
    get mentions() { return model.mentions; },
  };
  let up = false;
  function emit(kind, room, detail) {
    for (const one of [...listeners]) {
      try {
        one(kind, room, detail);
      } catch (error) {
        // One listener's mistake is not the others'.
        globalThis.console?.error(error);
      }
    }
  }

  const tabs = createTabs(env, { lead, message });
  const requests = new Requests(env, tabs.id, transmit);
  const ask = (frame, options) => requests.ask(frame, options);
  const history = createHistory(ask, (room) => emit("messages", room.id));
  const kept = createKept(env, model);
  const outbox = new Outbox(env, {
    post: tabs.post, ask: (frame) => ask(frame, { again: false }),
    changed: pendingChanged,
    doubt: () => session.doubt(),
    heardTo: (room) => model.rooms.get(room)?.mark ?? Infinity,
    missing: (room, seq) => take({ t: "gap", room, from: seq, to: seq }),
  });
  const session = createSession(env, {
    state: (changes) => {
      change(changes);
      tabs.post({ k: "state", state: shared() });
    },
    frame: hear,
    answer,
    marks: () => model.marks(),
    caughtUp: () => {
      caughtUp();
      tabs.post({ k: "up" });
    },
    busy: () => requests.busy,
  });
  const typing = createTyping(env, (room, user) => {
    for (const one of model.quiet(room, user)) emit(...one);
  });
  const alerts = createAlerts(env, {
    emit,
    post: tabs.post,
    leading: () => tabs.leading,
    quiet: () => state.prefs.do_not_disturb,
  });

  function transmit(frame) {
    if (tabs.leading) session.send(frame);
    else tabs.post({ k: "ask", frame });
  }

  function shared() {
    return Object.fromEntries(SHARED.map((name) => [name, state[name]]));
  }

  function change(changes) {
    Object.assign(state, changes);
    if (state.me) belongsTo(state.me.id);
    if (state.phase !== "online") {
      down();
      if (state.reason === "toobig") outbox.tooBig();
    }
    if (OUT.has(state.phase)) requests.refuseAll("offline", "There is no connection.");
    if (state.phase === "loggedout") forget();
    emit("phase");
  }

  // Nobody is here, so nothing of theirs stays on the screen.
  function forget() {
    model.rooms.clear();
    model.epoch = null;
    state.me = null;
    state.current = null;
    kept.forget();
    emit("rooms");
  }

  function belongsTo(user) {
    kept.belongsTo(user);
    outbox.belongsTo(user);
  }

  function down() {
    if (!up) return;
    up = false;
    requests.disconnected();
    outbox.connected(false);
  }

  function caughtUp() {
    up = true;
    requests.connected();
    outbox.connected(true);
    alerts.caughtUp();
    show();
  }

  // The room that is shown shows all there is; it may have been chosen before one could join it.
  function show() {
    const room = model.rooms.get(state.current);
    if (!room || !up) return;
    const joins = !room.joined && room.kind === "public" && ask({ t: "join", room: room.id });
    Promise.resolve(joins).then(() => history.first(room)).catch(() => {});
  }

  // From the server. What one's other clients have joined, or somebody began with one, is heard
  // here from now on too.
  function hear(frame) {
    const entered =
      frame.t === "room" && frame.room.joined && !model.rooms.get(frame.room.id)?.joined;
    share(frame);
    if (!entered) return;
    const { id, mark } = model.rooms.get(frame.room.id);
    ask({ t: "resume", rooms: { [id]: mark } }).catch(() => {});
  }

  function share(frame) {
    tabs.post({ k: "frame", frame });
    take(frame);
  }

  function take(frame) {
    if (frame.t === "hello") {
      down();
      alerts.catchUp();
    }
    const changes = model.apply(frame, { now: env.now(), kept: kept.marks() });
    if (frame.t === "hello") welcome();
    else if (frame.t === "msg" && frame.cid) outbox.echoed(frame.cid, frame.seq, frame.ts);
    else if (frame.t === "typing") typing.heard(frame);
    else if (frame.t === "prefs") chosen(model.prefs);
    else if (frame.t === "room") dress(model.rooms.get(frame.room.id));
    if (!model.rooms.has(state.current)) state.current = null;
    for (const [kind, room, detail] of changes) {
      if (kind === "notify") alerts.heard(detail);
      else emit(kind, room, detail);
    }
    const room = model.rooms.get(state.current);
    if (room?.gap && up) history.fill(room).catch(() => {});
    kept.saveSoon();
  }

  function welcome() {
    Object.assign(state, { me: model.me, prefs: model.prefs, impersonated: model.impersonated });
    belongsTo(model.me.id);
    for (const room of model.rooms.values()) dress(room);
  }

  // What a room has that is not the server's.
  function dress(room) {
    if (!room) return;
    room.pending = outbox.items(room.id);
    room.draft = kept.drafts()[room.id] ?? "";
  }

  function pendingChanged(id) {
    const room = model.rooms.get(id);
    if (!room) return;
    room.pending = outbox.items(id);
    emit("pending", id);
  }

  function chosen(prefs) {
    const before = state.prefs;
    state.prefs = model.prefs = prefs;
    if (tabs.leading) session.chosen(prefs, before);
    emit("phase");
  }

  function answer(frame) {
    if (frame.t === "ok" && frame.room?.joined) share({ t: "room", room: frame.room });
    if (requests.answer(frame) || typeof frame.id !== "string") return;
    tabs.post({ k: "answer", to: frame.id.split("-")[0], frame });
  }

  function lead(whether) {
    state.leader = whether;
    down();
    outbox.lead(whether);
    if (whether) session.start();
    else {
      session.stop();
      tabs.post({ k: "snapshot?" });
    }
    emit("phase");
  }

  function snapshot(to) {
    tabs.post({
      k: "snapshot",
      to,
      state: shared(),
      model: model.epoch ? model.dumped() : null,
      outbox: outbox.dumped(),
      drafts: kept.drafts(),
      up,
    });
  }

  function revive(message) {
    if (message.model) {
      model.revive(message.model);
      belongsTo(model.me.id);
    }
    for (const item of message.outbox) outbox.heard("put", item);
    for (const [room, text] of Object.entries(message.drafts)) kept.setDraft(room, text);
    for (const room of model.rooms.values()) dress(room);
    change(message.state);
    emit("rooms");
    if (message.up) caughtUp();
  }

  function message(one) {
    if (one.k === "frame") take(one.frame);
    else if (one.k === "outbox") outbox.heard(one.op, one.item);
    else if (one.k === "draft") draft(one.room, one.text);
    else if (one.k === "chosen") chosen(one.prefs);
    else if (one.k.startsWith("seen")) alerts.message(one);
    else if (tabs.leading) asked(one);
    else if (one.k === "state") change(one.state);
    else if (one.k === "up") caughtUp();
    else if (one.k === "answer") requests.answer(one.frame);
    else if (one.k === "snapshot") revive(one);
  }

  function asked(one) {
    if (one.k === "ask") session.send(one.frame);
    else if (one.k === "snapshot?") snapshot(one.from);
    else if (one.k === "nudge") session.nudge();
    else if (one.k === "refresh") session.refresh();
  }

  function draft(id, text) {
    kept.setDraft(id, text);
    const room = model.rooms.get(id);
    if (!room || room.draft === text) return;
    room.draft = text;
    emit("room", id);
  }

  return {
    state, model, listeners, emit, tabs, requests, ask, history, kept, outbox, session, alerts,
    share, transmit, change, chosen, show, draft,
    start() {
      tabs.start();
      if (!tabs.leading) tabs.post({ k: "snapshot?" });
      tabs.check();
    },
    stop() {
      kept.save();
      tabs.stop();
      outbox.lead(false);
      session.stop();
      down();
      Object.assign(state, { phase: "starting", leader: false, retryAt: null });
    },
  };
}
