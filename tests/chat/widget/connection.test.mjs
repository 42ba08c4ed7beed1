// When the network does what networks do.

import assert from "node:assert/strict";
import test from "node:test";

import { createBackoff } from "../../../giestack/chat/widget/engine/backoff.js";
import { createEventParser } from "../../../giestack/chat/widget/engine/stream.js";
import { socketUrl } from "../../../giestack/chat/widget/engine/websocket.js";
import { EXAMPLES, checkRequest, settled } from "./fakes.mjs";
import { begin } from "./begin.mjs";

test("waiting grows with full jitter, between half a second and thirty", () => {
  for (const [random, expected] of [
    [0, Array(8).fill(500)],
    [1, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]],
  ]) {
    const backoff = createBackoff(() => random);
    assert.deepEqual(expected.map(() => backoff.next()), expected);
    backoff.reset();
    assert.equal(backoff.next(), expected[0]);
  }
});

test("the socket's address", () => {
  assert.equal(socketUrl("https://g.example/c", "https://x.example/"), "wss://g.example/c/ws");
  assert.equal(socketUrl("/p/chat", "http://x.example:81/a?b"), "ws://x.example:81/p/chat/ws");
});

test("a broken connection comes back, and says meanwhile when", async () => {
  const { server, state, clock } = begin();
  await settled();
  server.down = true;
  server.open[0].end(1006);
  await settled();
  assert.deepEqual([state.phase, state.reason], ["connecting", "lost"]);
  assert.ok(state.retryAt > server.now);
  await clock.advance(60_000);
  const attempts = server.sockets.length + server.asked.filter((one) => one === "/api/stream").length;
  assert.ok(attempts > 5 && attempts < 15, `${attempts} attempts`);
  server.down = false;
  await clock.advance(31_000);
  assert.equal(state.phase, "online");
});

test("back at once when the network or the person is", async () => {
  for (const wake of [
    (tab) => tab.window.dispatchEvent(new Event("online")),
    (tab) => tab.document.dispatchEvent(new Event("visibilitychange")),
    (tab) => tab.window.dispatchEvent(new Event("pageshow")),
    (tab) => tab.window.dispatchEvent(new Event("focus")),
  ]) {
    const { server, state, clock, tab } = begin();
    await settled();
    server.down = true;
    server.open[0].end(1006);
    await clock.advance(40_000);
    server.down = false;
    const before = clock.time;
    wake(tab);
    await settled();
    // An attempt may be under way, and fail for what was.
    if (state.phase !== "online") await clock.advance(0);
    assert.equal(clock.time, before);
    assert.equal(state.phase, "online");
  }
});

test("a connection that died without a word is noticed", async () => {
  const { server, state, clock } = begin();
  await settled();
  server.open[0].deaf = true;
  await clock.advance(39_000);
  assert.equal(server.sockets.length, 1);
  await clock.advance(25_000);
  assert.equal(server.sockets.length, 2);
  assert.equal(state.phase, "online");
});

test("a quiet connection that lives is left alone", async () => {
  const { server, state, clock } = begin();
  await settled();
  await clock.advance(3_600_000);
  assert.equal(server.sockets.length, 1);
  assert.equal(state.phase, "online");
  const probes = server.requests.slice(1);
  assert.ok(probes.length > 60 && probes.length < 95, `${probes.length} probes`);
  assert.deepEqual(probes[0], { t: "resume", id: probes[0].id, rooms: {} });
});

test("waking up from sleep asks at once whether the connection lives", async () => {
  const { server, clock, tab, state } = begin();
  await settled();
  server.open[0].deaf = true;
  tab.document.dispatchEvent(new Event("visibilitychange"));
  await clock.advance(10_900);
  assert.equal(server.sockets.length, 2);
  assert.equal(state.phase, "online");
});

test("a server that accepts and says nothing", async () => {
  const { server, clock, state } = begin((s) => (s.stalled = true));
  await clock.advance(14_000);
  assert.equal(state.phase, "connecting");
  server.stalled = false;
  await clock.advance(3_000);
  assert.equal(state.phase, "online");
});

test("restart: back within five seconds, each client at its own moment", async () => {
  const { server, clock, state } = begin();
  await settled();
  server.open[0].end(1012, "restart");
  await settled();
  assert.deepEqual([state.phase, state.reason], ["connecting", "restart"]);
  await clock.advance(2_400);
  assert.equal(server.sockets.length, 1);
  await clock.advance(200);
  assert.equal(state.phase, "online");
});

test("asked for too much: half a minute of quiet, whoever wakes it", async () => {
  const { server, clock, state, tab } = begin();
  await settled();
  server.open[0].end(4429);
  await clock.advance(1_000);
  tab.window.dispatchEvent(new Event("online"));
  await clock.advance(28_900);
  assert.equal(server.sockets.length, 1);
  await clock.advance(30_000);
  assert.equal(state.phase, "online");
});

