// Stands in for engine/client.js: the same words, and a server in the page that does what it is told.
// The test page reaches it as window.fake: {state, emit, say, hear, calls, …}.
const ME = { id: "me", name: "alice", role: "user" };
const DAY = 86_400_000;

const refusal = (code, message = "", retry_ms = null) => Object.assign(new Error(message), { code, retry_ms });

export function createClient({ base }) {
  const listeners = new Set();
  const wanted = { ...(globalThis.fakeWishes ?? {}) };
  const calls = [];
  let refuse = null;
  const state = {
    phase: "starting", reason: null, retryAt: null, me: null, impersonated: false, galaxy_url: "https://galaxy.example.org/",
    limits: { length: 4000, rate_ms: 1000, burst: 5, frame: 65536, edit_ms: 900_000 },
    prefs: { opt_in: true, online: true, do_not_disturb: false }, transport: "websocket", leader: true,
    rooms: new Map(), unread: 0, mentions: 0, current: null, banned_until: null,
  };
  const emit = (kind, room, detail) => { for (const one of [...listeners]) one(kind, room, detail); };
  const count = () => {
    const rooms = [...state.rooms.values()];
    state.unread = rooms.reduce((sum, room) => sum + room.unread, 0);
    state.mentions = rooms.reduce((sum, room) => sum + room.mentions, 0);
  };
  const done = async (name, ...given) => {
    calls.push([name, ...given]);
    if (refuse?.[0] === name) { const [, code, retry] = refuse; refuse = null; throw refusal(code, "", retry); }
  };

  function room(id, name, more = {}) {
    const made = {
      id, name, kind: "public", persistent: false, joined: true, locked: false, slow: 0, owner: null, peer: null, last: 0, read: 0,
      unread: 0, mentions: 0, muted_until: 0, messages: [], notices: [], complete: true, loading: false, gap: false, atEnd: true,
      people: new Map(), count: 0, typing: [], pending: [], draft: "", stored: [], ...more,
    };
    state.rooms.set(id, made);
    return made;
  }

  // Puts a message into a room's log, as if it had been said at that time.
  function put(id, user, text, more = {}) {
    const of = state.rooms.get(id);
    const message = { room: id, seq: of.last += 1, ts: Date.now(), user: user === "alice" ? ME.id : `u-${user}`, name: user, text, mentions: [], reply: null, edited: null, deleted: false, impersonated: false, ...more };
    message.mine = message.user === ME.id;
    message.mentionsMe = !message.mine && (message.mentions.includes(ME.id) || message.mentions.includes("room"));
    of.messages.push(message);
    return message;
  }

  // Somebody says something now.
  function hear(id, user, text, more = {}) {
    const of = state.rooms.get(id);
    const message = put(id, user, text, more);
    if (!message.mine) {
      of.unread += 1;
      if (message.mentionsMe) of.mentions += 1;
    } else Object.assign(of, { read: of.last, unread: 0, mentions: 0 });
    count();
    emit("messages", id);
    emit("rooms");
    return message;
  }

  function people(id, ...names) {
    const of = state.rooms.get(id);
    of.people = new Map(names.map((one) => typeof one === "string" ? { id: one === "alice" ? ME.id : `u-${one}`, name: one, role: "user" } : one).map((one) => [one.id, one]));
    of.count = of.people.size;
    emit("people", id);
  }

  function phase(name, more = {}) {
    Object.assign(state, { phase: name, retryAt: null, reason: null }, more);
    emit("phase");
  }

  function act(id, message, changes) {
    Object.assign(message, changes);
    emit("messages", id);
  }

  const find = (id, seq) => state.rooms.get(id)?.messages.find((one) => one.seq === seq);

  function populate() {
    const then = new Date();
    then.setHours(-15, 0, 0, 0);
    const at = (days, minutes) => then.getTime() + days * DAY + minutes * 60_000;
    room("ngs", "NGS", { persistent: true });
    room("rna", "RNA-Seq", { persistent: true });
    room("annotation", "Genome Annotation", { persistent: true, joined: false });
    room("course", "Course in Freiburg", { kind: "unlisted", owner: ME.id });
    room("dm-bob", "bob", { kind: "dm", peer: { id: "u-bob", name: "bob" } });
    put("ngs", "bob", "Good morning! Has anybody trimmed reads with **fastp** on the new queue?", { ts: at(-1, 2) });
    put("ngs", "eve", "Yes, went fine. About `4 GB` of memory.", { ts: at(-1, 4) });
    put("ngs", "eve", "Here is the history: https://galaxy.example.org/u/eve/h/trimming", { ts: at(-1, 5) });
    put("ngs", "alice", "Thanks, that helps!", { ts: at(-1, 9) });
    put("ngs", "bob", "```bash\nfastp -i in.fq.gz -o out.fq.gz --thread 4 --qualified_quality_phred 20 --length_required 36\n```", { ts: at(0, 1) });
    put("ngs", "carol", "@alice do you have the numbers?", { ts: at(0, 3), mentions: [ME.id], reply: 4 });
    put("ngs", "alice", "Will look them up.", { ts: at(0, 4), reply: 6 });
    put("ngs", "mallory", "Buy cheap reads!", { ts: at(0, 5), text: "", deleted: true, by: "carol", reason: "advertising" });
    put("ngs", "bob", "A list:\n- one\n- two\n\n> and a quote", { ts: at(0, 6), edited: at(0, 7) });
    for (const one of ["rna", "course", "dm-bob"]) put(one, "bob", `Hello in ${one}`, { ts: at(-3, 0) });
    for (const one of state.rooms.values()) one.read = one.last;
    people("ngs", "alice", "bob", "eve", { id: "u-carol", name: "carol", role: "moderator" });
    people("course", "alice", "bob");
  }

  const client = {
    state,
    subscribe(listener) { listeners.add(listener); return () => listeners.delete(listener); },
    start() {
      if (!state.rooms.size && !wanted.empty) populate();
      state.me = wanted.phase === "loggedout" ? null : { ...ME, role: wanted.role ?? "user" };
      count();
      phase(wanted.phase ?? "online", wanted.state);
      emit("rooms");
    },
    stop() {},
    refresh() { calls.push(["refresh"]); },
    serverNow: () => Date.now(),
    async optIn() { await done("optIn"); phase("online"); },
    async optOut() { await done("optOut"); phase("optin"); },
    async goOnline() { await done("goOnline"); phase("online"); },
    async goOffline() { await done("goOffline"); phase("offline"); },
    async open(id) { await done("open", id); state.current = id; const of = state.rooms.get(id); if (of) of.joined = true; emit("room", id); emit("rooms"); return id; },
    close() { state.current = null; emit("rooms"); },
    async send(id, text, reply = null) {
      calls.push(["send", id, text, reply]);
      const of = state.rooms.get(id);
      const cid = `c${calls.length}`;
      const waiting = { cid, text, reply, status: "sending", code: null, message: null };
      of.pending.push(waiting);
      emit("pending", id);
      if (fake.hold) return;
      await Promise.resolve();
      if (refuse?.[0] === "send") {
        Object.assign(waiting, { status: "failed", code: refuse[1], message: "", retry_ms: refuse[2] });
        refuse = null;
        emit("pending", id);
        throw refusal(waiting.code, "", waiting.retry_ms);
      }
      of.pending = of.pending.filter((one) => one !== waiting);
      hear(id, "alice", text, { reply });
      emit("pending", id);
    },
    async retry(cid) {
      for (const of of state.rooms.values()) {
        const waiting = of.pending.find((one) => one.cid === cid);
        if (waiting) { of.pending = of.pending.filter((one) => one !== waiting); await client.send(of.id, waiting.text, waiting.reply); }
      }
    },
    discard(cid) { for (const of of state.rooms.values()) { of.pending = of.pending.filter((one) => one.cid !== cid); emit("pending", of.id); } },
    async edit(id, ref, text) { await done("edit", id, ref, text); act(id, find(id, ref), { text, edited: Date.now() }); },
    async remove(id, ref, reason) { await done("remove", id, ref, reason); act(id, find(id, ref), { text: "", deleted: true, by: ME.name, reason }); },
    async older(id) {
      await done("older", id);
      const of = state.rooms.get(id);
      of.messages.unshift(...of.stored.splice(-50));
      of.complete = !of.stored.length;
      emit("messages", id);
    },
    async newer(id) { await done("newer", id); },
    async latest(id) { await done("latest", id); state.rooms.get(id).atEnd = true; emit("messages", id); },
    async around(id, seq) { await done("around", id, seq); while (!find(id, seq) && state.rooms.get(id).stored.length) await client.older(id); },
    message: find,
    async join(id) {
      await done("join", id);
      if (!state.rooms.has(id)) room(id, `Room ${id}`, { kind: "unlisted" });
      state.rooms.get(id).joined = true;
      emit("rooms");
      return id;
    },
    async leave(id) { await done("leave", id); state.rooms.delete(id); if (state.current === id) state.current = null; emit("rooms"); },
    async create({ kind, name, user }) {
      await done("create", { kind, name, user });
      const id = kind === "dm" ? `dm-${user.slice(2)}` : `made-${name}`;
      if (!state.rooms.has(id)) room(id, kind === "dm" ? user.slice(2) : name, { kind, peer: kind === "dm" ? { id: user, name: user.slice(2) } : null });
      emit("rooms");
      return id;
    },
    markRead(id) {
      const of = state.rooms.get(id);
      if (of.read === of.last) return;
      Object.assign(of, { read: of.last, unread: 0, mentions: 0 });
      count();
      emit("rooms");
    },
    typing(id) { calls.push(["typing", id]); },
    async moderate(given) { await done("moderate", given); },
    async report(id, ref, reason) { await done("report", id, ref, reason); },
    async search(text, { room: id, before } = {}) {
      await done("search", text, id ?? null, before ?? null);
      const messages = [...state.rooms.values()].filter((one) => !id || one.id === id).flatMap((one) => one.messages).filter((one) => one.text.toLowerCase().includes(text.toLowerCase()));
      return { messages, next: null };
    },
    async publicRooms(text = "") {
      await done("publicRooms", text);
      return [...state.rooms.values(), { id: "metagenomics", name: "Metagenomics", kind: "public" }].filter((one) => one.kind === "public" && one.name.toLowerCase().includes(text.toLowerCase()));
    },
    async people(text = "", id = null) {
      await done("people", text, id);
      return ["alice", "bob", "carol", "eve"].filter((name) => name.startsWith(text.toLowerCase())).map((name) => ({ id: name === "alice" ? ME.id : `u-${name}`, name, role: name === "carol" ? "moderator" : "user" }));
    },
    async setPrefs(prefs) { await done("setPrefs", prefs); Object.assign(state.prefs, prefs); emit("phase"); },
    setDraft(id, text) { state.rooms.get(id).draft = text; },
    canWrite(id) {
      const of = state.rooms.get(id);
      if (!["online", "connecting"].includes(state.phase)) return "offline";
      if (!of.joined) return "notjoined";
      if (of.muted_until > Date.now()) return "muted";
      return of.locked && state.me.role === "user" ? "locked" : "";
    },
    mayEdit: (id, message) => message.mine && !message.deleted && Date.now() - message.ts < state.limits.edit_ms,
  };
  const fake = { base, state, emit, room, put, hear, people, phase, act, count, calls, hold: false, refuse: (...given) => { refuse = given; } };
  globalThis.fake = fake;
  return client;
}
