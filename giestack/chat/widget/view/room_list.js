// The rooms one has: those of the site, one's own, and the people one writes with.
import { bdi, button, el, icon, newId } from "./dom.js";
import { badge, grouped } from "./items.js";
import { face } from "./message.js";

const GROUPS = { fixed: "rooms.fixed", own: "rooms.own", dm: "rooms.dm" };

export const roomSign = (room) => {
  if (room.kind === "dm") return face(room.peer?.id ?? room.id, room.name);
  return el("span", { class: "sign", "aria-hidden": "true" }, icon(room.locked ? "lock" : room.kind === "unlisted" ? "unlisted" : "room"));
};

export function createRoomList(ctx, choose) {
  const { client, texts } = ctx;
  const node = el("nav", { class: "rooms", "aria-label": texts.say("rooms.label") });
  let drawn = "";

  function render() {
    const { rooms, current, phase } = client.state;
    const words = JSON.stringify([current, phase === "offline", [...rooms.values()].map((room) => [room.id, room.name, room.kind, room.locked, room.joined, room.unread, room.mentions, room.persistent])]);
    if (words === drawn) return;
    drawn = words;
    const had = ctx.active()?.dataset?.room;
    const groups = grouped(rooms.values());
    node.replaceChildren(...Object.entries(GROUPS).filter(([name]) => groups[name].length).map(([name, title]) => group(texts.say(title), groups[name], current)));
    if (!rooms.size) node.append(...nothing(phase));
    if (had) node.querySelector(`[data-room="${CSS.escape(had)}"]`)?.focus({ preventScroll: true });
  }

  // Who was never online does not know of any room.
  function nothing(phase) {
    if (phase !== "offline") return [el("p", { class: "hint" }, texts.say("rooms.none"))];
    const go = button(texts.say("status.go_online"), () => client.goOnline().catch(ctx.complain), { class: "button primary" });
    return [el("div", { class: "nothing" }, el("p", {}, texts.say("banner.offline")), go)];
  }

  function group(title, rooms, current) {
    const id = newId("group");
    return el("section", { "aria-labelledby": id }, el("h3", { id }, title), el("ul", {}, rooms.map((room) => el("li", {}, entry(room, room.id === current)))));
  }

  function entry(room, chosen) {
    const counts = [];
    if (room.mentions) counts.push(el("span", { class: "badge at", "aria-hidden": "true" }, "@"));
    if (room.unread) counts.push(el("span", { class: room.mentions || room.kind === "dm" ? "badge count loud" : "badge count", "aria-hidden": "true" }, badge(room.unread)));
    const said = [room.unread && texts.say("unread", { count: room.unread }), room.mentions && texts.say("mentions", { count: room.mentions })].filter(Boolean);
    return el("button", {
      type: "button", class: room.unread ? "room unread" : "room", "data-room": room.id, "aria-current": chosen ? "true" : null,
      onclick: () => choose(room.id),
    }, roomSign(room), bdi(room.name, { class: "name" }), said.length ? el("span", { class: "hidden" }, `, ${said.join(", ")}`) : null, counts);
  }

  return { node, render };
}