test("too slow: it comes back", async () => {
  const { server, clock, state } = begin();
  await settled();
  server.open[0].end(4408);
  await settled();
  assert.equal(state.reason, "slow");
  await clock.advance(1_000);
  assert.equal(state.phase, "online");
  assert.equal(state.transport, "websocket");
});

test("not logged in any more: no attempts, but a look on focus", async () => {
  const { server, clock, state, tab } = begin();
  await settled();
  server.status = 401;
  server.open[0].end(4401);
  await clock.advance(60_000);
  assert.equal(state.phase, "loggedout");
  assert.equal(server.sockets.length, 1);
  server.status = 200;
  tab.window.dispatchEvent(new Event("focus"));
  await settled();
  assert.equal(state.phase, "online");
});

test("WebSockets that never open: the other way, and back when they do", async () => {
  const { client, server, clock, state, texts } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  assert.deepEqual([state.phase, state.transport], ["online", "stream"]);
  assert.equal(server.sockets.length, 2);
  await client.open("r1");
  server.says("r1", "theirs");
  await client.send("r1", "mine");
  await settled();
  assert.deepEqual(texts(), ["theirs", "mine"]);
  await clock.advance(400_000);
  assert.ok(server.sockets.length >= 4);
  assert.equal(state.transport, "stream");
  server.noWebSockets = false;
  await clock.advance(200_000);
  assert.deepEqual([state.phase, state.transport], ["online", "websocket"]);
  assert.equal(server.conns.size, 1);
  server.says("r1", "after");
  await settled();
  assert.deepEqual(texts(), ["theirs", "mine", "after"]);
});

test("WebSockets that die young, three times", async () => {
  const { server, clock, state } = begin();
  await settled();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual([state.phase, state.transport], ["online", "websocket"]);
    server.open[0].end(1006);
    while (state.phase !== "online" || !server.conns.size) await clock.advance(100);
    await clock.advance(1_500);
  }
  assert.deepEqual([state.phase, state.transport], ["online", "stream"]);
});

test("no WebSocket in this browser", async () => {
  const { state } = begin(() => {}, { WebSocket: undefined });
  await settled();
  assert.deepEqual([state.phase, state.transport], ["online", "stream"]);
});

test("a page that may not open sockets", async () => {
  const refuse = class {
    constructor() {
      throw new DOMException("refused", "SecurityError");
    }
  };
  const { state, clock } = begin(() => {}, { WebSocket: refuse });
  await clock.advance(5_000);
  assert.deepEqual([state.phase, state.transport], ["online", "stream"]);
});

test("a server that is down opens neither; then WebSockets are tried again", async () => {
  const { server, clock, state } = begin((s) => (s.noWebSockets = s.noStreams = true));
  await clock.advance(60_000);
  server.noWebSockets = false;
  await clock.advance(61_000);
  assert.deepEqual([state.phase, state.transport], ["online", "websocket"]);
});

test("the stream's end has a code too", async () => {
  const { server, clock, state } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  const [conn] = server.conns.values();
  server.status = 401;
  conn.close(4401, "session ended");
  await settled();
  assert.equal(state.phase, "loggedout");
});

test("a stream that the server forgot is opened anew", async () => {
  const { client, server, clock, texts } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  await client.open("r1");
  const [conn] = server.conns.values();
  server.conns.delete(conn.id);
  const sent = client.send("r1", "mine");
  await clock.advance(5_000);
  await sent;
  assert.deepEqual(texts(), ["mine"]);
});

test("a stream that ends comes back and has missed nothing", async () => {
  const { client, server, clock, texts } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  await client.open("r1");
  const [conn] = server.conns.values();
  server.says("r1", "1");
  await settled();
  conn.gone();
  conn.end();
  server.says("r1", "2");
  await clock.advance(10_000);
  assert.deepEqual(texts(), ["1", "2"]);
});

test("a resume that is refused is asked again", async () => {
  let refusals = 2;
  const { server, clock, state, client } = begin((s) => {
    s.refuse = (frame) =>
      frame.t === "resume" && refusals-- > 0 ? { code: "rate", message: "", retry_ms: 700 } : null;
  });
  await settled();
  const search = client.search("x");
  await clock.advance(600);
  assert.equal(server.requests.some((one) => one.t === "search"), false);
  await clock.advance(2_000);
  assert.deepEqual((await search).messages, []);
  assert.equal(state.phase, "online");
});

test("a room that is gone keeps nobody from the others", async () => {
  const { client } = begin((s) => {
    s.refuse = (frame) => (frame.t === "resume" ? { code: "noroom", message: "" } : null);
  });
  await settled();
  assert.deepEqual((await client.search("x")).messages, []);
});

test("questions are asked again after a break, deeds are not", async () => {
  const { client, server, clock } = begin();
  await settled();
  server.says("r1", "x");
  server.swallow = () => true;
  const search = client.search("x");
  const edit = client.edit("r1", 1, "y");
  await settled();
  server.swallow = null;
  server.open[0].end(1006);
  await assert.rejects(edit, { code: "lost" });
  await assert.rejects(client.remove("r1", 1), { code: "offline" });
  await clock.advance(1_000);
  assert.equal((await search).messages.length, 1);
});

