// One tab: phases, resuming, gaps, history, reading, typing.

import assert from "node:assert/strict";
import test from "node:test";

import { createClient } from "../../../giestack/chat/widget/engine/client.js";
import { begin } from "./begin.mjs";
import { settled } from "./fakes.mjs";

test("offline is the first state, until one goes online", async () => {
  const { client, server, state } = begin((one) => (one.prefs.online = false));
  assert.equal(state.phase, "starting");
  await settled();
  assert.equal(state.phase, "offline");
  assert.equal(server.sockets.length, 0);
  await client.goOnline();
  await settled();
  assert.equal(state.phase, "online");
  assert.equal(server.sockets[0].url, "wss://galaxy.example/giestack/chat/ws");
  assert.deepEqual(server.sockets[0].protocols, ["giechat.v1.json"]);
  assert.deepEqual([...state.rooms.keys()], ["r1", "r2"]);
  await client.goOffline();
  await settled();
  assert.equal(state.phase, "offline");
  assert.equal(server.open.length, 0);
});

test("whoami decides the phase", async () => {
  for (const [change, phase] of [
    [(s) => (s.status = 401), "loggedout"],
    [(s) => ((s.optInNeeded = true), (s.prefs.opt_in = false)), "optin"],
    [(s) => (s.bannedUntil = 1_795_280_999_000), "banned"],
    [(s) => (s.status = 404), "disabled"],
    [(s) => (s.status = 502), "unavailable"],
    [(s) => (s.down = true), "unavailable"],
  ]) {
    const { client, state } = begin(change);
    await settled();
    assert.equal(state.phase, phase);
    if (phase === "loggedout") assert.equal(state.login, "https://galaxy.example/login");
    client.stop();
  }
});

test("opting in goes online", async () => {
  const { client, state } = begin((s) => {
    s.optInNeeded = true;
    s.prefs = { opt_in: false, online: false };
  });
  await settled();
  await client.optIn();
  await settled();
  assert.equal(state.phase, "online");
});

test("logged-out pages ask rarely, and when somebody comes back to them", async () => {
  const { clock, server, state, tab } = begin((s) => (s.status = 401));
  await clock.advance(240_000);
  assert.equal(server.asked.length, 1);
  await clock.advance(100_000);
  assert.equal(server.asked.length, 2);
  tab.document.visibilityState = "hidden";
  await clock.advance(3_600_000);
  assert.equal(server.asked.length, 2);
  server.status = 200;
  tab.document.visibilityState = "visible";
  tab.document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(state.phase, "online");
});

test("a refused choice says why", async () => {
  const { client, server, state } = begin();
  await settled();
  server.down = true;
  await assert.rejects(client.setPrefs({ do_not_disturb: true }), { code: "offline" });
  server.down = false;
  await client.setPrefs({ do_not_disturb: true });
  assert.equal(state.prefs.do_not_disturb, true);
});

test("where nobody has to opt in, a choice breaks no connection", async () => {
  const { client, server } = begin((s) => (s.prefs = { online: true, opt_in: false }));
  await settled();
  await client.setPrefs({ do_not_disturb: true });
  server.tell({ t: "prefs", prefs: { online: true } });
  await settled();
  assert.equal(server.sockets.length, 1);
});

test("taking part no longer ends the connection", async () => {
  const { client, server, state } = begin((s) => {
    s.optInNeeded = true;
    s.prefs = { online: true, opt_in: true };
  });
  await settled();
  assert.equal(state.phase, "online");
  await client.optOut();
  await settled();
  assert.deepEqual([state.phase, server.open.length], ["optin", 0]);
});

test("an open room shows its newest, and earlier ones on request", async () => {
  const { client, server, texts, state } = begin((s) => {
    for (let i = 1; i <= 120; i++) s.says("r1", `m${i}`);
  });
  await settled();
  await client.open("r1");
  assert.equal(texts().length, 50);
  assert.equal(texts().at(-1), "m120");
  await Promise.all([client.older("r1"), client.older("r1")]);
  assert.equal(texts()[0], "m21");
  assert.equal(state.rooms.get("r1").complete, false);
  await client.older("r1");
  assert.equal(texts().length, 120);
  assert.equal(state.rooms.get("r1").complete, true);
  const before = server.requests.length;
  await client.older("r1");
  assert.equal(server.requests.length, before);
});

