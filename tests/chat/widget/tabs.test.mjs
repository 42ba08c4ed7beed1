// Several tabs of one browser: one connection, one mind.

import assert from "node:assert/strict";
import test from "node:test";

import { begin, open } from "./begin.mjs";
import { settled } from "./fakes.mjs";

async function three(change) {
  const first = begin(change);
  await settled();
  const { browser, server, clock } = first;
  const others = [open(browser), open(browser)];
  await settled();
  return { server, browser, clock, tabs: [first, ...others] };
}
const leaders = (tabs) => tabs.filter((one) => one.state.leader);

test("three tabs, one socket, the same rooms", async () => {
  const { server, clock, tabs } = await three((s) => s.says("r1", "before"));
  await clock.advance(10_000);
  assert.equal(server.sockets.length, 1);
  assert.equal(leaders(tabs).length, 1);
  for (const { state } of tabs) {
    assert.equal(state.phase, "online");
    assert.equal(state.me.name, "alice");
    assert.deepEqual([...state.rooms.keys()], ["r1", "r2"]);
    assert.equal(state.unread, 1);
  }
});

test("each tab sends, all see it once", async () => {
  const { server, tabs } = await three();
  for (const { client } of tabs) await client.open("r1");
  for (const [i, { client }] of tabs.entries()) await client.send("r1", `from ${i}`);
  await settled();
  for (const { texts, pending } of tabs) {
    assert.deepEqual(texts(), ["from 0", "from 1", "from 2"]);
    assert.deepEqual(pending(), []);
  }
  assert.equal(server.rooms.get("r1").events.length, 3);
});

test("pending, failed and discarded are the same in all", async () => {
  const { server, tabs } = await three((s) => {
    s.refuse = (frame) => (frame.t === "msg" ? { code: "filter", message: "Not here." } : null);
  });
  const refused = assert.rejects(tabs[1].client.send("r1", "bad"), { code: "filter" });
  await settled();
  await refused;
  for (const { pending } of tabs) assert.equal(pending()[0].status, "failed");
  server.refuse = null;
  const { cid } = tabs[2].pending()[0];
  await tabs[2].client.retry(cid);
  await settled();
  for (const { pending } of tabs) assert.deepEqual(pending(), []);
});

test("reading, drafts and choices are shared", async () => {
  const { server, tabs } = await three();
  await tabs[1].client.open("r1");
  server.says("r1", "hi");
  await settled();
  for (const { state } of tabs) assert.equal(state.unread, 1);
  tabs[1].client.markRead("r1");
  tabs[1].client.setDraft("r1", "half");
  await tabs[2].client.setPrefs({ do_not_disturb: true });
  await settled();
  for (const { state } of tabs) {
    assert.equal(state.unread, 0);
    assert.equal(state.rooms.get("r1").draft, "half");
    assert.equal(state.prefs.do_not_disturb, true);
  }
  assert.equal(server.sockets.length, 1);
});

test("followers ask through the leader: history, search, joining", async () => {
  const { server, tabs } = await three((s) => {
    for (let i = 1; i <= 60; i++) s.says("r1", `m${i}`);
  });
  const { client, texts, state } = tabs[2];
  await client.open("r1");
  await client.older("r1");
  assert.equal(texts().length, 60);
  assert.equal((await client.search("m6")).messages.length, 2);
  await client.join("r2");
  assert.equal(state.rooms.get("r2").joined, true);
  await settled();
  for (const one of tabs) assert.equal(one.state.rooms.get("r2").joined, true);
  server.says("r2", "to all");
  await settled();
  for (const one of tabs) assert.equal(one.state.rooms.get("r2").unread, 1);
  await assert.rejects(client.join("nowhere"), { code: "noroom" });
});