test("a question without an answer ends", async () => {
  const { client, server, clock } = begin();
  await settled();
  server.ignore = (frame) => frame.t === "search";
  const search = assert.rejects(client.search("x"), { code: "timeout" });
  await clock.advance(21_000);
  await search;
});

test("server-sent events, cut anywhere", () => {
  const text = 'data: {"a":1}\n\n: life\n\nevent: close\r\ndata: x\r\ndata: y\r\n\r\nid\rdata:z\r\rdata: cut off';
  for (let size = 1; size < 12; size++) {
    const events = [];
    const parse = createEventParser((one) => events.push(one));
    for (let at = 0; at < text.length; at += size) parse(text.slice(at, at + size));
    assert.deepEqual(events, [
      { event: "message", data: '{"a":1}' },
      { event: "close", data: "x\ny" },
      { event: "message", data: "z" },
    ]);
  }
});

test("nothing that a server sends breaks the client", async () => {
  const { server, state, client } = begin();
  await settled();
  const say = (data) => server.open[0].onmessage({ data });
  for (const data of ["", "{", "null", "7", "[]", '{"t":7}', '{"t":"later"}', '{"t":"msg","room":"no"}']) {
    say(data);
  }
  for (const one of EXAMPLES.answers) if (one.t !== "hello") say(JSON.stringify(one));
  await settled();
  assert.equal(state.phase, "online");
  await client.open("r1");
  say(JSON.stringify(EXAMPLES.answers.find((one) => one.t === "hello")));
  await settled();
  assert.deepEqual([...state.rooms.keys()], ["r1", "r2"]);
  assert.equal(state.me.name, "alice");
});

test("all requests are as the examples have them", async () => {
  for (const one of EXAMPLES.requests) checkRequest(one);
  const { client, server } = begin();
  await settled();
  await client.open("r1");
  server.says("r1", "x");
  await client.send("r1", "a", 1);
  await client.edit("r1", 2, "b");
  await client.remove("r1", 2, "mine");
  await client.report("r1", 1, "x");
  await client.moderate({ act: "mute", room: "r1", user: "bob", until: undefined, reason: null });
  await client.create({ kind: "dm", user: "bob" });
  await client.leave("r1");
  // The server checks each; see checkRequest.
  assert.equal(new Set(server.requests.map((one) => one.t)).size, 8);
});

test("a slow server's hello is no failure", async () => {
  const { server, clock, state } = begin();
  await settled();
  const { hello } = server;
  for (let i = 0; i < 4; i++) {
    server.hello = () => ({ t: "typing", room: "r1", user: "bob", name: "Bob" });
    server.open[0].end(1006);
    while (!server.conns.size) await clock.advance(500);
    await clock.advance(3_000);
    server.hello = hello;
    const [conn] = server.conns.values();
    conn.say(server.hello(conn));
    await clock.advance(1_000);
    assert.deepEqual([state.phase, state.transport], ["online", "websocket"]);
  }
});

test("back on a WebSocket that breaks again: the stream at once", async () => {
  const { server, clock, state } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  server.noWebSockets = false;
  while (state.transport !== "websocket") await clock.advance(500);
  server.noWebSockets = true;
  server.open[0].end(1006);
  await clock.advance(3_000);
  assert.deepEqual([state.phase, state.transport], ["online", "stream"]);
});

test("requests over the stream keep their order, however slow one is", async () => {
  const { client, server, clock, tab } = begin((s) => (s.noWebSockets = true));
  await clock.advance(5_000);
  const order = [];
  const { post } = server;
  server.post = async function (path, options) {
    const { t } = JSON.parse(options.body);
    if (t === "search") await settled(20);
    order.push(t);
    return post.call(this, path, options);
  };
  await Promise.all([client.search("x"), client.people("b")]);
  assert.deepEqual(order, ["search", "people"]);
  assert.equal(tab.document.visibilityState, "visible");
});

test("going offline answers what is still asked", async () => {
  const { client, server } = begin();
  await settled();
  server.ignore = (frame) => frame.t === "search";
  const search = assert.rejects(client.search("x"), { code: "offline" });
  await settled();
  await client.goOffline();
  await search;
});

test("many glances at a logged-out page are not as many questions", async () => {
  const { server, clock, tab } = begin((s) => (s.status = 401));
  await settled();
  for (let i = 0; i < 20; i++) {
    tab.window.dispatchEvent(new Event("focus"));
    await clock.advance(100);
  }
  assert.equal(server.asked.length, 1);
});

test("a page that is hidden asks nothing when the network comes back", async () => {
  const { server, clock, tab } = begin((s) => (s.status = 401));
  await clock.advance(20_000);
  tab.document.visibilityState = "hidden";
  tab.window.dispatchEvent(new Event("online"));
  await settled();
  assert.equal(server.asked.length, 1);
});
