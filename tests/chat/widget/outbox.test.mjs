// What somebody has written gets there once, in order, whatever breaks on the way.

import assert from "node:assert/strict";
import test from "node:test";

import { createClient } from "../../../giestack/chat/widget/engine/client.js";
import { begin } from "./begin.mjs";
import { settled } from "./fakes.mjs";

const sent = (server) => server.requests.filter((one) => one.t === "msg");
const stored = (server, room = "r1") => server.rooms.get(room).events.map((one) => one.text);

async function online(change) {
  const all = begin(change);
  await settled();
  await all.client.open("r1");
  return all;
}

test("shown at once as pending, then once as a message", async () => {
  const { client, server, texts, pending } = await online();
  server.swallow = (frame) => frame.t === "msg";
  const done = client.send("r1", "hello", null);
  assert.deepEqual(pending().map((one) => [one.text, one.status]), [["hello", "sending"]]);
  assert.deepEqual(texts(), []);
  const { seq, cid } = await done;
  assert.deepEqual([seq, typeof cid], [1, "string"]);
  assert.deepEqual([texts(), pending()], [["hello"], []]);
});

test("the answer before the echo: no moment with both, none with neither", async () => {
  const { client, server, texts, pending, clock } = await online();
  server.muffled = true;
  const done = client.send("r1", "hello");
  await settled();
  assert.deepEqual([texts().length, pending().length], [0, 1]);
  server.muffled = false;
  server.tell({ ...server.rooms.get("r1").events[0], cid: pending()[0].cid });
  await done;
  assert.deepEqual([texts().length, pending().length], [1, 0]);
  await clock.advance(10_000);
  assert.deepEqual(texts(), ["hello"]);
});

test("an echo that never comes: history has it", async () => {
  const { client, server, texts, pending, clock } = await online();
  server.muffled = true;
  client.send("r1", "hello");
  await clock.advance(6_000);
  assert.deepEqual([texts(), pending()], [["hello"], []]);
});

test("the connection dies between storing and answering: stored once, shown once", async () => {
  const { client, server, texts, pending, clock } = await online();
  server.before = (frame) => {
    if (frame.t !== "msg") return;
    server.before = null;
    server.muffled = true;
    server.swallow = () => true;
    setImmediate(() => {
      server.muffled = false;
      server.swallow = null;
      server.open[0].end(1006);
    });
  };
  const done = client.send("r1", "once");
  await clock.advance(3_000);
  await done;
  assert.deepEqual([stored(server), texts(), pending()], [["once"], ["once"], []]);
});

test("the connection dies before anything is stored: sent again with the same cid", async () => {
  const { client, server, texts, clock } = await online();
  server.ignore = (frame) => frame.t === "msg";
  const all = Promise.all(["a", "b", "c"].map((text) => client.send("r1", text)));
  await settled();
  server.ignore = null;
  server.open[0].end(1006);
  await clock.advance(3_000);
  await all;
  assert.deepEqual([stored(server), texts()], [["a", "b", "c"], ["a", "b", "c"]]);
  const cids = sent(server).filter((one) => one.text === "a").map((one) => one.cid);
  assert.equal(cids.length, 2);
  assert.equal(cids[0], cids[1]);
});

test("what is written while there is no connection goes when there is one", async () => {
  const { client, server, texts, clock } = await online();
  server.down = true;
  server.open[0].end(1006);
  await settled();
  client.send("r1", "a");
  client.send("r1", "b");
  await clock.advance(60_000);
  server.down = false;
  await clock.advance(31_000);
  assert.deepEqual(texts(), ["a", "b"]);
});

test("no answer: the connection is doubted, and the message sent again", async () => {
  const { client, server, texts, clock } = await online();
  server.open[0].deaf = true;
  client.send("r1", "a");
  await clock.advance(25_000);
  assert.equal(server.sockets.length, 2);
  assert.deepEqual(texts(), ["a"]);
});

test("too fast: waits as long as it is told, goes by itself, and keeps the order", async () => {
  const { client, server, texts, pending, clock } = await online((s) => {
    s.refuse = (frame) =>
      frame.t === "msg" && s.clock.time < 800 ? { code: "rate", message: "Slow.", retry_ms: 800 } : null;
  });
  const all = Promise.all([client.send("r1", "a"), client.send("r1", "b")]);
  await settled();
  assert.deepEqual(pending().map((one) => [one.status, one.code]), [["waiting", "rate"], ["sending", null]]);
  assert.ok(pending()[0].retryAt);
  await clock.advance(700);
  assert.equal(sent(server).length, 1);
  await clock.advance(200);
  await all;
  assert.deepEqual(texts(), ["a", "b"]);
});

test("refused: stays as failed, and can be tried again or thrown away", async () => {
  let refuse = true;
  const { client, server, texts, pending, clock } = await online((s) => {
    s.refuse = (f) => (f.t === "msg" && refuse && f.text !== "c" ? { code: "filter", message: "Not here." } : null);
  });
  await assert.rejects(client.send("r1", "a"), { code: "filter", message: "Not here." });
  client.send("r1", "b");
  await client.send("r1", "c");
  assert.deepEqual(texts(), ["c"]);
  assert.deepEqual(pending().map((one) => [one.text, one.status, one.code]), [
    ["a", "failed", "filter"],
    ["b", "failed", "filter"],
  ]);
  await clock.advance(60_000);
  assert.equal(sent(server).length, 3);
  refuse = false;
  const [a, b] = pending();
  client.discard(b.cid);
  await client.retry(a.cid);
  assert.deepEqual([texts(), pending()], [["c", "a"], []]);
  assert.equal(await client.retry("unknown"), null);
});