test("live messages, edits and deletions", async () => {
  const { client, server, texts, state } = begin();
  await settled();
  await client.open("r1");
  const first = server.says("r1", "one", { mentions: ["me"] });
  server.says("r1", "two");
  await settled();
  assert.deepEqual(texts(), ["one", "two"]);
  assert.equal(state.unread, 2);
  assert.equal(state.mentions, 1);
  server.event("r1", { t: "edit", ref: first.seq, text: "ONE", user: "bob", name: "Bob" });
  server.event("r1", { t: "del", ref: 2, reason: "spam", user: "eve", name: "Eve" });
  await settled();
  const [one, two] = state.rooms.get("r1").messages;
  assert.equal(one.text, "ONE");
  assert.ok(one.edited);
  assert.deepEqual([two.text, two.deleted, two.by, two.reason], ["", true, "Eve", "spam"]);
});

test("what was missed while the connection was broken comes once, in order", async () => {
  const { client, server, clock, texts } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "1");
  await settled();
  server.open[0].end(1006);
  server.says("r1", "2");
  server.says("r1", "3");
  await clock.advance(2_000);
  server.says("r1", "4");
  await settled();
  assert.deepEqual(texts(), ["1", "2", "3", "4"]);
  assert.deepEqual(server.requests.filter((one) => one.t === "resume")[1].rooms, { r1: 1 });
});

test("events that come twice count once", async () => {
  const { client, server, texts, state } = begin();
  await settled();
  await client.open("r1");
  const event = server.says("r1", "1");
  server.tell(event);
  server.tell(event);
  await settled();
  assert.deepEqual(texts(), ["1"]);
  assert.equal(state.unread, 1);
});

test("a gap is filled when its room is shown", async () => {
  const { client, server, clock, texts, state } = begin((s) => (s.pageLimit = 20));
  await settled();
  server.says("r1", "m1");
  await settled();
  await client.open("r1");
  client.close();
  server.open[0].end(1006);
  for (let i = 2; i <= 150; i++) server.says("r1", `m${i}`);
  await clock.advance(2_000);
  server.says("r1", "m151");
  await settled();
  const room = state.rooms.get("r1");
  assert.equal(room.gap, true);
  await client.open("r1");
  await settled();
  assert.equal(room.gap, false);
  assert.deepEqual(texts(), Array.from({ length: 151 }, (_, i) => `m${i + 1}`));
});

test("after a week the newest is shown, not a week of pages", async () => {
  const { client, server, clock, texts, state } = begin((s) => (s.pageLimit = 20));
  await settled();
  await client.open("r1");
  server.open[0].end(1006);
  for (let i = 1; i <= 1000; i++) server.says("r1", `m${i}`);
  await clock.advance(2_000);
  assert.equal(texts().at(-1), "m1000");
  assert.ok(texts().length <= 60);
  assert.equal(state.rooms.get("r1").atEnd, true);
  server.says("r1", "m1001");
  await settled();
  assert.equal(texts().at(-1), "m1001");
});

test("a live event that was lost on the way is fetched", async () => {
  const { client, server, texts } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "1");
  server.muffled = true;
  server.says("r1", "2");
  server.muffled = false;
  server.says("r1", "3");
  await settled();
  assert.deepEqual(texts(), ["1", "2", "3"]);
});

test("history that was forgotten leaves no hole to wait for", async () => {
  const { client, server, texts, state } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "1");
  server.muffled = true;
  server.says("r1", "2");
  server.muffled = false;
  const { page } = server;
  server.page = function (room, asked) {
    const { events, more } = page.call(this, room, asked);
    return { events: events.filter((e) => e.seq > 2), more };
  };
  server.says("r1", "3");
  await settled();
  assert.deepEqual(texts(), ["1", "3"]);
  assert.equal(state.rooms.get("r1").gap, false);
});

