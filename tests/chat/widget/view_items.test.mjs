// What the log shows, and the other decisions of the view that need no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as view from "../../../giestack/chat/widget/view/items.js";

const NOON = new Date(2026, 10, 21, 12).getTime();
const MINUTE = 60_000;
const said = (seq, user, minutes, more = {}) => ({ seq, user, name: user, ts: NOON + minutes * MINUTE, text: `${seq}`, mine: user === "me", reply: null, ...more });
const kinds = (lines) => lines.map((line) => line.kind);
const heads = (lines) => lines.filter((line) => line.kind === "message").map((line) => line.head);

test("each day has a line", () => {
  const lines = view.items({ messages: [said(1, "bob", 0), said(2, "bob", 24 * 60)] });
  assert.deepEqual(kinds(lines), ["day", "message", "day", "message"]);
  assert.deepEqual(heads(lines), [true, true]);
});

test("one author is named once, until others speak, time passes or it is an answer", () => {
  const messages = [said(1, "bob", 0), said(2, "bob", 1), said(3, "eve", 2), said(4, "bob", 3), said(5, "bob", 20), said(6, "bob", 21, { reply: 1 })];
  assert.deepEqual(heads(view.items({ messages })), [true, false, true, true, true, true]);
});

test("what is new is below a line; one's own messages are not new", () => {
  const messages = [said(1, "bob", 0), said(2, "me", 1), said(3, "bob", 2), said(4, "bob", 3)];
  assert.deepEqual(kinds(view.items({ messages, since: 1 })), ["day", "message", "message", "new", "message", "message"]);
  assert.ok(!kinds(view.items({ messages, since: 4 })).includes("new"));
  assert.ok(!kinds(view.items({ messages })).includes("new"));
});

test("acts of moderators stand where their number says", () => {
  const notices = [{ seq: 2, ts: NOON + MINUTE, kind: "mod", act: "lock" }];
  const lines = view.items({ messages: [said(1, "bob", 0), said(3, "bob", 2)], notices });
  assert.deepEqual(kinds(lines), ["day", "message", "notice", "message"]);
  assert.deepEqual(heads(lines), [true, true]);
});

test("notes on who came stand where their time says, and none before the first message", () => {
  const notes = [{ key: 1, ts: NOON - MINUTE, join: ["x"], leave: [] }, { key: 2, ts: NOON + MINUTE, join: ["eve"], leave: [] }, { key: 3, ts: NOON + 9 * MINUTE, join: [], leave: ["eve"] }];
  const lines = view.items({ messages: [said(1, "bob", 0), said(2, "bob", 2)], notes });
  assert.deepEqual(lines.map((line) => line.key), ["d2026-11-21", "m1", "p2", "m2", "p3"]);
});

test("a cleared view shows what came later", () => {
  const messages = [said(1, "bob", 0), said(2, "bob", 1), said(3, "bob", 2)];
  assert.deepEqual(view.items({ messages, cleared: 2 }).map((line) => line.key), ["d2026-11-21", "m3"]);
  assert.deepEqual(view.items({ messages, cleared: 3 }), []);
});

test("the order of numbers holds where clocks differ", () => {
  const lines = view.items({ messages: [said(1, "bob", 5), said(2, "eve", 0)] });
  assert.deepEqual(lines.filter((line) => line.kind === "message").map((line) => line.seq), [1, 2]);
});

test("who comes together is one note, and who only blinked is in none", () => {
  let notes = view.noted([], ["bob"], [], NOON, 0);
  notes = view.noted(notes, ["eve"], [], NOON + 1000, 0);
  assert.deepEqual(notes.map(({ join, leave }) => ({ join, leave })), [{ join: ["bob", "eve"], leave: [] }]);
  notes = view.noted(notes, [], ["bob"], NOON + 2000, 0);
  assert.deepEqual(notes.map(({ join }) => join), [["eve"]]);
  assert.deepEqual(view.noted(notes, [], ["eve"], NOON + 3000, 0), []);
});

test("a message between them makes it two notes", () => {
  const notes = view.noted(view.noted([], ["bob"], [], NOON, 0), ["eve"], [], NOON + 2000, NOON + 1000);
  assert.deepEqual(notes.map(({ join }) => join), [["bob"], ["eve"]]);
  assert.notEqual(notes[0].key, notes[1].key);
});

test("nobody came: nothing changes", () => {
  const notes = [];
  assert.equal(view.noted(notes, [], [], NOON, 0), notes);
});

test("notes are not kept for ever", () => {
  let notes = [];
  for (let i = 0; i < 80; i += 1) notes = view.noted(notes, [`u${i}`], [], NOON + i, NOON + i);
  assert.ok(notes.length <= 50);
});

test("a mention begins with @ at the beginning of a word, at the caret", () => {
  assert.deepEqual(view.mentionAt("hello @bo", 9), { start: 6, text: "bo" });
  assert.deepEqual(view.mentionAt("@", 1), { start: 0, text: "" });
  assert.deepEqual(view.mentionAt("(@ève", 5), { start: 1, text: "ève" });
  assert.equal(view.mentionAt("mail bob@example", 16), null);
  assert.equal(view.mentionAt("@bob there", 10), null);
  assert.deepEqual(view.mentionAt("@bob there", 4), { start: 0, text: "bob" });
});

test("a person has one colour of eight", () => {
  const found = new Set();
  for (let i = 0; i < 200; i += 1) found.add(view.hue(`user-${i}`));
  assert.deepEqual([...found].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(view.hue("bob"), view.hue("bob"));
});

test("signs are counted as the server counts them", () => {
  assert.equal(view.length("a🧬b"), 3);
});

test("an excerpt is one line, cut between signs", () => {
  assert.equal(view.excerpt(" a\n b "), "a b");
  assert.equal(view.excerpt("🧬".repeat(10), 4), "🧬🧬🧬…");
});

test("a badge has no more than three signs", () => {
  assert.equal(view.badge(99), "99");
  assert.equal(view.badge(1000), "99+");
});

test("a link names a room and perhaps a message", () => {
  assert.deepEqual(view.placeIn("#room=a%26b&message=7"), { room: "a&b", message: 7 });
  assert.deepEqual(view.placeIn("#room=x&message=-1"), { room: "x", message: null });
  assert.deepEqual(view.placeIn("#room=x&message=1e99"), { room: "x", message: null });
  assert.deepEqual(view.placeIn(""), { room: null, message: null });
});

test("rooms of the site come first as they are, one's own by name, people last", () => {
  const room = (name, more = {}) => ({ name, kind: "public", persistent: false, ...more });
  const { fixed, own, dm } = view.grouped([room("z", { persistent: true }), room("a", { persistent: true }), room("y"), room("b", { kind: "unlisted" }), room("bob", { kind: "dm" })]);
  assert.deepEqual([fixed, own, dm].map((some) => some.map((one) => one.name)), [["z", "a"], ["b", "y"], ["bob"]]);
});
