// Finding messages by their words.
import { plain } from "../engine/markdown.js";
import { bdi, button, el } from "./dom.js";
import { excerpt } from "./items.js";
import { field, openSheet, toggle } from "./sheet.js";

const PAUSE = 300;

// room: where one is, or null: then all rooms are searched.
export function openSearch(ctx, room) {
  const { client, texts } = ctx;
  let here = Boolean(room), asked = 0, timer = null;
  const results = el("ul", { class: "results" });
  const told = el("p", { class: "hint", role: "status" });
  const further = el("div", { class: "actions" });

  async function look(before) {
    const number = asked += 1;
    const text = input.value.trim();
    further.replaceChildren();
    if (!before) results.replaceChildren();
    if (!text) { told.textContent = ""; return; }
    told.textContent = texts.say("search.looking");
    try {
      const { messages, next } = await client.search(text, { room: here ? room.id : undefined, before });
      if (number !== asked) return;
      results.append(...messages.map((message) => el("li", {}, result(ctx, message))));
      told.textContent = results.childElementCount ? texts.say("search.found", { count: results.childElementCount }) : texts.say("search.none");
      if (next) further.replaceChildren(button(texts.say("search.more"), () => look(next)));
    } catch (error) { if (number === asked) told.textContent = ctx.refusal(error); }
  }

  const soon = () => { clearTimeout(timer); timer = setTimeout(look, PAUSE); };
  const input = el("input", { type: "search", autocomplete: "off", dir: "auto", oninput: soon, onkeydown: (event) => { if (event.key === "Enter") { clearTimeout(timer); look(); } } });
  openSheet(ctx, {
    title: texts.say("search.title"),
    content: [field(texts.say("search.words"), input), room ? toggle(texts.say("search.here", { room: room.name }), here, (on) => { here = on; look(); }) : null, told, results, further],
    focus: input,
  });
}

function result(ctx, message) {
  const { client, texts } = ctx;
  const room = client.state.rooms.get(message.room);
  return el("button", { type: "button", class: "result", onclick: () => { ctx.sheet.close(false); ctx.enter(message.room, message.seq); } },
    el("span", { class: "byline" }, bdi(message.name, { class: "name" }), room ? bdi(room.name, { class: "hint" }) : null,
      el("time", { datetime: new Date(message.ts).toISOString() }, texts.short(message.ts))),
    el("span", { dir: "auto" }, excerpt(plain(message.text), 200)));
}