test("around a message far back, on from there, and back to the newest", async () => {
  const { client, server, texts, state } = begin((s) => {
    for (let i = 1; i <= 300; i++) s.says("r1", `m${i}`);
  });
  await settled();
  await client.open("r1");
  await client.around("r1", 100);
  assert.ok(client.message("r1", 100));
  const room = state.rooms.get("r1");
  assert.equal(room.atEnd, false);
  server.says("r1", "new");
  server.event("r1", { t: "edit", ref: 100, text: "changed", user: "bob", name: "Bob" });
  await settled();
  assert.equal(texts().includes("new"), false);
  assert.equal(client.message("r1", 100).text, "changed");
  for (let i = 0; i < 5 && !room.atEnd; i++) await client.newer("r1");
  assert.equal(room.atEnd, true);
  assert.equal(texts().at(-1), "new");
  await client.around("r1", 10);
  assert.equal(room.atEnd, false);
  await client.latest("r1");
  assert.equal(texts().at(-1), "new");
});

test("while one looks at the past, what happens is counted and resumed after", async () => {
  const { client, server, clock, texts, state } = begin((s) => {
    for (let i = 1; i <= 300; i++) s.says("r1", `m${i}`);
  });
  await settled();
  await client.open("r1");
  await client.around("r1", 100);
  server.says("r1", "301");
  await settled();
  server.open[0].end(1006);
  server.says("r1", "302");
  await clock.advance(2_000);
  assert.deepEqual(server.requests.filter((r) => r.t === "resume").at(-1).rooms, { r1: 301 });
  await client.latest("r1");
  assert.deepEqual(texts().slice(-2), ["301", "302"]);
  assert.equal(state.rooms.get("r1").gap, false);
});

test("a page that was read before an edit does not undo it", async () => {
  const { client, server, clock } = begin((s) => {
    for (let i = 1; i <= 80; i++) s.says("r1", `m${i}`);
  });
  await settled();
  await client.open("r1");
  let held;
  const { answer } = server;
  server.answer = function (conn, frame) {
    const found = answer.call(this, conn, frame);
    if (frame.t !== "hist") return found;
    held = () => conn.say(found);
    return null;
  };
  const older = client.older("r1");
  await settled();
  await clock.advance(5);
  server.event("r1", { t: "edit", ref: 10, text: "edited", user: "bob", name: "Bob" });
  server.event("r1", { t: "del", ref: 11, user: "bob", name: "Bob" });
  await settled();
  held();
  await older;
  assert.equal(client.message("r1", 10).text, "edited");
  assert.equal(client.message("r1", 11).deleted, true);
});

test("another epoch: nothing kept counts", async () => {
  const { client, server, clock, texts } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "old");
  await settled();
  server.epoch = "e2";
  server.rooms.get("r1").events = [];
  server.says("r1", "new 1");
  server.open[0].end(1006);
  await clock.advance(2_000);
  assert.deepEqual(texts(), ["new 1"]);
});

test("numbers that go back without another epoch", async () => {
  const { client, server, clock, texts } = begin();
  await settled();
  await client.open("r1");
  for (const text of "abcde") server.says("r1", text);
  await settled();
  server.rooms.get("r1").events.length = 2;
  server.open[0].end(1006);
  await clock.advance(2_000);
  server.says("r1", "f");
  await settled();
  assert.deepEqual(texts(), ["a", "b", "f"]);
});

test("after a reload the tab goes on where it was", async () => {
  const { browser, client, server, tab, clock } = begin();
  await settled();
  server.says("r1", "1");
  await clock.advance(2_000);
  tab.window.dispatchEvent(new Event("pagehide"));
  server.says("r1", "2", { mentions: ["me"] });
  const again = createClient({ ...browser.tab().options, sessionStorage: tab.options.sessionStorage });
  const told = [];
  again.subscribe((kind, room, detail) => kind === "notify" && told.push(detail));
  again.start();
  await settled();
  assert.deepEqual(server.requests.filter((r) => r.t === "resume").at(-1).rooms, { r1: 1 });
  assert.equal(told.length, 1);
  assert.equal(told[0].message.text, "2");
  await again.open("r1");
  assert.deepEqual(again.state.rooms.get("r1").messages.map((one) => one.text), ["1", "2"]);
  assert.equal(client.state.phase, "starting");
});

