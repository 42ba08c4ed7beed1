// The bubble at the page's corner: says whether one is online and what is new, and opens the panel.
import { el, icon } from "./dom.js";
import { badge } from "./items.js";
import { statusLabel } from "./status.js";

export function createBubble(ctx, onclick) {
  const { client, texts } = ctx;
  const count = el("span", { class: "bubble-count", "aria-hidden": "true", hidden: true });
  const mark = el("span", { class: "bubble-at", "aria-hidden": "true", hidden: true }, "@");
  const node = el("button", { type: "button", class: "launcher", "aria-expanded": "false", onclick }, icon("chat"), el("span", { class: "dot", "aria-hidden": "true" }), count, mark);
  function render(open) {
    const { state } = client;
    node.dataset.phase = state.phase;
    node.setAttribute("aria-expanded", String(open));
    count.hidden = !state.unread;
    count.textContent = badge(state.unread ?? 0);
    mark.hidden = !state.mentions;
    const words = [texts.say("bubble.label", { status: statusLabel(state, texts) })];
    if (state.unread) words.push(texts.say("unread", { count: state.unread }));
    if (state.mentions) words.push(texts.say("mentions", { count: state.mentions }));
    node.setAttribute("aria-label", words.join(", "));
    node.title = words.join("\n");
  }
  return { node, render };
}
