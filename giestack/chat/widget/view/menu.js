// A menu of actions (the pattern "menu button" of the ARIA Authoring Practices).
import { el, icon } from "./dom.js";

// entries: [{icon, label, act, danger}], false ones left out. The menu stands at the anchor, inside the frame.
export function openMenu(ctx, anchor, entries, label) {
  const { layer, frame, placement } = ctx;
  layer.querySelector(".menu")?.dispatchEvent(new Event("gone"));
  const close = (refocus) => {
    if (!menu.isConnected) return;
    menu.remove();
    anchor.setAttribute("aria-expanded", "false");
    frame.removeEventListener("pointerdown", outside, true);
    if (refocus) anchor.focus({ preventScroll: true });
  };
  const outside = (event) => { if (!event.composedPath().includes(menu)) close(false); };
  const made = entries.filter(Boolean).map((entry) => el("button", {
    type: "button", role: "menuitem", tabindex: "-1", class: entry.danger ? "danger" : null,
    onclick: () => { close(true); entry.act(); },
  }, icon(entry.icon), el("span", {}, entry.label)));
  const menu = el("div", {
    class: "menu", role: "menu", "aria-label": label, ongone: () => close(false),
    onkeydown: (event) => keyed(event, made, close),
    onfocusout: (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) close(false); },
  }, made);
  layer.append(menu);
  place(menu, anchor, frame, placement);
  anchor.setAttribute("aria-expanded", "true");
  frame.addEventListener("pointerdown", outside, true);
  made[0].focus({ preventScroll: true });
}

function keyed(event, made, close) {
  const at = made.indexOf(event.target.closest("button"));
  const to = { ArrowDown: (at + 1) % made.length, ArrowUp: (at + made.length - 1) % made.length, Home: 0, End: made.length - 1 }[event.key];
  if (to !== undefined) made[to].focus();
  else if (event.key === "Escape") close(true);
  else if (event.key === "Tab") { close(true); return; }
  else {
    const next = [...made.slice(at + 1), ...made.slice(0, at + 1)].find((one) => event.key.length === 1 && one.textContent.toLowerCase().startsWith(event.key.toLowerCase()));
    if (!next || event.key === " ") return;
    next.focus();
  }
  event.preventDefault();
  event.stopPropagation();
}

// By a rule of a style sheet: a strict page allows no style of an element's own.
function place(menu, anchor, frame, placement) {
  const around = frame.getBoundingClientRect(), at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const within = (value, most) => Math.max(8, Math.min(value, most - 8));
  const below = at.bottom + 4 + height <= around.bottom - 8;
  const top = within(below ? at.bottom - around.top + 4 : at.top - around.top - height - 4, around.height - height);
  const left = within(at.right - around.left - width, around.width - width);
  placement.replaceSync(`.menu{top:${Math.round(top)}px;left:${Math.round(left)}px}`);
}
