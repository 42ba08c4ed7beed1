// What stands in place of the rooms while one can't take part.
import { button, el, icon } from "./dom.js";

const SCREENS = { starting, optin, loggedout, banned, disabled, unavailable };

// What the protocol says where nobody has given a reason.
const CODES = ["banned", "forbidden"];

// Whether the phase has a screen of its own.
export const hasScreen = (state) => state.phase in SCREENS || (state.phase === "connecting" && !state.me);

export function screenNode(ctx) {
  const { phase } = ctx.client.state;
  return el("div", { class: `screen ${phase}`, tabindex: "-1" }, (SCREENS[phase] ?? starting)(ctx));
}

const sign = (name) => el("span", { class: "emblem" }, icon(name));

function starting({ texts }) {
  return [el("span", { class: "spinner", "aria-hidden": "true" }), el("p", { role: "status" }, texts.say("screen.starting"))];
}

function optin(ctx) {
  const { client, texts } = ctx;
  const name = el("bdi", {}, client.state.me?.name ?? "");
  const go = button(texts.say("opt_in.go"), async () => {
    go.disabled = true;
    try {
      await client.optIn();
    } catch (error) {
      go.disabled = false;
      ctx.complain(error);
    }
  }, { class: "button primary" });
  const points = ["opt_in.name", "opt_in.online", "opt_in.messages", "opt_in.moderators", "opt_in.email"];
  return [sign("chat"), el("h2", {}, texts.say("opt_in.title")), el("p", {}, texts.say("opt_in.words")),
    el("ul", {}, points.map((key) => el("li", {}, client.state.me || key !== "opt_in.name" ? texts.nodes(key, { name }) : texts.say("opt_in.name_unknown")))),
    el("p", { class: "hint" }, texts.say("opt_in.later")), go];
}

function loggedout(ctx) {
  const { client, texts } = ctx;
  const galaxy = client.state.galaxy_url ?? ctx.known.galaxy_url;
  const here = location.origin + location.pathname + location.search;
  const inside = galaxy && here.startsWith(new URL(galaxy).origin) && !here.includes("%");
  const href = galaxy && new URL(`login/start${inside ? `?redirect=${encodeURI(location.pathname)}` : ""}`, galaxy).href;
  return [sign("person"), el("h2", {}, texts.say("logged_out.title")), el("p", {}, texts.say("logged_out.words")),
    href ? el("a", { class: "button primary", href, target: ctx.page && window.top !== window ? "_top" : null }, texts.say("logged_out.go")) : null,
    button(texts.say("logged_out.again"), () => client.refresh())];
}

function banned(ctx) {
  const { client, texts } = ctx;
  const until = client.state.banned_until;
  return [sign("ban"), el("h2", {}, texts.say("banned.title")),
    el("p", {}, until && until < Number.MAX_SAFE_INTEGER ? texts.say("banned.until", { until: texts.full(until) }) : texts.say("banned.for_ever")),
    client.state.reason && !CODES.includes(client.state.reason) ? el("p", {}, texts.say("banned.why"), " ", el("q", { dir: "auto" }, client.state.reason)) : null];
}

function disabled({ texts }) {
  return [sign("lock"), el("h2", {}, texts.say("disabled.title")), el("p", {}, texts.say("disabled.words"))];
}

function unavailable(ctx) {
  const { client, texts } = ctx;
  return [sign("warning"), el("h2", {}, texts.say("unavailable.title")), el("p", {}, texts.say("unavailable.words")),
    button(texts.say("status.try_now"), () => client.refresh())];
}
