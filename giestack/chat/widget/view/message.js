// One message as the log shows it.
import { bdi, el, icon, newId } from "./dom.js";
import { excerpt, hue } from "./items.js";
import { markup } from "./markup.js";
import { plain } from "../engine/markdown.js";

const ROLES = { moderator: "role.moderator", admin: "role.admin" };

// What of a message is seen: where this is the same, its element may stay.
export function seen(line, room, ctx) {
  const { message } = line;
  const role = room.people.get(message.user)?.role;
  const quoted = message.reply ? ctx.client.message(room.id, message.reply) : null;
  return [line.head, message.text, message.edited, message.deleted, message.by, message.reason, message.mentionsMe, role, quoted?.text, quoted?.deleted].join("\u0000");
}

// A round sign with somebody's first letter, in their colour.
export const face = (user, name) => el("span", { class: `face hue${hue(user)}`, "aria-hidden": "true" }, [...(name || "?")][0].toLocaleUpperCase());

// The time of day, with the full date as tooltip.
export const when = (ts, texts) => el("time", { datetime: new Date(ts).toISOString(), title: texts.full(ts) }, texts.clock(ts));

export const roleBadge = (role, texts) => (ROLES[role] ? el("span", { class: "badge role" }, texts.say(ROLES[role])) : null);

// line: of items.js; actions: {menu(message, button), jump(seq)}.
export function messageNode(line, room, ctx, actions) {
  const { message } = line;
  const { texts } = ctx;
  const by = newId("by"), said = newId("said");
  const role = room.people.get(message.user)?.role;
  const more = el("button", {
    type: "button", class: "tool dots", tabindex: "-1", "aria-haspopup": "menu", title: texts.say("message.actions"),
    "aria-label": texts.say("message.actions_of", { name: message.name, time: texts.clock(message.ts) }),
    onclick: () => actions.menu(message, more),
  }, icon("more"));
  const byline = el("div", { class: "byline", id: by },
    el("span", { class: "name" }, message.mine ? texts.say("message.me") : bdi(message.name)),
    roleBadge(role, texts),
    message.impersonated && el("span", { class: "badge impersonated", title: texts.say("message.impersonated_why") }, texts.say("message.impersonated")),
    when(message.ts, texts));
  const body = el("div", { class: "body" }, byline,
    message.reply && quote(message.reply, room, ctx, actions),
    el("div", { class: "bubble", id: said }, content(message, ctx)));
  const classes = ["message", message.mine && "mine", line.head && "head", message.deleted && "gone", message.mentionsMe && "to-me"];
  return el("div", {
    role: "article", class: classes.filter(Boolean).join(" "), "data-seq": message.seq, tabindex: "-1", "aria-labelledby": `${by} ${said}`,
  }, line.head && !message.mine ? face(message.user, message.name) : el("span", { class: "face none", "aria-hidden": "true" }), body, more);
}

function content(message, ctx) {
  const { texts } = ctx;
  if (message.deleted) return [el("p", { class: "tombstone" }, texts.nodes(...tombstone(message), bdi))];
  return [...markup(message.text, message, ctx),
    message.edited ? el("span", { class: "edited", title: texts.full(message.edited) }, texts.say("message.edited")) : null];
}

function tombstone(message) {
  if (message.by && message.by !== message.name && message.reason) return ["message.deleted_why", { name: message.by, reason: message.reason }];
  if (message.by && message.by !== message.name) return ["message.deleted_by", { name: message.by }];
  return ["message.deleted", {}];
}

// The message that another answers, in one line; pressed, it is shown.
function quote(seq, room, ctx, actions) {
  const { texts } = ctx;
  const answered = ctx.client.message(room.id, seq);
  const words = !answered ? [texts.say("message.earlier")]
    : [bdi(answered.name, { class: "name" }), " ", bdi(answered.deleted ? texts.say("message.deleted") : excerpt(plain(answered.text)))];
  return el("button", { type: "button", class: "quote", title: texts.say("message.jump"), onclick: () => actions.jump(seq) }, icon("reply"), el("span", {}, words));
}

// A message that was not stored yet, or was refused.
export function pendingNode(pending, room, ctx) {
  const { texts, client } = ctx;
  const failed = pending.status === "failed";
  const state = failed
    ? el("span", { class: "state bad" }, icon("warning"), ctx.refusal(pending))
    : el("span", { class: "state" }, texts.say(pending.status === "waiting" ? "pending.waiting" : "pending.sending"));
  return el("div", { role: "article", class: failed ? "message mine head pending failed" : "message mine head pending", "data-cid": pending.cid },
    el("span", { class: "face none", "aria-hidden": "true" }),
    el("div", { class: "body" },
      el("div", { class: "bubble" }, markup(pending.text, { mentions: [] }, ctx)),
      el("div", { class: "byline" }, state,
        failed && el("button", { type: "button", class: "text", onclick: () => client.retry(pending.cid) }, texts.say("pending.retry")),
        failed && el("button", { type: "button", class: "text", onclick: () => client.discard(pending.cid) }, texts.say("pending.discard")))));
}
