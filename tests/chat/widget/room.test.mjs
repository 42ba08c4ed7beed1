// One room's window of events, by itself.

import assert from "node:assert/strict";
import test from "node:test";

import { Model } from "../../../giestack/chat/widget/engine/model.js";
import { MOST_AHEAD, Room } from "../../../giestack/chat/widget/engine/room.js";

const state = (more = {}) => ({ id: "r", name: "R", kind: "public", joined: true, ...more });
const msg = (seq, more = {}) => ({ t: "msg", room: "r", seq, ts: seq * 10, user: "bob", name: "Bob", text: `m${seq}`, ...more });
const edit = (seq, ref, more = {}) => ({ t: "edit", room: "r", seq, ts: seq * 10, user: "bob", name: "Bob", ref, text: `e${seq}`, ...more });
const room = (more) => new Room(state(more), "me");
const texts = (one) => one.messages.map((message) => message.text);
const page = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => msg(from + i));

test("an event is heard once", () => {
  const one = room();
  assert.equal(one.heard(msg(1)), true);
  assert.equal(one.heard(msg(1)), false);
  one.heard(msg(3));
  assert.equal(one.heard(msg(3)), false);
  assert.equal(one.heard(msg(2)), false);
  assert.equal(one.gap, true);
});

test("what the server has counted is not counted again", () => {
  const one = room({ last: 5, unread: 2 });
  one.mark = 0;
  one.restart(3);
  one.heard(msg(4));
  one.heard(msg(5));
  assert.equal(one.unread, 2);
  one.heard(msg(6));
  assert.equal(one.unread, 3);
});

test("a lock of yesterday does not lock today", () => {
  const one = room({ last: 5 });
  one.mark = 0;
  one.restart(3);
  one.heard({ t: "mod", room: "r", seq: 4, ts: 1, act: "lock", by: "e", by_name: "E" });
  assert.equal(one.locked, false);
  one.heard(msg(5));
  one.heard({ t: "mod", room: "r", seq: 6, ts: 1, act: "lock", by: "e", by_name: "E" });
  assert.equal(one.locked, true);
  one.heard({ t: "mod", room: "r", seq: 7, ts: 1, act: "unlock", by: "e", by_name: "E" });
  one.heard({ t: "mod", room: "r", seq: 8, ts: 1, act: "mute", user: "bob", by: "e", by_name: "E" });
  assert.deepEqual([one.locked, one.muted_until], [false, 0]);
  one.heard({ t: "mod", room: "r", seq: 9, ts: 1, act: "mute", user: "me", by: "e", by_name: "E" });
  assert.equal(one.muted_until, Number.MAX_SAFE_INTEGER);
});

test("a gap that is filled is none, and the next one is another", () => {
  const one = room();
  one.skipped(10);
  assert.equal(one.gap, true);
  one.after(page(1, 10), false);
  assert.deepEqual([one.gap, one.atEnd, one.to], [false, true, 10]);
  one.heard(msg(11));
  assert.deepEqual([one.to, one.lagging], [11, 0]);
});

test("what came while a page was on its way is missing, not forgotten", () => {
  const one = room({ last: 100 });
  one.instead(page(40, 60), { more: true, atEnd: false });
  one.heard(msg(101));
  one.after(page(61, 100), false);
  assert.deepEqual([one.to, one.gap], [100, true]);
  one.after([msg(101)], false);
  assert.deepEqual([one.to, one.gap], [101, false]);
});

test("far too much ahead is let go, and known to be missing", () => {
  const one = room();
  for (let seq = 2; seq <= MOST_AHEAD + 3; seq++) one.heard(msg(seq));
  assert.ok(one.ahead.size < 5);
  assert.equal(one.gap, true);
  one.instead(page(480, MOST_AHEAD + 3), { more: true, atEnd: true });
  assert.equal(one.gap, false);
});

test("edits: the latest counts, whichever way they come", () => {
  const one = room();
  one.heard(msg(1));
  one.heard(edit(2, 1));
  one.heard(edit(3, 1, { ts: 5 }));
  assert.equal(one.message(1).text, "e3");
  // A page has messages as they are now, and the edits that made them so.
  const other = room({ last: 9 });
  other.instead([msg(1, { text: "e3", edited: 30 }), edit(2, 1), edit(3, 1)], { more: false, atEnd: true });
  assert.equal(other.message(1).text, "e3");
  assert.equal(other.message(1).edited, 30);
  const late = room();
  late.instead([msg(1, { text: "e7", edited: 70 })], { more: false, atEnd: false });
  late.before([], false);
  late.heard(edit(8, 1));
  assert.equal(late.message(1).text, "e8");
});

