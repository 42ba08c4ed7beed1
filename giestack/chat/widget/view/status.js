// Whether one is online: the switch in the list's head, and the line over a room that says what is wrong.
import { el, icon } from "./dom.js";

const LABELS = { online: "status.online", offline: "status.offline", connecting: "status.connecting" };
const TITLES = { online: "status.press_offline", offline: "status.press_online", connecting: "status.press_offline" };

// The words of a state for the bubble and the switch; anything but these three is no state to switch.
export const statusLabel = (state, texts) => texts.say(LABELS[state.phase] ?? "status.away");

export function createStatus(ctx) {
  const { client, texts } = ctx;
  const words = el("span", {});
  const node = el("button", { type: "button", class: "status", onclick: () => (client.state.phase === "offline" ? client.goOnline() : client.goOffline()).catch(ctx.complain) }, el("span", { class: "dot", "aria-hidden": "true" }), words);
  function render() {
    const { phase } = client.state;
    node.hidden = !(phase in LABELS);
    node.dataset.phase = phase;
    words.textContent = statusLabel(client.state, texts);
    node.title = phase in TITLES ? texts.say(TITLES[phase]) : "";
    node.setAttribute("aria-description", node.title);
  }
  return { node, render };
}

// What keeps one from being heard just now, with a way out; nothing while all is well.
export function createBanner(ctx) {
  const { client, texts } = ctx;
  const node = el("div", { class: "banner", role: "status", hidden: true });
  const count = el("span", {});
  let timer = null, drawn = "";

  function render() {
    const { phase, retryAt, impersonated } = client.state;
    // Over a room its composer says so.
    const kind = phase === "offline" ? (client.state.current ? "" : "offline") : phase === "connecting" ? "connecting" : impersonated ? "impersonated" : "";
    node.hidden = !kind;
    if (kind !== drawn) {
      drawn = kind;
      node.replaceChildren(...contents(kind));
    }
    clearInterval(timer);
    if (kind === "connecting") {
      tick();
      if (retryAt) timer = setInterval(tick, 500);
    }
  }

  function contents(kind) {
    const act = (label, onclick) => el("button", { type: "button", class: "text", onclick }, texts.say(label));
    if (kind === "offline") return [el("span", {}, texts.say("banner.offline")), act("status.go_online", () => client.goOnline().catch(ctx.complain))];
    if (kind === "connecting") return [el("span", {}, texts.say("banner.connecting")), el("span", { "aria-live": "off" }, count), act("status.try_now", () => client.refresh())];
    if (kind === "impersonated") return [icon("warning"), el("span", {}, texts.say("banner.impersonated"))];
    return [];
  }

  function tick() {
    const left = client.state.retryAt ? Math.ceil((client.state.retryAt - Date.now()) / 1000) : 0;
    count.textContent = left > 0 ? texts.say("banner.retry", { count: left }) : "";
  }

  return { node, render };
}
