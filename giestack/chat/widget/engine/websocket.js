// One WebSocket as a link: {send(frame), close()}, and told: frame(object), life(), closed(code, reason, opened).

export const SUBPROTOCOL = "giechat.v1.json";

// An absolute ws:// or wss:// address; older browsers take no other.
export function socketUrl(base, location) {
  const url = new URL(base + "/ws", location);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export function openWebSocket(env, told) {
  let opened = false;
  let over = false;
  let socket;
  const end = (code, reason) => {
    if (over) return;
    over = true;
    told.closed(code, reason, opened);
  };
  try {
    socket = new env.WebSocket(socketUrl(env.base, env.window.location?.href), [SUBPROTOCOL]);
  } catch {
    // No WebSockets here, or forbidden by a Content-Security-Policy.
    env.timers.setTimeout(() => end(1006, ""), 0);
    return { name: "websocket", send() {}, close: () => (over = true) };
  }
  socket.onopen = () => {
    opened = true;
    told.life();
  };
  socket.onmessage = (event) => {
    if (over) return;
    told.life();
    const frame = parsed(event.data);
    if (frame) told.frame(frame);
  };
  socket.onerror = () => {};
  socket.onclose = (event) => end(event.code, event.reason);
  return {
    name: "websocket",
    send(frame) {
      if (!over && socket.readyState === 1) socket.send(JSON.stringify(frame));
    },
    // The far end may be long gone: nobody waits for its closing frame.
    close() {
      over = true;
      try {
        socket.close(1000);
      } catch {
        // It was not open yet.
      }
    },
  };
}

export function parsed(data) {
  try {
    const frame = JSON.parse(data);
    return frame && typeof frame.t === "string" ? frame : null;
  } catch {
    return null;
  }
}
