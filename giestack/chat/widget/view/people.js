// Who is in a room, and whom one may write to.
import { bdi, el, iconButton } from "./dom.js";
import { face, roleBadge } from "./message.js";
import { openMenu } from "./menu.js";
import { isModerator, lift, openSanction } from "./moderation.js";
import { field, openSheet } from "./sheet.js";

export function personRow(ctx, room, person) {
  const { texts, client } = ctx;
  const self = person.id === client.state.me.id;
  const more = !self && room && isModerator(ctx) && iconButton("more", texts.say("people.actions", { name: person.name }), (event) => openMenu(ctx, event.currentTarget, [
    { icon: "mute", label: texts.say("message.mute"), danger: true, act: () => openSanction(ctx, "mute", room, person) },
    { icon: "mute", label: texts.say("people.unmute"), act: () => lift(ctx, "unmute", room, person) },
    { icon: "ban", label: texts.say("message.ban"), danger: true, act: () => openSanction(ctx, "ban", room, person) },
    { icon: "ban", label: texts.say("people.unban"), act: () => lift(ctx, "unban", null, person) },
  ], texts.say("people.actions", { name: person.name })), { class: "tool dotted", "aria-haspopup": "menu" });
  return el("li", { class: "person" }, face(person.id, person.name), bdi(person.name, { class: "name" }), roleBadge(person.role, texts),
    self ? el("span", { class: "hint" }, texts.say("people.you"))
      : iconButton("chat", texts.say("people.write", { name: person.name }), () => ctx.writeTo(person)), more || null);
}

export function openPeople(ctx, room) {
  const { texts } = ctx;
  const sorted = [...room.people.values()].sort((one, other) => one.name.localeCompare(other.name));
  const rest = room.count - sorted.length;
  openSheet(ctx, {
    title: texts.say("people.title", { count: room.count }),
    content: [el("ul", { class: "people" }, sorted.map((person) => personRow(ctx, room, person))),
      rest > 0 && sorted.length ? el("p", { class: "hint" }, texts.say("people.rest", { count: rest })) : null],
  });
}

// A field that finds people as one writes.
export function peopleFinder(ctx) {
  const { client, texts } = ctx;
  const found = el("ul", { class: "people" });
  const told = el("p", { class: "hint", role: "status" });
  let asked = 0;
  async function look(text) {
    const number = asked += 1;
    if (!text.trim()) { found.replaceChildren(); told.textContent = ""; return; }
    try {
      const people = (await client.people(text.trim())).filter((one) => one.id !== client.state.me.id);
      if (number !== asked) return;
      found.replaceChildren(...people.map((person) => personRow(ctx, null, person)));
      told.textContent = people.length ? "" : texts.say("people.none");
    } catch (error) { told.textContent = ctx.refusal(error); }
  }
  const input = el("input", { type: "search", autocomplete: "off", dir: "auto", oninput: () => look(input.value) });
  return el("section", {}, el("h3", {}, texts.say("join.person")), field(texts.say("join.person_name"), input), found, told);
}