test("another user's marks are not taken", async () => {
  const { browser, server, tab, clock } = begin();
  await settled();
  server.says("r1", "1");
  await clock.advance(2_000);
  tab.window.dispatchEvent(new Event("pagehide"));
  server.says("r1", "2");
  server.user = { id: "other", name: "carol" };
  const again = createClient({ ...browser.tab().options, sessionStorage: tab.options.sessionStorage });
  again.start();
  await settled();
  assert.deepEqual(server.requests.filter((r) => r.t === "resume").at(-1).rooms, { r1: 2 });
});

test("joining, creating, leaving", async () => {
  const { client, server, state } = begin((s) => {
    s.says("r2", "before");
  });
  await settled();
  await client.open("r2");
  const room = state.rooms.get("r2");
  assert.equal(room.joined, true);
  assert.deepEqual(room.messages.map((m) => m.text), ["before"]);
  server.says("r2", "after");
  await settled();
  assert.deepEqual(room.messages.map((m) => m.text), ["before", "after"]);
  assert.equal(await client.create({ kind: "unlisted", name: "Ours" }), "new");
  assert.equal(state.rooms.get("new").name, "Ours");
  await client.leave("new");
  assert.equal(state.rooms.has("new"), false);
  await client.leave("r1");
  await settled();
  assert.equal(state.rooms.get("r1").joined, false);
  assert.deepEqual([...state.rooms.keys()], ["r1", "r2"]);
  await assert.rejects(client.open("nowhere"), { code: "noroom" });
});

test("a room that is chosen before one can join it is joined then", async () => {
  const { client, state } = begin((s) => s.says("r2", "before"));
  const chosen = [];
  client.subscribe((kind) => {
    if (kind !== "rooms" || state.current || !state.rooms.size) return;
    chosen.push(state.phase);
    client.open("r2");
  });
  await settled();
  assert.deepEqual(chosen, ["connecting"]);
  assert.equal(state.rooms.get("r2").joined, true);
  assert.deepEqual(state.rooms.get("r2").messages.map((one) => one.text), ["before"]);
});

test("a room that somebody else begins is heard from its first word on", async () => {
  const { server, state } = begin();
  await settled();
  server.room("dm", { name: "Bob", kind: "dm" });
  server.tell({ t: "room", room: server.state(server.rooms.get("dm")) });
  server.says("dm", "psst");
  await settled();
  assert.equal(state.rooms.get("dm").unread, 1);
  server.says("dm", "hey");
  server.tell({ t: "room", room: server.state(server.rooms.get("dm")) });
  await settled();
  assert.equal(state.rooms.get("dm").messages.length, 2);
  assert.equal(server.requests.filter((one) => one.t === "resume").length, 2);
});

test("read marks go out only while the room can be seen", async () => {
  const { client, server, clock, state, tab } = begin();
  await settled();
  const reads = () => server.requests.filter((one) => one.t === "read");
  server.says("r1", "1");
  await settled();
  client.markRead("r1");
  assert.equal(reads().length, 0);
  await client.open("r1");
  tab.document.visibilityState = "hidden";
  client.markRead("r1");
  await settled();
  assert.equal(reads().length, 0);
  tab.document.visibilityState = "visible";
  tab.document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.deepEqual(reads().map((one) => one.seq), [1]);
  assert.equal(state.unread, 0);
  for (let i = 0; i < 5; i++) {
    server.says("r1", "x");
    await settled();
    client.markRead("r1");
    assert.equal(state.unread, 0);
  }
  await clock.advance(900);
  assert.equal(reads().length, 1);
  await clock.advance(200);
  assert.deepEqual(reads().map((one) => one.seq), [1, 6]);
  assert.equal(state.unread, 0);
});

test("what was read elsewhere is read here", async () => {
  const { server, state } = begin();
  await settled();
  server.says("r1", "1", { mentions: ["room"] });
  server.says("r1", "2");
  await settled();
  assert.deepEqual([state.unread, state.mentions], [2, 1]);
  server.tell({ t: "read", room: "r1", seq: 1, unread: 1 });
  await settled();
  assert.deepEqual([state.unread, state.mentions], [1, 0]);
});

