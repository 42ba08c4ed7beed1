// All rooms, as the server's frames tell of them. Pure; every tab has one and hears the same.

import { Room, messageOf, speaksTo } from "./room.js";

const EVENTS = new Set(["msg", "edit", "del", "mod"]);

export class Model {
  rooms = new Map();
  me = null;
  epoch = null;
  limits = null;
  prefs = { opt_in: false, online: false, do_not_disturb: false };
  impersonated = false;
  clockOffset = 0;

  get unread() {
    return sum(this.rooms, (room) => room.unread);
  }

  get mentions() {
    return sum(this.rooms, (room) => room.mentions);
  }

  // The last event that is known of each room one is in.
  marks() {
    const joined = [...this.rooms.values()].filter((room) => room.joined);
    return Object.fromEntries(joined.map((room) => [room.id, room.mark]));
  }

  dumped() {
    const { rooms, ...rest } = this;
    return { ...rest, rooms: [...rooms.values()].map((room) => room.dumped()) };
  }

  revive(dump) {
    const { rooms, ...rest } = dump;
    Object.assign(this, rest);
    this.rooms = new Map(rooms.map((one) => [one.id, Room.revived(one)]));
  }

  // Take in any frame but an answer; returns what has changed: [kind, room id, detail] each.
  // `kept`: the marks of an earlier page, {user, epoch, rooms}.
  apply(frame, { now = 0, kept = null } = {}) {
    if (frame.t === "hello") return this.#hello(frame, now, kept);
    if (frame.t === "prefs") {
      this.prefs = choices(frame.prefs);
      return [["phase"]];
    }
    if (frame.t === "room") return this.#room(frame);
    const room = this.rooms.get(frame.room);
    if (!room) return [];
    if (EVENTS.has(frame.t)) return this.#event(room, frame);
    if (frame.t === "gap") {
      room.skipped(frame.to);
      return [["room", room.id]];
    }
    if (frame.t === "presence") return this.#presence(room, frame);
    if (frame.t === "read") return this.read(room, frame.seq, frame.unread, frame.mentions);
    if (frame.t === "typing") return this.#typing(room, frame);
    if (frame.t === "report") return [["report", room.id, frame]];
    return [];
  }

  read(room, seq, unread, mentions) {
    room.marked(seq, unread ?? 0, mentions ?? 0);
    return [["rooms"], ["room", room.id]];
  }

  quiet(roomId, user) {
    const room = this.rooms.get(roomId);
    if (!room?.typing.some((one) => one.user === user)) return [];
    room.typing = room.typing.filter((one) => one.user !== user);
    return [["typing", roomId]];
  }

  #hello(frame, now, kept) {
    const same = this.epoch === frame.epoch && this.me?.id === frame.user.id;
    const old = same ? this.rooms : new Map();
    const marks =
      !same && kept?.epoch === frame.epoch && kept?.user === frame.user.id ? kept.rooms : {};
    this.me = { role: "user", ...frame.user };
    this.epoch = frame.epoch;
    this.limits = frame.limits;
    this.prefs = choices(frame.prefs);
    this.impersonated = frame.impersonated ?? false;
    this.clockOffset = frame.now - now;
    this.rooms = new Map();
    for (const state of frame.rooms) {
      this.rooms.set(state.id, this.#known(old.get(state.id), state, marks[state.id]));
    }
    return [["phase"], ["rooms"], ...frame.rooms.map((one) => ["room", one.id])];
  }

  #known(old, state, mark) {
    const last = state.last ?? 0;
    // Numbers never go back: this is another log by the same name.
    if (old && old.mark <= last) {
      const fresh = state.joined && !old.joined;
      old.update(state);
      if (fresh || !state.joined) old.joinedAt(last);
      old.stale = true;
      return old;
    }
    const room = new Room(state, this.me.id);
    if (state.joined && mark < last) {
      room.mark = 0;
      room.restart(mark);
    }
    return room;
  }

  #room({ room: state, gone }) {
    // The site's own rooms stay on the list, for coming back.
    if (gone && !state.persistent) {
      this.rooms.delete(state.id);
      return [["rooms"], ["room", state.id]];
    }
    const room = this.rooms.get(state.id);
    if (!room) this.rooms.set(state.id, new Room(state, this.me.id));
    else {
      const fresh = state.joined && !room.joined;
      room.update(state);
      if (fresh) room.joinedAt(state.last ?? 0);
    }
    return [["rooms"], ["room", state.id]];
  }

  #event(room, frame) {
    if (!room.heard(frame)) return [];
    const changes = [["messages", room.id], ["rooms"]];
    if (frame.t === "mod") changes.push(["room", room.id]);
    if (frame.t === "msg" || frame.t === "edit") changes.push(...this.quiet(room.id, frame.user));
    if (frame.t !== "msg") return changes;
    if (frame.user !== this.me.id && !frame.deleted && frame.seq > room.read) {
      const message = messageOf(frame, this.me.id);
      const mention = speaksTo(frame, this.me.id);
      changes.push(["notify", room.id, { room: room.id, message, mention, dm: room.kind === "dm" }]);
    }
    return changes;
  }

  #presence(room, frame) {
    if (room.stale) room.people.clear();
    room.stale = false;
    for (const id of frame.leave ?? []) room.people.delete(id);
    for (const one of frame.join ?? []) room.people.set(one.id, { role: "user", ...one });
    room.count = frame.count;
    return [["people", room.id]];
  }

  #typing(room, { user, name }) {
    if (user === this.me.id) return [];
    room.typing = [...room.typing.filter((one) => one.user !== user), { user, name }];
    return [["typing", room.id]];
  }
}

// What is false or nothing is left out on the way.
export function choices(prefs) {
  return { opt_in: false, online: false, do_not_disturb: false, ...prefs };
}

function sum(rooms, of) {
  let all = 0;
  for (const room of rooms.values()) all += of(room);
  return all;
}
