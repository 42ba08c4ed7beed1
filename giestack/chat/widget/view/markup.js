// Text of messages as nodes: the tree of engine/markdown.js, each kind by its own element.
import { chipOf, findChips } from "../engine/chips.js";
import { parse } from "../engine/markdown.js";
import { bdi, el, icon } from "./dom.js";

const PLAIN = { bold: "strong", italic: "em", strike: "s" };
const CHIPS = { history: "history", dataset: "dataset", workflow: "workflow" };

// ctx: {client, texts, titles, base, follow(hash)}; room: whose people may be mentioned. Returns a list of nodes.
export function markup(text, message, ctx) {
  return parse(text).map((block) => blockNode(block, message, ctx));
}

function blockNode(block, message, ctx) {
  const blocks = (list) => list.map((one) => blockNode(one, message, ctx));
  switch (block.type) {
    case "quote": return el("blockquote", {}, blocks(block.children));
    case "list": return el(block.ordered ? "ol" : "ul", block.ordered && block.start > 1 ? { start: block.start } : {},
      block.items.map((item) => el("li", {}, blocks(item))));
    case "code": return el("pre", { tabindex: "0", dir: "ltr" }, el("code", {}, block.text));
    default: return el("p", { dir: "auto" }, inline(block.children ?? [], message, ctx));
  }
}

function inline(list, message, ctx) {
  return list.flatMap((one) => {
    if (one.type in PLAIN) return el(PLAIN[one.type], {}, inline(one.children, message, ctx));
    switch (one.type) {
      case "code": return el("code", { dir: "ltr" }, one.text);
      case "link": return link(one, message, ctx);
      case "mention": return mention(one.name, message, ctx);
      case "break": return el("br");
      default: return withChips(one.text ?? "", ctx);
    }
  });
}

// Galaxy's things that are named in plain text, like history:ID.
function withChips(text, ctx) {
  const nodes = [];
  let at = 0;
  for (const found of findChips(text, ctx.client.state.galaxy_url)) {
    nodes.push(text.slice(at, found.start), chip(found, text.slice(found.start, found.end), ctx));
    at = found.end;
  }
  return [...nodes, text.slice(at)].filter((node) => node !== "");
}

function link(one, message, ctx) {
  if (!/^https?:/i.test(one.href)) return inline(one.children, message, ctx);
  const found = chipOf(one.href, ctx.client.state.galaxy_url);
  if (found) return chip({ ...found, href: found.href ?? one.href }, null, ctx, one.children);
  const inside = one.href.startsWith(`${ctx.base}#room=`);
  const follow = (event) => { event.preventDefault(); ctx.follow(new URL(one.href).hash); };
  return el("a", { ...away(one.href), onclick: inside && follow, dir: "auto" }, inline(one.children, message, ctx));
}

const away = (href) => ({ href, target: "_blank", rel: "noopener noreferrer nofollow" });

// A link to a history, dataset or workflow; its title comes later, for those whom Galaxy tells it.
function chip(found, written, ctx, children = null) {
  const words = written ?? children?.map((one) => one.text ?? "").join("") ?? "";
  const title = el("bdi", {}, words && !/^https?:/.test(words) ? words : found.slug ?? ctx.texts.say(CHIP_WORDS[found.kind]));
  ctx.titles.title(found).then((text) => { if (text) title.textContent = text; }, () => {});
  return el("a", { class: "chip", ...away(found.href), title: ctx.texts.say(CHIP_WORDS[found.kind]) }, icon(CHIPS[found.kind]), title);
}

const CHIP_WORDS = { history: "chip.history", dataset: "chip.dataset", workflow: "chip.workflow" };

// Whom a message speaks to is for the server to say; any other @word is a word.
function mention(name, message, ctx) {
  const said = message.mentions ?? [];
  const { me, rooms } = ctx.client.state;
  const called = [me, ...(rooms.get(message.room)?.people.values() ?? [])].find((one) => one?.name.toLowerCase() === name.toLowerCase());
  if (!said.length || (called && !said.includes(called.id))) return `@${name}`;
  const mine = message.mentionsMe && (called === me || said.includes("room"));
  return el("span", { class: mine ? "mention me" : "mention" }, "@", bdi(name));
}