test("offline in one tab is offline in all, and online again", async () => {
  const { server, tabs } = await three();
  await tabs[1].client.goOffline();
  await settled();
  for (const { state } of tabs) assert.equal(state.phase, "offline");
  assert.equal(server.open.length, 0);
  await tabs[2].client.goOnline();
  await settled();
  for (const { state } of tabs) assert.equal(state.phase, "online");
  assert.equal(server.open.length, 1);
});

test("the leader is closed: another takes over and has missed nothing", async () => {
  const { server, clock, tabs } = await three();
  for (const { client } of tabs) await client.open("r1");
  server.says("r1", "1");
  await settled();
  tabs[0].tab.window.dispatchEvent(new Event("pagehide"));
  server.says("r1", "2");
  await clock.advance(1_000);
  server.says("r1", "3");
  await settled();
  const rest = tabs.slice(1);
  assert.equal(leaders(rest).length, 1);
  assert.equal(server.open.length, 1);
  for (const { texts } of rest) assert.deepEqual(texts(), ["1", "2", "3"]);
});

test("the leader dies with a follower's message in its hands", async () => {
  const { server, browser, clock, tabs } = await three();
  for (const { client } of tabs) await client.open("r1");
  server.ignore = (frame) => frame.t === "msg";
  const sent = tabs[1].client.send("r1", "survives");
  await settled();
  server.ignore = null;
  tabs[0].tab.crash();
  browser.locks.dies();
  await clock.advance(2_000);
  await sent;
  await settled();
  assert.deepEqual(server.rooms.get("r1").events.map((one) => one.text), ["survives"]);
  for (const { texts, pending } of tabs.slice(1)) {
    assert.deepEqual(texts(), ["survives"]);
    assert.deepEqual(pending(), []);
  }
});

test("the leader dies: what it had written itself is not lost", async () => {
  const { server, browser, clock, tabs } = await three();
  server.ignore = (frame) => frame.t === "msg";
  tabs[0].client.send("r1", "legacy");
  await settled();
  server.ignore = null;
  tabs[0].tab.crash();
  browser.locks.dies();
  await clock.advance(2_000);
  assert.deepEqual(server.rooms.get("r1").events.map((one) => one.text), ["legacy"]);
});

test("a follower's question survives the leader", async () => {
  const { server, browser, clock, tabs } = await three((s) => s.says("r1", "find me"));
  server.ignore = (frame) => frame.t === "search";
  const found = tabs[1].client.search("find");
  await settled();
  server.ignore = null;
  tabs[0].tab.crash();
  browser.locks.dies();
  await clock.advance(2_000);
  assert.equal((await found).messages.length, 1);
});

test("a leader that the browser has frozen is relieved, and steps back when it wakes", async () => {
  const { server, clock, tabs } = await three();
  for (const one of tabs[0].tab.channels) one.frozen = true;
  tabs[1].tab.window.dispatchEvent(new Event("focus"));
  await clock.advance(5_000);
  assert.equal(tabs[1].state.leader, true);
  await clock.advance(2_000);
  for (const one of tabs[0].tab.channels) one.frozen = false;
  await clock.advance(1_000);
  assert.equal(leaders(tabs).length, 1);
  assert.equal(server.open.length, 1);
  server.says("r1", "x");
  await settled();
  for (const { state } of tabs) assert.equal(state.unread, 1);
});

test("a healthy leader keeps its place", async () => {
  const { clock, tabs } = await three();
  for (let i = 0; i < 5; i++) {
    tabs[1].tab.window.dispatchEvent(new Event("focus"));
    await clock.advance(5_000);
  }
  assert.equal(tabs[0].state.leader, true);
});

