// A server and one tab of a browser, started.

import { createClient } from "../../../giestack/chat/widget/engine/client.js";
import { Browser } from "./fakes.mjs";
import { Server } from "./server.mjs";

export function begin(change = () => {}, more = {}) {
  const server = new Server();
  const browser = new Browser(server);
  change(server);
  return { server, browser, clock: browser.clock, ...open(browser, more) };
}

// One more tab of the same browser.
export function open(browser, more = {}) {
  const tab = browser.tab(more);
  const client = createClient(tab.options);
  const events = [];
  client.subscribe((...one) => events.push(one));
  client.start();
  return {
    tab,
    client,
    events,
    state: client.state,
    texts: (room = "r1") => client.state.rooms.get(room).messages.map((one) => one.text),
    pending: (room = "r1") => client.state.rooms.get(room).pending,
    kinds: (kind) => events.filter((one) => one[0] === kind),
  };
}
