// The widget's engine without a browser: two people talk, connections break, a server is killed.
// node chat_engine.mjs CHAT ALICE'S-COOKIE BOB'S-COOKIE; says a line on each step. "kill" asks
// whoever has started it to kill the server and start it anew.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { createClient } from "../../giestack/chat/widget/engine/client.js";

const WebSocket = createRequire(import.meta.url)("ws");
const [, , base, alices, bobs] = process.argv;
const { origin } = new URL(base);

function someone(cookie, more = {}) {
  const headers = { Cookie: `galaxysession=${cookie}`, Origin: origin };
  const sockets = [];
  class Socket extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers, origin });
      sockets.push(this);
    }
  }
  const window = new EventTarget();
  window.location = { href: `${origin}/` };
  const document = new EventTarget();
  document.visibilityState = "visible";
  const fetched = (url, options) =>
    fetch(url, { ...options, headers: { ...options.headers, ...headers } });
  const client = createClient({ base, window, document, fetch: fetched, WebSocket: Socket, locks: undefined, ...more });
  client.start();
  const room = (name) => [...client.state.rooms.values()].find((one) => one.name === name);
  return {
    client,
    state: client.state,
    room,
    texts: (name) => room(name)?.messages.map((one) => one.text) ?? [],
    cut: () => sockets.at(-1).terminate(),
    window,
  };
}

async function until(found, what) {
  const end = Date.now() + (Number(process.env.PATIENCE_MS) || 55_000);
  while (!found()) {
    if (Date.now() > end) {
      const there = [alice, bob].map(({ state }) => `${state.phase} ${state.reason} ${JSON.stringify([...state.rooms.values()].map((r) => [r.id, r.name, r.kind, r.joined, r.last, r.unread, r.mark, r.to]))}`);
      assert.fail(`never: ${what}; ${there}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  console.log(what);
}

const HELP = "Help";
const alice = someone(alices);
const bob = someone(bobs);
const nobody = someone("nonsense");
const is = (one, phase) => () => one.state.phase === phase;

await until(is(nobody, "loggedout"), "nobody is logged out");
nobody.client.stop();
await until(is(alice, "offline"), "alice has opted in with Galaxy's preference, and is offline");
await alice.client.goOnline();
await until(is(bob, "optin"), "bob has not opted in");
await bob.client.optIn();
await until(() => is(alice, "online")() && is(bob, "online")(), "both are online");

const help = alice.room(HELP).id;
await alice.client.open(help);
await bob.client.open(help);
await until(() => alice.room(HELP).people.size === 2, "both are here");
const first = await alice.client.send(help, `hi @${bob.state.me.name}`);
await until(() => bob.texts(HELP).length === 1, "bob hears alice");
assert.equal(bob.room(HELP).messages[0].mentionsMe, true);
assert.equal(bob.state.mentions, 1);
bob.client.markRead(help);
await until(() => bob.state.unread === 0, "bob has read it");
await bob.client.send(help, "hello back", first.seq);
await until(() => alice.texts(HELP).length === 2, "alice hears bob");
assert.equal(alice.room(HELP).messages[1].reply, first.seq);
await alice.client.edit(help, first.seq, "hi there");
await until(() => bob.texts(HELP)[0] === "hi there", "bob sees the edit");
await alice.client.remove(help, first.seq, "never mind");
await until(() => bob.room(HELP).messages[0].deleted, "bob sees the deletion");
alice.client.typing(help);
await until(() => bob.room(HELP).typing.length === 1, "bob sees alice typing");
await assert.rejects(alice.client.edit(help, 2, "not mine"), { code: /perm|bad/ });

const talk = await bob.client.create({ kind: "dm", user: alice.state.me.id });
await bob.client.send(talk, "between us");
await until(() => alice.state.rooms.get(talk)?.unread === 1, "alice has a direct message");
assert.equal(alice.state.rooms.get(talk).peer.id, bob.state.me.id);
assert.equal((await alice.client.search("hello")).messages[0].text, "hello back");
assert.ok((await alice.client.people(bob.state.me.name.slice(0, 2))).some((one) => one.id === bob.state.me.id));
await alice.client.setPrefs({ do_not_disturb: true });
assert.equal(alice.state.prefs.do_not_disturb, true);

// Faster than anybody may: it goes by itself, in order.
const many = Array.from({ length: 8 }, (_, i) => `many ${i}`);
await Promise.all(many.map((text) => bob.client.send(help, text)));
await until(() => alice.texts(HELP).filter((one) => one.startsWith("many")).length === 8, "alice hears many");
assert.deepEqual(alice.texts(HELP).slice(-8), many);

// A connection is cut with a message on its way.
const cut = alice.client.send(help, "cut");
alice.cut();
await cut;
await until(() => bob.texts(HELP).at(-1) === "cut", "bob hears what was cut");

// Where WebSockets don't get through.
const third = someone(bobs, { WebSocket: undefined });
await until(is(third, "online"), "bob is online by stream");
assert.equal(third.state.transport, "stream");
await third.client.open(help);
await third.client.send(help, "by stream");
await alice.client.send(help, "to stream");
await until(() => third.texts(HELP).at(-1) === "to stream", "the stream hears alice");
await until(() => bob.texts(HELP).at(-1) === "to stream", "the socket hears both");

// The server is killed with messages on their way.
const late = [];
for (let i = 0; i < 3; i++) late.push(alice.client.send(help, `late ${i}`));
console.log("kill");
late.push(third.client.send(help, "late by stream"));
await Promise.all(late);
await until(() => [alice, bob, third].every((one) => one.state.phase === "online" && one.room(HELP).atEnd), "all are back");
await alice.client.send(help, "last");
await until(() => [alice, bob, third].every((one) => one.texts(HELP).at(-1) === "last"), "all hear the last");

await bob.client.latest(help);
const now = bob.texts(HELP);
for (const one of [alice, third]) {
  assert.deepEqual(one.texts(HELP).slice(-10), now.slice(-10));
  assert.deepEqual(one.room(HELP).pending, []);
}
for (const text of [...many, "cut", "by stream", "late 0", "late 1", "late 2", "late by stream", "last"]) {
  assert.equal(now.filter((one) => one === text).length, 1, text);
}
for (const one of [alice, bob, third]) one.client.stop();
console.log("done");