test("only one tab makes noise, and none while somebody looks at one", async () => {
  const { server, clock, tabs } = await three();
  const loud = () => tabs.map(({ kinds }) => kinds("notify").filter((one) => one[2].alert).length);
  server.says("r1", "1");
  await clock.advance(300);
  assert.deepEqual(loud(), [0, 0, 0]);
  tabs[0].tab.document.visibilityState = "hidden";
  tabs[1].tab.document.visibilityState = "hidden";
  server.says("r1", "2");
  await clock.advance(300);
  assert.deepEqual(loud(), [0, 0, 0]);
  tabs[2].tab.document.visibilityState = "hidden";
  server.says("r1", "3");
  await clock.advance(300);
  assert.deepEqual(loud(), [1, 0, 0]);
  for (const { kinds } of tabs) assert.equal(kinds("notify").length, 3);
});

test("somebody else logs in: no tab keeps what was the other's", async () => {
  const { server, clock, tabs } = await three();
  for (const { client } of tabs) await client.open("r1");
  await tabs[1].client.send("r1", "alice's");
  server.status = 401;
  server.open[0].end(4401);
  await settled();
  for (const { state } of tabs) assert.deepEqual([state.phase, state.rooms.size], ["loggedout", 0]);
  server.status = 200;
  server.user = { id: "carol", name: "carol" };
  await clock.advance(11_000);
  tabs[2].client.refresh();
  await settled();
  for (const { state } of tabs) {
    assert.deepEqual([state.phase, state.me.name], ["online", "carol"]);
    assert.equal(state.rooms.get("r1").messages.length, 0);
  }
});

test("another epoch reaches every tab", async () => {
  const { server, clock, tabs } = await three();
  for (const { client } of tabs) await client.open("r1");
  server.says("r1", "old");
  await settled();
  server.epoch = "e2";
  server.rooms.get("r1").events = [];
  server.says("r1", "new");
  server.open[0].end(1012);
  await clock.advance(6_000);
  for (const { texts } of tabs) assert.deepEqual(texts(), ["new"]);
});

test("no locks, or no channel: each tab for itself", async () => {
  for (const more of [{ locks: undefined }, { BroadcastChannel: undefined }]) {
    const first = begin(() => {}, more);
    const second = open(first.browser, more);
    await settled();
    assert.equal(first.server.open.length, 2);
    await first.client.open("r1");
    await second.client.open("r1");
    await first.client.send("r1", "hi");
    await settled();
    assert.deepEqual(second.texts(), ["hi"]);
  }
});

test("locks or channels that throw", async () => {
  const refuse = () => {
    throw new DOMException("denied", "SecurityError");
  };
  for (const more of [
    { locks: { request: refuse } },
    { locks: { request: async () => refuse() } },
    { BroadcastChannel: class { constructor() { refuse(); } } },
  ]) {
    const { state } = begin(() => {}, more);
    await settled();
    assert.equal(state.phase, "online");
  }
});

test("a page that comes back from the browser's cache", async () => {
  const { server, clock, tabs } = await three();
  tabs[0].tab.window.dispatchEvent(new Event("pagehide"));
  await clock.advance(1_000);
  server.says("r1", "meanwhile");
  await settled();
  const back = Object.assign(new Event("pageshow"), { persisted: true });
  tabs[0].tab.window.dispatchEvent(back);
  await clock.advance(6_000);
  assert.equal(server.open.length, 1);
  assert.equal(leaders(tabs).length, 1);
  for (const { state } of tabs) assert.deepEqual([state.phase, state.unread], ["online", 1]);
});

test("a new tab sees what is shown in the old one without asking the server", async () => {
  const { server, browser, tabs } = await three();
  await tabs[0].client.open("r1");
  server.says("r1", "x");
  server.tell({ t: "presence", room: "r1", count: 1, join: [{ id: "bob", name: "Bob" }] });
  tabs[0].client.setDraft("r1", "half");
  await settled();
  const before = server.requests.length;
  const { state, texts } = open(browser);
  await settled();
  assert.deepEqual(texts(), ["x"]);
  assert.equal(state.rooms.get("r1").people.size, 1);
  assert.equal(state.rooms.get("r1").draft, "half");
  assert.equal(server.requests.length, before);
});
