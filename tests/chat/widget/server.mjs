// A server that keeps the words of wire.py, in memory, with what can go wrong in its hands.

import assert from "node:assert/strict";

import { checkRequest } from "./fakes.mjs";

class Socket {
  readyState = 0;
  heard = [];
  constructor(server, url, protocols) {
    this.server = server;
    this.url = url;
    this.protocols = protocols;
    setImmediate(() => this.#open());
  }
  #open() {
    const { server } = this;
    if (this.readyState !== 0 || server.stalled) return;
    if (server.down || server.noWebSockets) {
      this.end(1006);
      return;
    }
    this.readyState = 1;
    this.onopen?.({});
    this.conn = server.arrive((frame) => this.#say(frame), (code, reason) => this.end(code, reason));
  }
  #say(frame) {
    setImmediate(() => {
      if (this.readyState === 1 && !this.deaf) this.onmessage?.({ data: JSON.stringify(frame) });
    });
  }
  send(text) {
    assert.equal(this.readyState, 1);
    this.heard.push(JSON.parse(text));
    if (this.deaf) return;
    setImmediate(() => this.conn?.received(JSON.parse(text)));
  }
  close() {
    this.end(1000);
  }
  end(code, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.conn?.gone();
    setImmediate(() => this.onclose?.({ code, reason }));
  }
  // Gone as when a cable is pulled, or a process killed: the other end is not told.
  vanish() {
    this.readyState = 3;
    this.conn?.gone();
    this.onclose = this.onmessage = null;
  }
}

export class Server {
  epoch = "e1";
  user = { id: "me", name: "alice", role: "user" };
  prefs = { online: true };
  limits = { length: 100, rate_ms: 1000, burst: 5, frame: 65536, edit_ms: 900000 };
  status = 200;
  optInNeeded = false;
  bannedUntil = null;
  skew = 0;
  pageLimit = 200;
  sockets = [];
  conns = new Map();
  requests = [];
  asked = [];
  rooms = new Map();
  down = false;
  before = null;
  #count = 0;

  constructor() {
    this.room("r1", { name: "General", persistent: true });
    this.room("r2", { name: "Help", joined: false });
  }

  room(id, more = {}) {
    this.rooms.set(id, { id, kind: "public", joined: true, read: 0, events: [], byCid: new Map(), ...more });
  }

  get now() {
    return 1_795_280_000_000 + this.clock.time + this.skew;
  }

  socket(url, protocols) {
    const one = new Socket(this, url, protocols);
    this.sockets.push(one);
    return one;
  }

  get open() {
    return this.sockets.filter((one) => one.readyState === 1);
  }

  // One client's end: a WebSocket or an event stream.
  arrive(say, close) {
    const conn = { id: `conn${++this.#count}`, say, close, live: false, seats: new Set(), gone: () => this.conns.delete(conn.id) };
    conn.received = (frame) => this.received(conn, frame);
    if (this.closeWith) {
      close(...this.closeWith);
      return conn;
    }
    this.conns.set(conn.id, conn);
    say(this.hello(conn));
    return conn;
  }

  hello(conn) {
    const { user, epoch, limits, prefs, now } = this;
    const rooms = [...this.rooms.values()].map((room) => this.state(room));
    return { t: "hello", v: 1, user, now, conn: conn.id, epoch, limits, prefs, rooms };
  }

  state(room) {
    const { id, name, kind, joined, read, events, persistent } = room;
    const unread = events.filter((e) => e.t === "msg" && e.seq > read && e.user !== this.user.id);
    return { id, name, kind, joined, read, persistent, last: events.length, unread: unread.length };
  }

  // Something happens in a room.
  event(id, fields) {
    const room = this.rooms.get(id);
    const { cid, ...event } = { seq: room.events.length + 1, ts: this.now, room: id, ...fields };
    room.events.push(event);
    if (cid) room.byCid.set(cid, event);
    const told = event.user === this.user.id && cid ? { ...event, cid } : event;
    if (!this.muffled) this.tell(told);
    return event;
  }

  tell(frame) {
    for (const conn of this.conns.values()) {
      if (conn.live && (!frame.seq || conn.seats.has(frame.room))) conn.say(frame);
    }
  }

  says(id, text, more = {}) {
    return this.event(id, { t: "msg", user: "bob", name: "Bob", text, ...more });
  }

  received(conn, frame) {
    checkRequest(frame);
    this.requests.push(frame);
    this.before?.(frame, conn);
    const refused = this.refuse?.(frame);
    if (this.ignore?.(frame)) return;
    const answer = refused ? { t: "err", id: frame.id, ...refused } : this.answer(conn, frame);
    if (answer && !this.swallow?.(frame)) conn.say(answer);
  }