test("deleted stays deleted", () => {
  const one = room();
  one.heard(msg(1, { mentions: ["me"] }));
  one.heard({ t: "mod", room: "r", seq: 2, ts: 1, act: "del", ref: 1, by: "e", by_name: "Eve", reason: "x" });
  one.heard(edit(3, 1));
  const { text, deleted, by, reason, mentionsMe } = one.message(1);
  assert.deepEqual([text, deleted, by, reason, mentionsMe], ["", true, "Eve", "x", false]);
});

test("read here: counted from what is here", () => {
  const one = room();
  for (let seq = 1; seq <= 4; seq++) one.heard(msg(seq, { mentions: seq === 4 ? ["room"] : [] }));
  one.heard(msg(5, { user: "me" }));
  one.marked(2, 99, 99);
  assert.deepEqual([one.read, one.unread, one.mentions], [2, 2, 1]);
  one.marked(1, 50, 50);
  assert.deepEqual([one.read, one.unread, one.mentions], [2, 2, 1]);
  const far = room({ last: 100, read: 10, unread: 90 });
  far.marked(20, 80, 3);
  assert.deepEqual([far.read, far.unread, far.mentions], [20, 80, 3]);
});

test("a room that is not shown keeps little", () => {
  const one = room();
  for (let seq = 1; seq <= 300; seq++) one.heard(msg(seq));
  one.trim();
  assert.deepEqual([one.messages.length, one.from, one.complete, one.message(100)], [200, 101, false, undefined]);
  one.instead(page(10, 20), { more: true, atEnd: false });
  one.trim();
  assert.deepEqual([one.messages.length, one.to, one.atEnd], [0, 300, true]);
});

test("a copy for another tab follows the end", () => {
  const one = room({ last: 100 });
  one.instead(page(10, 20), { more: true, atEnd: false });
  const copy = Room.revived(structuredClone(one.dumped()));
  copy.heard(msg(101));
  assert.deepEqual([texts(copy), copy.atEnd], [["m101"], true]);
  one.instead(page(90, 100), { more: true, atEnd: true });
  const second = Room.revived(structuredClone(one.dumped()));
  second.heard(edit(101, 95));
  assert.equal(second.message(95).text, "e101");
  assert.equal(second.messages.find((message) => message.seq === 95).text, "e101");
});

test("joined after a look from outside: what was not heard is fetched", () => {
  const model = new Model();
  const hello = { t: "hello", user: { id: "me", name: "a" }, now: 0, epoch: "e", rooms: [state({ joined: false, last: 5 })] };
  model.apply(hello);
  const one = model.rooms.get("r");
  one.instead(page(1, 5), { more: false, atEnd: true });
  model.apply({ t: "room", room: state({ last: 9 }) });
  assert.equal(one.gap, true);
  model.apply({ t: "room", room: state({ last: 9 }) });
  assert.deepEqual(model.marks(), { r: 9 });
});

test("a page for a window that is gone changes nothing", async () => {
  const { createHistory } = await import("../../../giestack/chat/widget/engine/history.js");
  const waiting = [];
  const ask = (frame) => new Promise((resolve) => waiting.push({ frame, resolve }));
  const history = createHistory(ask, () => {});
  const one = room({ last: 100 });
  one.instead(page(90, 100), { more: true, atEnd: true });
  const older = history.older(one);
  one.instead(page(10, 20), { more: true, atEnd: false });
  waiting[0].resolve({ events: page(40, 89), more: true });
  await older;
  assert.deepEqual([one.from, one.to, one.loading], [10, 20, false]);
});

test("a page that does not come leaves no trace", async () => {
  const { createHistory } = await import("../../../giestack/chat/widget/engine/history.js");
  const history = createHistory(async () => Promise.reject(new Error("no")), () => {});
  const one = room({ last: 100 });
  await assert.rejects(history.latest(one));
  assert.equal(one.loading, false);
  await assert.rejects(history.latest(one));
});
