// One room as a client has it: a window of its events without a hole, numbers from..to. Pure: no
// clock, no network; what it is told is what the server has sent.

export const MOST_AHEAD = 500;
export const MOST_KEPT = 200;

const AS_THEY_ARE = [
  "name", "kind", "persistent", "joined", "locked", "slow", "owner", "peer", "muted_until",
];
const DEFAULTS = {
  persistent: false, joined: false, locked: false, slow: 0, owner: null, peer: null, muted_until: 0,
};

export class Room {
  constructor(state, me) {
    this.id = state.id;
    this.me = me;
    this.people = new Map();
    this.count = 0;
    this.typing = [];
    this.pending = [];
    this.draft = "";
    this.loading = false;
    this.read = 0;
    this.last = 0;
    this.update(state);
    this.restart(this.last);
  }

  // Take over a RoomState, which is newer than all that was known.
  update(state) {
    for (const name of AS_THEY_ARE) this[name] = state[name] ?? DEFAULTS[name];
    this.last = Math.max(this.last, state.last ?? 0);
    this.read = Math.max(this.read, state.read ?? 0);
    this.unread = state.unread ?? 0;
    this.mentions = state.mentions ?? 0;
    // Up to here the state and the counts know everything.
    this.known = this.last;
  }

  // An empty window after event `to`, with nothing missing after it.
  restart(to) {
    // What was asked for before this is not for this window.
    this.era = (this.era ?? 0) + 1;
    this.from = to + 1;
    this.to = to;
    this.mark = Math.max(this.mark ?? 0, to);
    this.messages = [];
    this.notices = [];
    this.complete = to === 0;
    this.detached = false;
    this.lagging = 0;
    this.ahead = new Map();
    this.seqs = new Map();
    this.amendments ??= new Map();
  }

  // Whether new events go into the window, and none is missing before them.
  get atEnd() {
    return !this.detached && !this.gap;
  }

  // Events are missing between the window and what has come since.
  get gap() {
    return this.ahead.size > 0 || this.lagging > this.to;
  }

  message(seq) {
    return this.seqs.get(seq);
  }

  // For another tab; a structured clone of it is what `revived` takes.
  dumped() {
    const { pending, typing, loading, draft, ...rest } = this;
    return rest;
  }

  static revived(dump) {
    const room = Object.assign(new Room({ id: dump.id }, dump.me), dump);
    if (room.detached) room.restart(room.mark);
    return room;
  }

  // Joined just now: what happened before was not heard.
  joinedAt(last) {
    if (this.messages.length) this.skipped(last);
    else this.restart(Math.max(last, this.mark));
  }

  // A live event. Returns whether it was news.
  heard(event) {
    if (event.seq <= this.mark) return false;
    this.mark = event.seq;
    this.last = Math.max(this.last, event.seq);
    if (event.seq > this.known) this.#count(event);
    if (!this.detached && event.seq === this.to + 1) this.#append(event);
    else if (this.detached) this.#amend(event);
    else this.ahead.set(event.seq, event);
    this.#remember(event);
    if (this.ahead.size > MOST_AHEAD) {
      this.ahead.clear();
      this.lagging = this.mark;
    }
    return true;
  }

  // Events `to` the number will not be sent.
  skipped(to) {
    this.mark = Math.max(this.mark, to);
    this.last = Math.max(this.last, to);
    if (!this.detached) this.lagging = Math.max(this.lagging, to);
  }

  // Pages of history: what comes before the window, after it, or instead of it. `more`: there
  // is more in that direction.
  before(events, more) {
    for (const event of [...events].reverse()) {
      if (event.seq >= this.from) continue;
      this.#put(event, true);
      this.from = event.seq;
    }
    for (const event of events) this.#amend(event);
    this.complete = !more || this.from <= 1;
  }

  after(events, more) {
    for (const event of events) if (event.seq > this.to) this.#append(event);
    if (!more) {
      this.detached = false;
      // Nothing there: what is missing was forgotten.
      if (!events.length) this.to = Math.max(this.to, Math.min(...this.ahead.keys(), this.mark + 1) - 1);
    }
    this.#settle();
  }

  instead(events, { more, atEnd }) {
    const { ahead, complete } = this;
    this.restart((events[0]?.seq ?? this.mark + 1) - 1);
    for (const event of events) this.#append(event);
    this.complete = events.length ? !more || this.from <= 1 : atEnd || complete;
    this.detached = !atEnd;
    if (atEnd) this.ahead = ahead;
    this.#settle();
  }

