// The chat itself: rooms beside a room, or one after the other where it is narrow. The panel and the page hold one.
import { el, icon, iconButton } from "./dom.js";
import { placeIn } from "./items.js";
import { openJoining } from "./joining.js";
import { createRoomList } from "./room_list.js";
import { createRoomView } from "./room_view.js";
import { hasScreen, screenNode } from "./screens.js";
import { openSearch } from "./searching.js";
import { openSettings } from "./settings.js";
import { createStatus } from "./status.js";

const WIDE = 560;
const TOLD = 6000;

// Fills ctx with what the parts ask of the whole; windowTools: buttons of the panel (none on the page).
export function createFrame(ctx, windowTools = []) {
  const { client, texts } = ctx;
  let inRoom = false, screen = "", wished = null, hushed = null;

  const status = createStatus(ctx);
  const list = createRoomList(ctx, (id) => enter(id));
  const roomView = createRoomView(ctx, { back: () => toList() });
  const tool = (shape, key, open) => iconButton(shape, texts.say(key), () => open(ctx, null));
  const join = el("button", { type: "button", class: "button wide", onclick: () => openJoining(ctx) }, icon("plus"), texts.say("rooms.join"));
  const fallback = el("p", { class: "hint fallback", hidden: true }, texts.say("status.fallback"));
  const side = el("div", { class: "side" },
    el("header", {}, el("h2", { tabindex: "-1" }, texts.say("chat")), status.node,
      el("span", { class: "tools" }, tool("search", "search.title", openSearch), tool("settings", "settings.title", openSettings))),
    list.node, fallback, el("footer", {}, join));
  const covered = el("div", { class: "screens", hidden: true });
  const views = el("div", { class: "views" }, side, roomView.node, covered);
  const layer = el("div", { class: "layer" });
  const told = el("div", { class: "told", role: "status" });
  const node = el("div", { class: "frame", onkeydown: (event) => keyed(event) }, views, el("div", { class: "window-tools" }, windowTools), layer, told);

  Object.assign(ctx, { frame: node, views, layer, sheet: null, enter, tell, complain, refusal: (error) => refusal(error, texts), writeTo, follow, leaveRoom: toList, focusHome });

  const width = new ResizeObserver(([entry]) => {
    const narrow = entry.contentRect.width < WIDE;
    node.classList.toggle("narrow", narrow);
    node.classList.toggle("short", entry.contentRect.height < 440);
    ctx.narrow = narrow;
    if (!narrow) choose();
  });
  width.observe(node);

  function render() {
    const { state } = client;
    const here = hasScreen(state) ? state.phase : "";
    // The same screen may have news: when it tries again, until when somebody is banned.
    const words = here && [here, state.reason, state.banned_until, state.me?.name].join("|");
    if (words !== screen) {
      screen = words;
      covered.replaceChildren(...(here ? [screenNode(ctx)] : []));
      ctx.sheet?.close(false);
      layer.replaceChildren();
      views.inert = false;
    }
    covered.hidden = !here;
    side.hidden = roomView.node.hidden = Boolean(here);
    node.classList.toggle("in-room", inRoom && Boolean(state.current));
    fallback.hidden = state.phase !== "online" || !state.transport || state.transport === "websocket";
    status.render();
    // Of who has logged out nothing stays behind the screen.
    if (here && state.rooms.size) return;
    list.render();
    roomView.render();
    if (here) return;
    if (wished && state.phase === "online") { const { room, message } = wished; wished = null; enter(room, message); }
    if (!ctx.narrow) choose();
  }

  // Where there is room for one, one is open.
  function choose() {
    const { state } = client;
    if (!node.isConnected || !ctx.visible() || state.current || hasScreen(state) || !state.rooms.size || wished) return;
    const rooms = [...state.rooms.values()];
    const best = rooms.find((room) => room.mentions) ?? rooms.find((room) => room.unread) ?? rooms[0];
    client.open(best.id).then(() => render(), complain);
  }

  // Opens a room, joined first if need be; shows a message of it.
  async function enter(id, message = null) {
    if (!id) return;
    try {
      if (!client.state.rooms.has(id)) await client.join(id);
      inRoom = true;
      const opened = client.state.current === id ? null : client.open(id);
      render();
      if (!message) focusHome();
      await opened;
      render();
      if (message) await roomView.log.jumpTo(message);
      else focusHome();
    } catch (error) { complain(error); }
  }

  async function writeTo(person) {
    ctx.sheet?.close(false);
    try {
      enter(await client.create({ kind: "dm", user: person.id }));
    } catch (error) { complain(error); }
  }

  function follow(hash) {
    const { room, message } = placeIn(hash);
    if (!room) return false;
    if (client.state.phase === "online") enter(room, message);
    else wished = { room, message };
    return true;
  }

  function toList() {
    inRoom = false;
    if (ctx.narrow) client.close();
    render();
    side.querySelector("[aria-current]")?.focus() ?? side.querySelector("h2").focus();
  }

  // Where the keyboard should be when nothing else has a claim to it.
  function focusHome() {
    if (!node.isConnected) return;
    const touch = matchMedia("(pointer: coarse)").matches;
    if (!covered.hidden) { covered.firstChild?.focus({ preventScroll: true }); return; }
    if ((!ctx.narrow || inRoom) && client.state.current && !touch && roomView.composer.focus()) return;
    side.querySelector("h2").focus({ preventScroll: true });
  }

  function tell(words, act = null) {
    clearTimeout(hushed);
    told.replaceChildren(el("span", {}, words), ...(act ? [el("button", { type: "button", class: "text", onclick: act.act }, act.label)] : []));
    hushed = setTimeout(() => told.replaceChildren(), act ? 5 * TOLD : TOLD);
  }

  function complain(error) { tell(refusal(error, texts)); }

  function keyed(event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "l" && client.state.current && !ctx.sheet) {
      event.preventDefault();
      roomView.log.clear();
    }
  }

  function heard(kind, roomId, detail) {
    roomView.heard(kind, roomId);
    if (kind === "phase" && client.state.phase !== "online") roomView.log.forget();
    if (kind === "phase" || kind === "rooms") render();
    if (kind === "report" && detail) {
      tell(texts.say("report.came", { name: detail.name }), { label: texts.say("report.show"), act: () => enter(detail.room ?? roomId, detail.ref) });
    }
  }

  return {
    node, render, heard, focusHome, follow,
    seen: () => { if (!ctx.narrow) choose(); roomView.log.settle(); },
    openSettings: () => openSettings(ctx),
    end: () => width.disconnect(),
  };
}

const REFUSALS = {
  auth: "refused.auth", perm: "refused.perm", rate: "refused.rate", len: "refused.len", filter: "refused.filter", muted: "refused.muted",
  noroom: "refused.noroom", bad: "refused.bad", server: "refused.server", offline: "refused.offline", timeout: "refused.lost", lost: "refused.lost",
};

// Why something was refused, in the reader's language; an unknown reason in the server's own words.
function refusal(error, texts) {
  if (error?.code === "rate" && error.retry_ms) return texts.say("refused.rate_until", { count: Math.ceil(error.retry_ms / 1000) });
  const key = REFUSALS[error?.code];
  return key ? texts.say(key) : error?.message || texts.say("refused.server");
}