test("a message that kills every connection is given up", async () => {
  const { client, server, pending, clock } = await online((s) => {
    s.before = (frame) => frame.t === "msg" && frame.text === "poison" && s.open[0].end(1006);
    s.ignore = (frame) => frame.t === "msg" && frame.text === "poison";
  });
  const poison = assert.rejects(client.send("r1", "poison"), { code: "lost" });
  client.send("r1", "fine");
  await clock.advance(120_000);
  await poison;
  assert.deepEqual(stored(server), ["fine"]);
  assert.equal(pending()[0].status, "failed");
});

test("too big for something on the way", async () => {
  const { client, server, pending, clock } = await online((s) => {
    s.before = (frame) => frame.t === "msg" && s.open[0].end(1009);
    s.ignore = (frame) => frame.t === "msg";
  });
  const done = assert.rejects(client.send("r1", "big"), { code: "len" });
  await settled();
  await done;
  await clock.advance(10_000);
  assert.equal(pending()[0].code, "len");
  assert.equal(sent(server).length, 1);
});

test("too long or empty never leaves", async () => {
  const { client, server } = await online();
  await assert.rejects(client.send("r1", "x".repeat(101)), { code: "len" });
  assert.equal(await client.send("r1", " \n"), null);
  await client.send("r1", "😀".repeat(100));
  assert.equal(sent(server).length, 1);
  await client.goOffline();
  await settled();
  await assert.rejects(client.send("r1", "x"), { code: "offline" });
});

test("rooms don't wait for each other", async () => {
  const { client, server } = await online((s) => {
    s.rooms.get("r2").joined = true;
    s.ignore = (frame) => frame.t === "msg" && frame.room === "r1";
  });
  client.send("r1", "stuck");
  await client.send("r2", "goes");
  assert.deepEqual(stored(server, "r2"), ["goes"]);
});

test("a reload loses nothing that was on its way", async () => {
  const { browser, client, server, tab, clock } = await online((s) => (s.ignore = (f) => f.t === "msg"));
  client.send("r1", "on its way");
  client.setDraft("r1", "half wri");
  await settled();
  tab.window.dispatchEvent(new Event("pagehide"));
  server.ignore = null;
  const again = createClient({ ...browser.tab().options, sessionStorage: tab.options.sessionStorage.copy() });
  again.start();
  await clock.advance(1_000);
  assert.deepEqual(stored(server), ["on its way"]);
  assert.equal(again.state.rooms.get("r1").draft, "half wri");
  assert.deepEqual(again.state.rooms.get("r1").pending, []);
  const cids = sent(server).map((one) => one.cid);
  assert.equal(cids[0], cids[1]);
});

test("what is found after a long time is not sent behind somebody's back", async () => {
  const { browser, client, server, tab, clock } = await online((s) => (s.ignore = (f) => f.t === "msg"));
  client.send("r1", "long ago");
  await settled();
  tab.window.dispatchEvent(new Event("pagehide"));
  server.ignore = null;
  await clock.advance(3_600_000);
  const again = createClient({ ...browser.tab().options, sessionStorage: tab.options.sessionStorage });
  again.start();
  await clock.advance(1_000);
  assert.deepEqual(stored(server), []);
  assert.equal(again.state.rooms.get("r1").pending[0].status, "failed");
});

test("another user's words are not sent", async () => {
  const { browser, client, server, tab, clock } = await online((s) => (s.ignore = (f) => f.t === "msg"));
  client.send("r1", "alice's");
  client.setDraft("r1", "alice's too");
  await settled();
  tab.window.dispatchEvent(new Event("pagehide"));
  server.ignore = null;
  server.user = { id: "carol", name: "carol" };
  const again = createClient({ ...browser.tab().options, sessionStorage: tab.options.sessionStorage });
  again.start();
  await clock.advance(1_000);
  assert.deepEqual(stored(server), []);
  assert.deepEqual(again.state.rooms.get("r1").pending, []);
  assert.equal(again.state.rooms.get("r1").draft, "");
});

test("a storage that is full or forbidden", async () => {
  const broken = {
    getItem() { throw new Error("no"); },
    setItem() { throw new Error("full"); },
    removeItem() { throw new Error("no"); },
  };
  const { client, texts } = begin(() => {}, { sessionStorage: broken, storage: broken });
  await settled();
  await client.open("r1");
  client.setDraft("r1", "x");
  await client.send("r1", "hello");
  assert.deepEqual(texts(), ["hello"]);
});

test("any order of breaks: all once, in order", async () => {
  let seed = 11;
  const random = (n) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  for (let round = 0; round < 15; round++) {
    const { client, server, texts, pending, clock } = await online();
    const breaks = [
      () => server.open[0]?.end(1006),
      () => server.open[0] && (server.open[0].deaf = true),
      () => (server.muffled = true),
      () => (server.muffled = false),
      () => (server.ignore = (f) => f.t === "msg"),
      () => (server.swallow = (f) => f.t === "msg"),
      () => (server.ignore = server.swallow = null),
      () => server.says("r1", "theirs"),
      () => {},
    ];
    const written = [];
    for (let i = 0; i < 12; i++) {
      breaks[random(breaks.length)]();
      written.push(`mine ${i}`);
      client.send("r1", written.at(-1));
      await clock.advance(random(3_000));
    }
    server.ignore = server.swallow = null;
    server.muffled = false;
    await clock.advance(120_000);
    server.says("r1", "last");
    await clock.advance(10_000);
    assert.deepEqual(pending().filter((one) => one.status !== "failed"), []);
    const failed = pending().map((one) => one.text);
    assert.deepEqual(stored(server).filter((one) => one.startsWith("mine") && !failed.includes(one)),
      written.filter((one) => !failed.includes(one)));
    assert.deepEqual(texts(), stored(server));
    client.stop();
  }
});