  // Keep little of a room that is not shown.
  trim() {
    if (!this.atEnd) {
      this.restart(this.mark);
      return;
    }
    const more = this.messages.length - MOST_KEPT;
    if (more <= 0) return;
    for (const one of this.messages.splice(0, more)) this.seqs.delete(one.seq);
    this.from = this.messages[0].seq;
    this.notices = this.notices.filter((one) => one.seq >= this.from);
    this.complete = false;
  }

  // The server's word on what is unread, or its own where all of it is here.
  marked(read, unread, mentions) {
    this.read = Math.max(this.read, read);
    if (this.from <= this.read + 1 && this.atEnd) {
      const others = this.messages.filter((m) => m.seq > this.read && !m.mine && !m.deleted);
      this.unread = others.length;
      this.mentions = others.filter((m) => m.mentionsMe).length;
    } else if (read >= this.read) {
      this.unread = unread;
      this.mentions = mentions;
    }
    this.known = Math.max(this.known, this.last);
  }

  #count(event) {
    this.known = event.seq;
    if (event.t === "msg" && event.user !== this.me && !event.deleted && event.seq > this.read) {
      this.unread += 1;
      if (speaksTo(event, this.me)) this.mentions += 1;
    }
    if (event.t === "mod") this.#obey(event);
  }

  #obey(event) {
    if (event.act === "lock") this.locked = true;
    else if (event.act === "unlock") this.locked = false;
    else if (event.act === "slow") this.slow = event.seconds ?? 0;
    else if (event.user !== this.me) return;
    else if (event.act === "mute") this.muted_until = event.until ?? Number.MAX_SAFE_INTEGER;
    else if (event.act === "unmute") this.muted_until = 0;
  }

  #append(event) {
    this.to = event.seq;
    this.mark = Math.max(this.mark, event.seq);
    this.last = Math.max(this.last, event.seq);
    this.#put(event, false);
    this.#amend(event);
  }

  // After a page: take in what has come live in the meantime.
  #settle() {
    for (let next; (next = this.ahead.get(this.to + 1)); ) this.#append(next);
    for (const seq of this.ahead.keys()) if (seq <= this.to) this.ahead.delete(seq);
    if (this.lagging <= this.to) this.lagging = 0;
    if (!this.detached && !this.ahead.size && this.mark > this.to) this.lagging = this.mark;
  }

  #put(event, first) {
    if (event.t === "msg") {
      const message = messageOf(event, this.me);
      message.asOf = Math.max(this.last, event.seq);
      this.seqs.set(message.seq, message);
      if (first) this.messages.unshift(message);
      else this.messages.push(message);
      for (const one of this.amendments.get(message.seq) ?? []) this.#amend(one);
    } else if (event.t === "mod") {
      const { t, room, ...notice } = event;
      if (first) this.notices.unshift({ kind: "mod", ...notice });
      else this.notices.push({ kind: "mod", ...notice });
    }
  }

  // A page of history may be older than a change that was heard while it was on its way.
  #remember(event) {
    if (event.ref === undefined || event.ref === null) return;
    const others = this.amendments.get(event.ref) ?? [];
    this.amendments.delete(event.ref);
    this.amendments.set(event.ref, [...others.filter((one) => one.t !== event.t), event]);
    if (this.amendments.size > MOST_AHEAD) {
      this.amendments.delete(this.amendments.keys().next().value);
    }
  }

  // Messages of a page come as they are now; what has changed them comes after them, again.
  #amend(event) {
    const message = this.seqs.get(event.ref);
    if (!message || event.t === "msg") return;
    if (event.t === "edit") {
      const newer =
        event.seq > (message.editSeq ?? message.asOf) ||
        (!message.editSeq && event.ts > (message.edited ?? 0));
      if (message.deleted || !newer) return;
      message.text = event.text;
      message.edited = event.ts;
      message.editSeq = event.seq;
      message.mentions = event.mentions ?? [];
      message.mentionsMe = speaksTo(event, this.me);
    } else if (event.t === "del" || event.act === "del") {
      message.text = "";
      message.deleted = true;
      message.mentions = [];
      message.mentionsMe = false;
      message.by = (event.t === "del" ? event.name : event.by_name) ?? null;
      message.reason = event.reason ?? null;
    }
  }
}

export function speaksTo(event, me) {
  return Boolean(event.mentions?.some((one) => one === me || one === "room")) && event.user !== me;
}

export function messageOf(event, me) {
  return {
    room: event.room,
    seq: event.seq,
    ts: event.ts,
    user: event.user,
    name: event.name,
    text: event.text ?? "",
    mentions: event.mentions ?? [],
    mentionsMe: speaksTo(event, me),
    reply: event.reply ?? null,
    edited: event.edited ?? null,
    deleted: event.deleted ?? false,
    impersonated: event.impersonated ?? false,
    mine: event.user === me,
    by: null,
    reason: null,
  };
}
