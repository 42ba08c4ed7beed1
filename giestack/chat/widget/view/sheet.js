// Sheets: what covers the conversation for a while. One at a time; Escape and × close it.
import { button, el, iconButton, newId } from "./dom.js";

// Shows `content` under a title; the rest of the chat rests meanwhile. Returns {node, close}.
export function openSheet(ctx, { title, content, small = false, focus = null }) {
  const { layer, views, texts } = ctx;
  ctx.sheet?.close(false);
  const back = ctx.active();
  const id = newId("sheet");
  const sheet = {
    node: null,
    close(refocus = true) {
      if (!sheet.node.isConnected) return;
      sheet.node.parentNode.remove();
      views.inert = false;
      ctx.sheet = null;
      if (refocus && back?.isConnected) back.focus({ preventScroll: true });
      else if (refocus) ctx.focusHome();
    },
  };
  const closeButton = iconButton("close", texts.say("sheet.close"), () => sheet.close());
  sheet.node = el("div", {
    class: small ? "sheet small" : "sheet", role: "dialog", "aria-modal": "true", "aria-labelledby": id, tabindex: "-1",
    onkeydown: (event) => {
      if (event.key === "Tab") turned(event, sheet.node, ctx);
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      sheet.close();
    },
  }, el("header", {}, el("h2", { id }, title), closeButton), el("div", { class: "sheet-body" }, content));
  ctx.sheet = sheet;
  const cover = el("div", { class: "cover", onclick: (event) => { if (event.target === cover) sheet.close(); } }, sheet.node);
  layer.append(cover);
  views.inert = true;
  (focus ?? sheet.node.querySelector(".sheet-body :is(input,select,textarea,button,a[href])") ?? closeButton).focus({ preventScroll: true });
  return sheet;
}

// Tab goes round inside the sheet.
function turned(event, node, ctx) {
  const stops = [...node.querySelectorAll("a[href],button,input,select,textarea")].filter((one) => !one.disabled && one.offsetParent);
  const first = stops[0], last = stops.at(-1), at = ctx.active();
  if (event.shiftKey ? at === first || at === node : at === last) {
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  }
}

// A label over its field.
export function field(label, input, hint = null) {
  const id = newId("field");
  input.id = id;
  return el("div", { class: "field" }, el("label", { for: id }, label), input, hint && el("p", { class: "hint" }, hint));
}

export const select = (choices, chosen, onchange) => el("select", { onchange: (event) => onchange?.(event.target.value) },
  choices.map(([value, words]) => el("option", { value, selected: String(value) === String(chosen) }, words)));

// A switch: a checkbox with its words beside it.
export function toggle(label, checked, onchange, given = {}) {
  const input = el("input", { type: "checkbox", role: "switch", onchange: () => onchange(input.checked, input), ...given });
  input.checked = checked;
  return el("label", { class: "toggle" }, input, el("span", {}, label));
}

// A small form: fields, a button that acts, one that does not. `act` may refuse; then it is said why.
export function openForm(ctx, { title, words = null, fields = [], label, danger = false, act }) {
  const { texts } = ctx;
  const wrong = el("p", { class: "wrong", role: "alert" });
  const go = el("button", { type: "submit", class: danger ? "button danger" : "button primary" }, label);
  const form = el("form", {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      wrong.textContent = "";
      try {
        await act();
        sheet.close();
      } catch (error) {
        wrong.textContent = ctx.refusal(error);
        go.disabled = false;
      }
    },
  }, words && el("p", {}, words), fields, wrong, el("div", { class: "actions" }, button(texts.say("form.cancel"), () => sheet.close()), go));
  const sheet = openSheet(ctx, { title, content: form, small: true, focus: fields.length ? form.querySelector("input,select,textarea") : go });
  return sheet;
}
