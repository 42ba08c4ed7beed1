// One room: its head, its log, who is writing, and where one writes.
import { createMessageActions, openRoomMenu } from "./actions.js";
import { createComposer } from "./composer.js";
import { bdi, el, icon, iconButton } from "./dom.js";
import { createLog } from "./log.js";
import { openPeople } from "./people.js";
import { roomSign } from "./room_list.js";
import { openSearch } from "./searching.js";
import { createBanner } from "./status.js";

export function createRoomView(ctx, { back }) {
  const { client, texts } = ctx;
  const current = () => client.state.rooms.get(client.state.current) ?? null;
  let shown = null, drawn = "";

  const actions = createMessageActions(ctx, () => composer);
  const composer = createComposer(ctx, { sent: () => log.sent(), toLog: () => log.focusLast() });
  const log = createLog(ctx, { ...actions, jump: (seq) => log.jumpTo(seq), focus: () => composer.focus() });
  const banner = createBanner(ctx);
  const title = el("h2", {});
  const count = el("span", {});
  const people = el("button", { type: "button", class: "tool wide", onclick: () => openPeople(ctx, current()) }, icon("people"), count);
  const search = iconButton("search", texts.say("room.search"), () => openSearch(ctx, current()), { class: "tool roomy" });
  const more = iconButton("more", texts.say("room.actions"), () => openRoomMenu(ctx, current(), more, {
    clear: () => log.clear(), search: () => openSearch(ctx, current()),
  }), { class: "tool dotted", "aria-haspopup": "menu", "aria-expanded": "false" });
  const typing = el("div", { class: "typing" });
  const head = el("header", { class: "room-head" }, iconButton("back", texts.say("room.back"), back, { class: "tool back" }), title, people, search, more);
  const empty = el("div", { class: "screen" }, el("span", { class: "emblem" }, icon("chat")), el("p", {}, texts.say("room.none")));
  const conversation = el("div", { class: "conversation" }, log.node, typing, composer.node);
  const node = el("section", { class: "main", "aria-label": texts.say("room.label") }, head, banner.node, conversation, empty);

  function render() {
    const room = current();
    banner.render();
    head.classList.toggle("none", !room);
    title.hidden = people.hidden = search.hidden = more.hidden = conversation.hidden = !room;
    empty.hidden = Boolean(room);
    if (room?.id !== shown) {
      shown = room?.id ?? null;
      drawn = "";
      title.replaceChildren();
      log.show(room);
      composer.show(room);
      client.state.rooms.forEach((one) => log.people(one.id));
    }
    if (!room) return;
    const words = JSON.stringify([room.id, room.name, room.kind, room.locked, room.slow]);
    if (words !== drawn) {
      drawn = words;
      title.replaceChildren(roomSign(room), bdi(room.name));
    }
    composer.render();
    renderPeople();
    renderTyping();
  }

  function renderPeople() {
    const room = current();
    if (!room) return;
    people.hidden = room.kind === "dm";
    count.textContent = texts.number(room.count || room.people.size);
    people.title = texts.say("people.title", { count: room.count || room.people.size });
    people.setAttribute("aria-label", people.title);
  }

  function renderTyping() {
    const room = current();
    const names = (room?.typing ?? []).filter((one) => one.user !== client.state.me?.id).map((one) => one.name);
    const words = !names.length ? [] : names.length > 2 ? [texts.say("typing.many")]
      : texts.nodes("typing.some", { count: names.length, names: el("bdi", {}, texts.list(names)) }, bdi);
    typing.replaceChildren(...words);
    typing.classList.toggle("on", names.length > 0);
  }

  return {
    node, log, composer, render,
    heard(kind, roomId) {
      if (kind === "people") { log.people(roomId); if (roomId === shown) renderPeople(); }
      if (roomId !== shown || !shown) return;
      if (kind === "messages") log.arrived();
      else if (kind === "pending" || kind === "room") { log.plan(); render(); } else if (kind === "typing") renderTyping();
    },
  };
}