test("typing: said once in three seconds, forgotten after five", async () => {
  const { client, server, clock, state } = begin();
  await settled();
  for (let i = 0; i < 7; i++) {
    client.typing("r1");
    await clock.advance(500);
  }
  assert.equal(server.requests.filter((one) => one.t === "typing").length, 2);
  const { typing } = state.rooms.get("r1");
  assert.deepEqual(typing, []);
  server.tell({ t: "typing", room: "r1", user: "bob", name: "Bob" });
  server.tell({ t: "typing", room: "r1", user: "me", name: "alice" });
  await clock.advance(4_000);
  server.tell({ t: "typing", room: "r1", user: "bob", name: "Bob" });
  await clock.advance(4_000);
  assert.deepEqual(state.rooms.get("r1").typing, [{ user: "bob", name: "Bob" }]);
  await clock.advance(1_100);
  assert.deepEqual(state.rooms.get("r1").typing, []);
  server.tell({ t: "typing", room: "r1", user: "bob", name: "Bob" });
  server.says("r1", "done");
  await settled();
  assert.deepEqual(state.rooms.get("r1").typing, []);
  server.tell({ t: "typing", room: "r1", user: "bob", name: "Bob" });
  server.event("r1", { t: "edit", ref: 1, text: "well done", user: "bob", name: "Bob" });
  await settled();
  assert.deepEqual(state.rooms.get("r1").typing, []);
});

test("presence: everybody first, then changes, and afresh after a break", async () => {
  const { server, clock, state } = begin();
  await settled();
  const people = () => [...state.rooms.get("r1").people.keys()];
  server.tell({ t: "presence", room: "r1", count: 3, join: [{ id: "a", name: "A" }, { id: "b", name: "B", role: "admin" }] });
  server.tell({ t: "presence", room: "r1", count: 2, leave: ["a"] });
  await settled();
  assert.deepEqual(people(), ["b"]);
  assert.equal(state.rooms.get("r1").people.get("b").role, "admin");
  assert.equal(state.rooms.get("r1").count, 2);
  server.open[0].end(1006);
  await clock.advance(2_000);
  server.tell({ t: "presence", room: "r1", count: 1, join: [{ id: "c", name: "C" }] });
  await settled();
  assert.deepEqual(people(), ["c"]);
});

test("moderation shows and works", async () => {
  const { client, server, state } = begin();
  await settled();
  const by = { by: "eve", by_name: "Eve" };
  server.event("r1", { t: "mod", act: "mute", user: "me", name: "alice", until: server.now + 60_000, ...by });
  await settled();
  assert.equal(client.canWrite("r1"), "muted");
  server.event("r1", { t: "mod", act: "unmute", user: "me", name: "alice", ...by });
  server.event("r1", { t: "mod", act: "slow", seconds: 30, ...by });
  server.event("r1", { t: "mod", act: "lock", ...by });
  await settled();
  const room = state.rooms.get("r1");
  assert.equal(room.slow, 30);
  assert.equal(client.canWrite("r1"), "locked");
  assert.deepEqual(room.notices.map((one) => one.act), ["mute", "unmute", "slow", "lock"]);
  assert.equal(client.canWrite("r2"), "notjoined");
  server.tell({ t: "report", room: "r1", ref: 1, user: "b", name: "B", reason: "x" });
  server.tell({ t: "room", room: { ...server.state(server.rooms.get("r1")), locked: false } });
  await settled();
  assert.equal(client.canWrite("r1"), "");
});

test("a clock that is wrong changes neither limits nor mutes", async () => {
  for (const skew of [-86_400_000, 86_400_000]) {
    const { client, server, clock, state } = begin((s) => (s.skew = skew));
    await settled();
    await client.open("r1");
    await client.send("r1", "mine");
    const [mine] = state.rooms.get("r1").messages;
    assert.equal(client.mayEdit("r1", mine), true);
    const until = server.now + 60_000;
    server.event("r1", { t: "mod", act: "mute", user: "me", until, by: "e", by_name: "E" });
    await settled();
    assert.equal(client.canWrite("r1"), "muted");
    await clock.advance(61_000);
    assert.equal(client.canWrite("r1"), "");
    await clock.advance(900_000);
    assert.equal(client.mayEdit("r1", mine), false);
  }
});