  answer(conn, frame) {
    const ok = (more = {}) => ({ t: "ok", id: frame.id, ...more });
    const room = this.rooms.get(frame.room);
    switch (frame.t) {
      case "resume":
        this.resume(conn, frame.rooms);
        return ok({ refused: [] });
      case "join":
        if (!room) return { t: "err", id: frame.id, code: "noroom", message: "No such room." };
        room.joined = true;
        conn.seats.add(room.id);
        return ok({ room: this.state(room) });
      case "leave":
        room.joined = false;
        this.tell({ t: "room", room: this.state(room), gone: true });
        return ok({ room: this.state(room) });
      case "create":
        this.room("new", { name: frame.name ?? "", kind: frame.kind });
        conn.seats.add("new");
        return ok({ room: this.state(this.rooms.get("new")) });
      case "msg": {
        const old = room.byCid.get(frame.cid);
        const { text, cid, reply } = frame;
        const { id: user, name } = this.user;
        const event = old ?? this.event(frame.room, { t: "msg", user, name, text, cid, reply });
        return ok({ seq: event.seq, ts: event.ts });
      }
      case "edit":
      case "del": {
        const { t, ref, text, reason } = frame;
        const event = this.event(frame.room, { t, ref, text, reason, user: this.user.id, name: "alice" });
        return ok({ seq: event.seq, ts: event.ts });
      }
      case "hist":
        return ok(this.page(room, frame));
      case "read":
        room.read = Math.max(room.read, frame.seq);
        return ok({ unread: this.state(room).unread, mentions: 0 });
      case "search":
        return ok({ events: this.found(frame) });
      case "rooms":
        return ok({ rooms: [...this.rooms.values()].map((one) => this.state(one)) });
      case "people":
        return ok({ people: [{ id: "bob", name: "Bob" }] });
      case "typing":
        return null;
      default:
        return ok();
    }
  }

  found({ text, room }) {
    const all = [...this.rooms.values()].filter((one) => !room || one.id === room);
    return all.flatMap((one) => one.events).filter((e) => e.text?.includes(text));
  }

  resume(conn, marks) {
    for (const [id, mark] of Object.entries(marks)) {
      const { events } = this.rooms.get(id);
      conn.seats.add(id);
      const skipped = events.length - mark > this.pageLimit ? events.length - this.pageLimit / 2 : mark;
      if (skipped > mark) conn.say({ t: "gap", room: id, from: mark + 1, to: skipped });
      for (const event of events.slice(skipped)) conn.say(event);
    }
    conn.live = true;
  }

  // As the store has it: messages with their latest text.
  page(room, { before, after, limit = 50 }) {
    const all = room.events;
    let found = all.slice(-limit);
    let more = all.length > limit;
    if (before !== undefined) {
      const earlier = all.filter((e) => e.seq < before);
      found = earlier.slice(-limit);
      more = earlier.length > limit;
    } else if (after !== undefined) {
      const later = all.filter((e) => e.seq > after);
      found = later.slice(0, limit);
      more = later.length > limit;
    }
    return { events: found.map((e) => this.latest(room, e)), more };
  }

  latest(room, event) {
    if (event.t !== "msg") return event;
    const changes = room.events.filter((e) => e.ref === event.seq);
    const last = changes.filter((e) => e.t === "edit").at(-1);
    if (changes.some((e) => e.t === "del")) return { ...event, text: "", deleted: true };
    return last ? { ...event, text: last.text, edited: last.ts } : event;
  }

  async fetch(url, options = {}) {
    const path = url.replace("https://galaxy.example/giestack/chat", "");
    this.asked.push(path);
    assert.equal(options.credentials, "include");
    if (this.down) throw new TypeError("network error");
    if (path === "/whoami") return this.whoami();
    if (path === "/api/prefs") return this.choose(JSON.parse(options.body));
    if (path === "/api/stream") return this.stream(options);
    if (path.startsWith("/api/requests?conn=")) return this.post(path, options);
    throw new Error(`no such path: ${path}`);
  }

  whoami() {
    const places = { galaxy_url: "https://galaxy.example", static: "static/abc" };
    const login = "https://galaxy.example/login";
    if (this.status !== 200) return json(this.status, { error: "not-logged-in", login, ...places });
    return json(200, {
      ...this.user,
      opt_in_needed: this.optInNeeded,
      prefs: this.prefs,
      impersonated: false,
      banned_until: this.bannedUntil,
      ...places,
    });
  }

  choose(prefs) {
    if (this.status !== 200) return json(this.status, { error: "not-logged-in" });
    Object.assign(this.prefs, prefs);
    return json(200, { prefs: this.prefs });
  }

  stream({ signal }) {
    if (this.noStreams) return json(502, {});
    const encoder = new TextEncoder();
    let conn;
    const body = new ReadableStream({
      start: (controller) => {
        const end = () => {
          try {
            controller.close();
          } catch {
            // Closed already.
          }
        };
        const say = (frame) => controller.enqueue(encoder.encode(`data: ${JSON.stringify(frame)}\n\n`));
        const close = (code, reason) => {
          const told = JSON.stringify({ code, reason });
          controller.enqueue(encoder.encode(`event: close\ndata: ${told}\n\n`));
          end();
        };
        conn = this.arrive(say, close);
        conn.end = end;
        signal.addEventListener("abort", () => {
          conn.gone();
          end();
        });
      },
    });
    return new Response(body, { status: 200 });
  }

  async post(path, { body, headers }) {
    assert.equal(headers["X-Giestack"], "1");
    const conn = this.conns.get(decodeURIComponent(path.split("=")[1]));
    if (!conn) return json(410, { error: "no-such-stream" });
    let answer = null;
    const frame = JSON.parse(body);
    const { say } = conn;
    const once = (one) => (one.t === "ok" || one.t === "err" ? (answer = one) : say(one));
    this.received({ ...conn, say: once, set live(value) { conn.live = value; } }, frame);
    return json(200, answer ?? { t: "ok", id: frame.id });
  }
}

function json(status, body) {
  return new Response(JSON.stringify(body), { status });
}
