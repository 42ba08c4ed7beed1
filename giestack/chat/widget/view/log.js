// The log of one room: keeps its elements in step with the room's messages, and the reader's place.
import { el, gathered, icon } from "./dom.js";
import { items, noted } from "./items.js";
import { messageNode, pendingNode, seen } from "./message.js";
import { lineNode, lineSeen } from "./notices.js";

const NEAR = 48;
const EARLIER = 240;
const MOST_SHOWN = 400;
const NOTED_PEOPLE = 60;
const QUIET = 1000;

export function createLog(ctx, actions) {
  const { client, texts } = ctx;
  const places = new Map(); // what the view knows of each room: {cleared, since, first, notes, people}
  const nodes = new Map(); // key → {node, seen}
  let room = null, atEnd = true, focused = null, loading = false, quiet = null;

  const list = el("div", { class: "lines" });
  const top = el("div", { class: "top" });
  const bottom = el("div", { class: "pendings" });
  const scroller = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", tabindex: "0", onscroll: () => scrolled(), onkeydown: (event) => keyed(event), onfocusin: (event) => focusing(event) }, top, list, bottom);
  const jump = el("button", { type: "button", class: "jump", hidden: true, onclick: () => toEnd() }, icon("down"), el("span", {}));
  const node = el("div", { class: "log-frame" }, scroller, jump);
  const plan = gathered(() => render());
  new ResizeObserver(() => { if (atEnd) scroller.scrollTop = scroller.scrollHeight; }).observe(scroller);

  const place = (id) => {
    if (!places.has(id)) places.set(id, { cleared: 0, since: null, first: 0, notes: [], people: null });
    return places.get(id);
  };

  function show(next) {
    room = next;
    nodes.clear();
    for (const one of [top, list, bottom]) one.replaceChildren();
    atEnd = true;
    focused = null;
    hush();
    if (!room) return;
    const here = place(room.id);
    here.since = room.unread > 0 ? room.read : null;
    here.first = 0;
    scroller.setAttribute("aria-label", texts.say("log.label", { room: room.name }));
    render();
  }

  // What is fetched is not read aloud; what is said from now on is.
  function hush() {
    scroller.setAttribute("aria-live", "off");
    clearTimeout(quiet);
    quiet = setTimeout(() => scroller.setAttribute("aria-live", "polite"), QUIET);
  }

  function lines() {
    const here = place(room.id);
    if (atEnd && room.messages.length > MOST_SHOWN) here.first = Math.max(here.first, room.messages.at(-MOST_SHOWN / 2).seq);
    return items({ messages: room.messages, notices: room.notices, notes: room.atEnd === false ? [] : here.notes, cleared: here.cleared, since: here.since, first: here.first });
  }

  function render() {
    if (!room) return;
    const anchor = atEnd ? null : anchored();
    const wants = lines();
    const keys = new Set(wants.map((line) => line.key));
    for (const [key, one] of nodes) if (!keys.has(key)) { one.node.remove(); nodes.delete(key); }
    let next = list.firstChild;
    for (const line of wants) {
      const old = nodes.get(line.key)?.node;
      const made = nodeOf(line);
      if (next && old === next) next = made;
      if (made === next) next = next.nextSibling;
      else list.insertBefore(made, next);
    }
    bottom.replaceChildren(...room.pending.map((pending) => pendingNode(pending, room, ctx)));
    renderTop(wants);
    rove();
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    else if (nodes.has(anchor?.key)) scroller.scrollTop += ends(nodes.get(anchor.key).node) - anchor.end;
    renderJump();
    settle();
  }

  function nodeOf(line) {
    const signature = line.kind === "message" ? seen(line, room, ctx) : lineSeen(line);
    const old = nodes.get(line.key);
    if (old && old.seen === signature) return old.node;
    const made = line.kind === "message" ? messageNode(line, room, ctx, actions) : lineNode(line, ctx);
    if (old) {
      const had = old.node.contains(ctx.active());
      old.node.replaceWith(made);
      if (had) made.focus?.({ preventScroll: true });
    }
    made.dataset.key = line.key;
    nodes.set(line.key, { node: made, seen: signature });
    return made;
  }

  function renderTop(wants) {
    const here = place(room.id);
    const hidden = here.cleared && room.messages.some((one) => one.seq <= here.cleared);
    const words = !room.messages.length && room.loading ? el("p", { class: "hint" }, texts.say("log.loading"))
      : hidden ? el("button", { type: "button", class: "text", onclick: () => { here.cleared = 0; plan(); } }, texts.say("log.show_cleared"))
        : room.loading ? el("p", { class: "hint" }, texts.say("log.loading"))
          : !wants.length && !room.pending.length ? el("p", { class: "hint" }, texts.say("log.empty"))
            : room.complete && !here.first ? el("p", { class: "hint" }, texts.say("log.beginning"))
              : el("button", { type: "button", class: "text", onclick: () => earlier() }, texts.say("log.earlier"));
    if (top.firstChild?.textContent !== words.textContent || top.firstChild?.nodeName !== words.nodeName) top.replaceChildren(words);
  }

  // The line at the top edge and where it ends, to be there again when something is put above it.
  // Its upper part may change then; and a day goes on above what is put there.
  function anchored() {
    for (const one of list.children) if (!one.matches(".day,.new") && ends(one) > scroller.scrollTop) return { key: one.dataset.key, end: ends(one) };
    return null;
  }

  const ends = (line) => line.offsetTop + line.offsetHeight;

  function renderJump() {
    jump.hidden = atEnd && room.atEnd !== false;
    if (!jump.hidden) jump.lastChild.textContent = room.unread ? texts.say("log.jump_new", { count: room.unread }) : texts.say("log.jump");
  }

  function scrolled() {
    if (!room) return;
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    renderJump();
    if (scroller.scrollTop < EARLIER && scroller.scrollHeight > scroller.clientHeight) earlier();
    else if (atEnd && room.atEnd === false) load(() => client.newer(room.id));
    settle();
  }

  // Shows more above: what is there already, or what the server has.
  function earlier() {
    const here = place(room.id);
    if (here.cleared) return;
    const shown = room.messages.findIndex((one) => one.seq >= here.first);
    if (shown > 0) {
      here.first = shown > 100 ? room.messages[shown - 100].seq : 0;
      atEnd = false;
      plan();
    } else if (!room.complete && room.messages.length) load(() => client.older(room.id));
  }

  function load(ask) {
    if (loading) return;
    loading = true;
    hush();
    ask().catch(() => {}).finally(() => { loading = false; hush(); plan(); });
  }

  function toEnd() {
    atEnd = true;
    if (room.atEnd === false) client.latest(room.id).catch((error) => ctx.complain(error));
    else render();
    scroller.scrollTop = scroller.scrollHeight;
    jump.hidden = true;
    actions.focus();
  }

  // Read is what somebody can see.
  function settle() {
    if (!room || !ctx.visible()) return;
    if (atEnd && room.atEnd !== false && room.read < room.last) client.markRead(room.id);
  }

  // While nobody looks, or looks elsewhere, what comes is new.
  function arrived() {
    const here = place(room.id);
    if (here.since === null && (!ctx.visible() || !atEnd)) here.since = room.read;
    plan();
  }

  async function jumpTo(seq) {
    if (!nodes.has(`m${seq}`)) {
      atEnd = false;
      const here = place(room.id);
      here.cleared = here.first = 0;
      try {
        if (!client.message(room.id, seq)) await client.around(room.id, seq);
      } catch (error) { ctx.complain(error); return; }
      atEnd = false;
      render();
    }
    const found = nodes.get(`m${seq}`)?.node;
    if (!found) { ctx.tell(texts.say("log.nowhere")); return; }
    atEnd = false;
    found.scrollIntoView({ block: "center" });
    focusOn(found);
    found.classList.remove("found");
    void found.offsetWidth;
    found.classList.add("found");
  }

  // One message is in the order of Tab; arrows go to the others.
  function rove() {
    const messages = list.querySelectorAll(".message");
    if (focused && !focused.isConnected) focused = focused.dataset.seq ? nodes.get(`m${focused.dataset.seq}`)?.node ?? null : null;
    for (const one of messages) one.tabIndex = -1;
    const stop = focused ?? messages[messages.length - 1];
    if (stop) stop.tabIndex = 0;
    scroller.tabIndex = stop ? -1 : 0;
  }

  function focusOn(message) {
    focused = message;
    rove();
    message.focus({ preventScroll: true });
    message.scrollIntoView({ block: "nearest" });
  }

  function focusing(event) {
    const message = event.target.closest(".message[data-seq]");
    if (message && message !== focused) { focused = message; rove(); }
  }

  function keyed(event) {
    const message = event.target.closest?.(".message[data-seq]");
    if (!message || event.target !== message) return;
    const all = [...list.querySelectorAll(".message[data-seq]")];
    const at = all.indexOf(message);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (to < 0) earlier();
      else if (to < all.length) focusOn(all[to]);
      else actions.focus();
      return;
    }
    const said = client.message(room.id, Number(message.dataset.seq));
    if (said && actions.key(event, said, message)) event.preventDefault();
  }

  function people(id) {
    const of = client.state.rooms.get(id);
    if (!of) return;
    const here = place(id);
    const now = new Map([...of.people].map(([key, one]) => [key, one.name]));
    if (here.people && of.count <= NOTED_PEOPLE && of.kind !== "dm") {
      const only = (some, others) => [...some].filter(([key]) => !others.has(key) && key !== client.state.me.id).map(([, name]) => name);
      here.notes = noted(here.notes, only(now, here.people), only(here.people, now), client.serverNow(), of.messages.at(-1)?.ts ?? 0);
    }
    if (of.people.size || here.people) here.people = now;
    if (room?.id === id) plan();
  }

  return {
    node, show, plan, arrived, people, jumpTo, settle,
    clear() { place(room.id).cleared = room.last; plan(); ctx.tell(texts.say("log.cleared")); },
    sent() { place(room.id).since = null; atEnd = true; if (room.atEnd === false) client.latest(room.id).catch(() => {}); render(); },
    forget() { for (const here of places.values()) here.people = null; },
    focusLast() { const last = list.querySelector(".message[tabindex='0']"); if (last) focusOn(last); return Boolean(last); },
  };
}
