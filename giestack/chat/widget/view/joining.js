// Where one joins a room or makes one, or begins to write to somebody.
import { bdi, el } from "./dom.js";
import { peopleFinder } from "./people.js";
import { roomSign } from "./room_list.js";
import { field, openSheet, select } from "./sheet.js";

export function openJoining(ctx) {
  const { texts } = ctx;
  const wrong = el("p", { class: "wrong", role: "alert" });
  const enter = async (ask) => {
    wrong.textContent = "";
    try {
      const id = await ask();
      ctx.sheet?.close(false);
      ctx.enter(id);
    } catch (error) { wrong.textContent = ctx.refusal(error); }
  };
  openSheet(ctx, { title: texts.say("join.title"), content: [byName(ctx, enter), wrong, listed(ctx, enter), peopleFinder(ctx)] });
}

// A name that a public room has joins it; any other makes a room.
function byName(ctx, enter) {
  const { client, texts } = ctx;
  const name = el("input", { type: "text", autocomplete: "off", maxlength: "60", dir: "auto" });
  const kind = select([["unlisted", texts.say("join.unlisted")], ["public", texts.say("join.public")]], "unlisted");
  const submit = (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    if (!wanted) { name.focus(); return; }
    enter(async () => {
      const linked = /#room=([^&\s]+)/.exec(wanted);
      if (linked) return client.join(decodeURIComponent(linked[1]));
      const there = (await client.publicRooms(wanted)).find((room) => room.name.toLowerCase() === wanted.toLowerCase());
      return there ? client.join(there.id) : client.create({ kind: kind.value, name: wanted });
    });
  };
  return el("form", { onsubmit: submit, novalidate: true },
    field(texts.say("join.name"), name),
    field(texts.say("join.kind"), kind, texts.say("join.kind_hint")),
    el("div", { class: "actions" }, el("button", { type: "submit", class: "button primary" }, texts.say("join.go"))));
}

function listed(ctx, enter) {
  const { client, texts } = ctx;
  const list = el("div", { class: "available" });
  client.publicRooms("").then((rooms) => {
    list.replaceChildren(...rooms.map((room) => el("button", { type: "button", class: "button", onclick: () => enter(() => client.join(room.id)) }, roomSign(room), bdi(room.name))));
    if (!rooms.length) list.append(el("p", { class: "hint" }, texts.say("join.none")));
  }, (error) => list.replaceChildren(el("p", { class: "hint" }, ctx.refusal(error))));
  return el("section", {}, el("h3", {}, texts.say("join.available")), list);
}