test("notifications: mentions are said, own messages and read ones are not", async () => {
  const { client, server, kinds } = begin();
  await settled();
  server.says("r1", "hi", { mentions: ["me"] });
  await client.send("r1", "mine");
  server.says("r1", "there");
  await settled();
  const told = kinds("notify").map(([, , detail]) => [detail.message.text, detail.mention, detail.alert]);
  assert.deepEqual(told, [["hi", true, false], ["there", false, false]]);
});

test("hidden: out loud; not when disturbed; one for all after a sleep", async () => {
  const { client, server, clock, tab, kinds } = begin();
  await settled();
  tab.document.visibilityState = "hidden";
  server.says("r1", "hi");
  await clock.advance(300);
  assert.equal(kinds("notify").at(-1)[2].alert, true);
  await client.setPrefs({ do_not_disturb: true });
  server.says("r1", "hi");
  await clock.advance(300);
  assert.equal(kinds("notify").at(-1)[2].alert, false);
  await client.setPrefs({ do_not_disturb: false });
  server.open[0].end(1006);
  for (let i = 0; i < 9; i++) server.says("r1", `m${i}`, i % 3 ? {} : { mentions: ["me"] });
  await clock.advance(3_000);
  assert.equal(kinds("notify").length, 3);
  const { message, count } = kinds("notify").at(-1)[2];
  assert.deepEqual([message.text, count], ["m6", 3]);
});

test("logging out leaves nothing on the screen", async () => {
  const { client, server, state, tab } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "secret");
  await settled();
  server.status = 401;
  server.open[0].end(4401, "session ended");
  await settled();
  assert.equal(state.phase, "loggedout");
  assert.equal(state.rooms.size, 0);
  assert.equal(state.me, null);
  assert.deepEqual(tab.options.sessionStorage.keys, []);
  await assert.rejects(client.send("r1", "x"), { code: "noroom" });
});

test("banned: whoami says until when, and then it comes back", async () => {
  const { server, state, clock } = begin();
  await settled();
  server.bannedUntil = 1_795_280_000_000 + 60_000;
  server.open[0].end(4403, "banned");
  await settled();
  assert.equal(state.phase, "banned");
  assert.equal(state.retryAt, server.bannedUntil);
  server.bannedUntil = null;
  await clock.advance(61_000);
  assert.equal(state.phase, "online");
});

test("banned for long: a ban that is lifted is noticed", async () => {
  const { server, state, clock } = begin();
  await settled();
  server.bannedUntil = Number.MAX_SAFE_INTEGER;
  server.open[0].end(4403, "banned");
  await settled();
  server.bannedUntil = null;
  await clock.advance(240_000);
  assert.equal(state.phase, "banned");
  await clock.advance(61_000);
  assert.equal(state.phase, "online");
});

test("one need not wait for the next attempt", async () => {
  const { client, server, state, clock } = begin();
  await settled();
  for (let tries = 0; tries < 2; tries++) {
    server.open[0].end(1006);
    await settled();
    assert.equal(state.phase, "connecting");
    const before = clock.time;
    client.refresh();
    await settled();
    assert.equal(clock.time, before);
    assert.equal(state.phase, "online");
  }
});

test("refused, and whoami knows of nothing: no storm of attempts", async () => {
  const { server, state, clock } = begin((s) => (s.closeWith = [4403, "impersonation"]));
  await clock.advance(60_000);
  assert.equal(state.phase, "disabled");
  assert.equal(state.reason, "impersonation");
  assert.equal(server.sockets.length, 1);
});

test("search, public rooms, people", async () => {
  const { client, server } = begin();
  await settled();
  server.says("r1", "find me");
  const { messages, next } = await client.search("find", { room: "r1" });
  assert.deepEqual([messages[0].text, messages[0].room, next], ["find me", "r1", null]);
  assert.equal((await client.publicRooms())[0].id, "r1");
  assert.equal((await client.people("b", "r1"))[0].name, "Bob");
});

test("stopped: nothing stays behind", async () => {
  const { client, server, clock, tab } = begin();
  await settled();
  client.typing("r1");
  client.stop();
  await clock.advance(3_600_000);
  assert.equal(server.open.length, 0);
  assert.equal(clock.pending, 0);
  tab.document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.equal(server.asked.length, 1);
});
