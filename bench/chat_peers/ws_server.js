// A chat as one writes it with Node's ws: `node ws_server.js PORT SESSIONS ROOM`.
//
// SESSIONS has a line "COOKIE USERNAME" for each session. It speaks as much of giechat.v1.json as
// the load needs: sessions are looked up, requests parsed and checked, messages numbered, written
// again and sent to everybody in the room. Nothing is kept.
"use strict";

const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { WebSocket, WebSocketServer } = require("ws");

const [port, file, room] = process.argv.slice(2);
const sessions = new Map(
  readFileSync(file, "utf-8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")),
);
const members = new Set();
let seq = 0;

function refuse(socket, id, code, message) {
  socket.send(JSON.stringify({ t: "err", id, code, message }));
}

function say(socket, name, asked) {
  if (!members.has(socket)) return refuse(socket, asked.id, "perm", "join the room first");
  if (typeof asked.text !== "string" || !asked.text || asked.text.length > 4000) {
    return refuse(socket, asked.id, "len", "too long, or nothing at all");
  }
  const ts = Date.now();
  const frame = { t: "msg", room, seq: ++seq, ts, user: name, name, text: asked.text };
  const bytes = Buffer.from(JSON.stringify(frame));
  for (const member of members) {
    if (member.readyState === WebSocket.OPEN) member.send(bytes, { binary: false });
  }
  socket.send(JSON.stringify({ t: "ok", id: asked.id, seq: frame.seq, ts }));
}

function hear(socket, name, data) {
  let asked;
  try {
    asked = JSON.parse(data);
  } catch {
    return refuse(socket, undefined, "bad", "not JSON");
  }
  if (asked.room !== room) return refuse(socket, asked.id, "noroom", "no such room");
  if (asked.t === "join") {
    members.add(socket);
    socket.send(JSON.stringify({ t: "ok", id: asked.id, room: { id: room, name: room } }));
  } else if (asked.t === "msg") {
    say(socket, name, asked);
  } else {
    refuse(socket, asked.id, "bad", "no such frame");
  }
}

const server = createServer();
const sockets = new WebSocketServer({ server, path: "/ws", maxPayload: 65536 });

sockets.on("connection", (socket, request) => {
  const cookie = /(?:^|; )galaxysession=([0-9a-f]+)/.exec(request.headers.cookie ?? "");
  const name = cookie && sessions.get(cookie[1]);
  if (!name) return socket.close(4401, "not logged in");
  socket.on("message", (data) => hear(socket, name, data));
  socket.on("close", () => members.delete(socket));
  const rooms = [{ id: room, name: room, kind: "public", last: seq, read: 0 }];
  socket.send(
    JSON.stringify({ t: "hello", v: 1, user: { id: name, name, role: "user" }, rooms }),
  );
});

server.listen(Number(port), "127.0.0.1");
