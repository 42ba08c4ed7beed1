// Where WebSockets don't get through: server-sent events one way, one POST for each request the
// other. The same link as in websocket.js, and the same frames.

import { parsed } from "./websocket.js";

const CLOSED_BY_STATUS = { 401: 4401, 403: 4403, 429: 4429, 503: 1012 };

// Cuts text into server-sent events (HTML standard, 9.2.6); told each one's {event, data}.
export function createEventParser(told) {
  let rest = "";
  let event = "message";
  let data = [];
  const line = (text) => {
    if (text === "") {
      if (data.length) told({ event, data: data.join("\n") });
      event = "message";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? "" : text.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
  };
  return (chunk) => {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}

export function openStream(env, told) {
  const abort = new AbortController();
  let conn = null;
  let opened = false;
  let over = false;
  const end = (code, reason = "") => {
    if (over) return;
    over = true;
    abort.abort();
    told.closed(code, reason, opened);
  };
  const heard = ({ event, data }) => {
    if (over) return;
    if (event === "close") {
      const { code, reason } = JSON.parse(data);
      end(code, reason);
      return;
    }
    const frame = parsed(data);
    if (!frame) return;
    if (frame.t === "hello") conn = frame.conn;
    told.frame(frame);
  };
  read(env, abort.signal, heard, () => {
    opened = true;
    if (!over) told.life();
  }).then(
    (code) => end(code),
    () => end(1006),
  );
  const post = async (frame) => {
    const answer = await env.fetch(
      `${env.base}/api/requests?conn=${encodeURIComponent(conn ?? "")}`,
      {
        method: "POST",
        credentials: "include",
        headers: { "Content-Type": "application/json", "X-Giestack": "1" },
        body: JSON.stringify(frame),
        signal: abort.signal,
      },
    );
    const body = parsed(await answer.text());
    if (over) return;
    if (body?.t === "ok" || body?.t === "err") {
      told.life();
      told.frame(body);
    } else {
      end(CLOSED_BY_STATUS[answer.status] ?? 1006);
    }
  };
  // One after the other: what somebody says keeps its order.
  let queue = Promise.resolve();
  return {
    name: "stream",
    send(frame) {
      queue = queue.then(() => (over ? null : post(frame))).catch(() => end(1006));
    },
    close() {
      over = true;
      abort.abort();
    },
  };
}

// Returns a close code at the stream's end.
async function read(env, signal, heard, alive) {
  const answer = await env.fetch(`${env.base}/api/stream`, {
    credentials: "include",
    headers: { Accept: "text/event-stream" },
    cache: "no-store",
    signal,
  });
  if (!answer.ok) return CLOSED_BY_STATUS[answer.status] ?? 1006;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const parse = createEventParser(heard);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return 1006;
    alive();
    parse(decoder.decode(value, { stream: true }));
  }
}
