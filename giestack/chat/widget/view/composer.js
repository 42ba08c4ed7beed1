// Where one writes: new messages, answers, changes of one's own.
import { plain } from "../engine/markdown.js";
import { createCompletion } from "./completion.js";
import { bdi, el, icon, iconButton, newId } from "./dom.js";
import { excerpt, length } from "./items.js";

const BLOCKED = { offline: "composer.offline", muted: "composer.muted", locked: "composer.locked", notjoined: "composer.notjoined" };
const NOTICE_AT = 0.8;

export function createComposer(ctx, { sent, toLog }) {
  const { client, texts } = ctx;
  let room = null, reply = null, edit = null;
  const why = newId("why");
  const input = el("textarea", { rows: "1", dir: "auto", "aria-describedby": why, oninput: () => changed(), onkeydown: (event) => keyed(event), onblur: () => completion.hide() });
  const mirror = el("div", { class: "mirror", "aria-hidden": "true" });
  const completion = createCompletion(ctx, input, () => room.id);
  const mode = el("div", { class: "mode", hidden: true });
  const reason = el("div", { class: "reason", id: why });
  const counter = el("span", { class: "counter" });
  const go = el("button", { type: "submit", class: "tool send", title: texts.say("composer.send"), "aria-label": texts.say("composer.send") }, icon("send"));
  const node = el("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); submit(); } },
    completion.node, mode, reason, el("div", { class: "line" }, el("div", { class: "grow" }, input, mirror), counter, go));

  const limit = () => client.state.limits?.length || Infinity;

  function write(text) {
    completion.hide();
    input.value = text;
    resize();
  }

  function resize() {
    mirror.textContent = `${input.value}\u200b`;
    const signs = length(input.value), most = limit();
    counter.textContent = signs > most * NOTICE_AT ? texts.number(most - signs) : "";
    counter.classList.toggle("over", signs > most);
    counter.title = texts.say("composer.left", { count: Math.max(0, most - signs) });
    go.disabled = input.disabled || !input.value.trim() || signs > most;
  }

  function changed() {
    resize();
    if (!edit) client.setDraft(room.id, input.value);
    if (input.value.trim()) client.typing(room.id);
    completion.look();
  }

  function show(next) {
    room = next;
    reply = edit = null;
    renderMode();
    write(room?.draft ?? "");
    render();
  }

  // What stands in the way of writing, if anything does.
  function render() {
    if (!room) return;
    const label = texts.say(room.kind === "dm" ? "composer.label_dm" : "composer.label", { room: room.name });
    input.setAttribute("aria-label", label);
    input.placeholder = label;
    const blocked = client.canWrite(room.id);
    const had = ctx.active() === input;
    input.disabled = Boolean(blocked);
    node.classList.toggle("blocked", Boolean(blocked));
    const words = blocked ? reasonWords(blocked) : room.slow ? [icon("slow"), texts.say("composer.slow", { count: room.slow })] : [];
    reason.replaceChildren(...words);
    if (had && blocked) ctx.focusHome();
    resize();
  }

  function reasonWords(blocked) {
    const until = room.muted_until;
    if (blocked === "muted" && until < Number.MAX_SAFE_INTEGER) return [icon("mute"), texts.say("composer.muted_until", { until: texts.short(until) })];
    const words = [icon(blocked === "locked" ? "lock" : "warning"), texts.say(BLOCKED[blocked] ?? "composer.offline")];
    if (blocked === "offline" && client.state.phase === "offline") words.push(el("button", { type: "button", class: "text", onclick: () => client.goOnline().catch(ctx.complain) }, texts.say("status.go_online")));
    if (blocked === "notjoined") words.push(el("button", { type: "button", class: "text", onclick: () => client.join(room.id).catch(ctx.complain) }, texts.say("composer.join")));
    return words;
  }

  function renderMode() {
    const of = edit ?? reply;
    mode.hidden = !of;
    if (!of) { mode.replaceChildren(); return; }
    const words = edit ? [texts.say("composer.editing")] : texts.nodes("composer.replying", { name: reply.name }, bdi);
    mode.replaceChildren(icon(edit ? "edit" : "reply"), el("span", { class: "what" }, words, " ", el("span", { class: "hint" }, bdi(excerpt(plain(of.text))))),
      iconButton("close", texts.say(edit ? "composer.cancel_edit" : "composer.cancel_reply"), () => cancel()));
  }

  function cancel() {
    if (edit) write(room.draft ?? "");
    reply = edit = null;
    renderMode();
    input.focus();
  }

  async function submit() {
    const text = input.value.trim();
    if (!text || length(text) > limit() || input.disabled) return;
    if (edit) { await change(text); return; }
    const answered = reply?.seq;
    write("");
    client.setDraft(room.id, "");
    reply = null;
    renderMode();
    const of = room;
    client.send(of.id, text, answered).catch((error) => {
      // Where it did not even begin to be sent, nothing of it is lost.
      if (of.pending.some((one) => one.text === text)) return;
      ctx.complain(error);
      if (of === room && !input.value) { write(text); client.setDraft(of.id, text); }
    });
    sent();
    input.focus();
  }

  async function change(text) {
    const { seq } = edit, of = room.id;
    try {
      if (text !== edit.text) await client.edit(of, seq, text);
      if (edit?.seq === seq) cancel();
    } catch (error) { ctx.complain(error); }
  }

  function keyed(event) {
    if (event.isComposing || completion.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && (reply || edit)) {
      event.preventDefault();
      event.stopPropagation();
      cancel();
    } else if (event.key === "ArrowUp" && !input.value && !edit) {
      const own = room.messages.findLast((one) => one.mine && client.mayEdit(room.id, one));
      if (own) { event.preventDefault(); startEdit(own); } else toLog();
    }
  }

  function startEdit(message) {
    edit = message;
    reply = null;
    write(message.text);
    renderMode();
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
  }

  return {
    node, show, render, edit: startEdit,
    reply(message) { reply = message; if (edit) write(room.draft ?? ""); edit = null; renderMode(); input.focus(); },
    focus() { if (input.disabled) return false; input.focus({ preventScroll: true }); return true; },
    editing: () => edit,
  };
}
