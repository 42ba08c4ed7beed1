// A small Markdown for messages: text in, a tree out; no HTML anywhere. The tree's shape:
// blocks {type: "paragraph", children} | {type: "quote", children: [block]} | {type: "list",
// ordered, start, items: [[block]]} | {type: "code", lang, text}; for what stands in a line see
// inline.js. Any text gives a tree, in time that grows with its length.

import { parseInline } from "./inline.js";

const DEEPEST = 4;
const FENCE = /^ {0,3}(`{3,}|~{3,}) *([^`\s]*)[^`]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) (?=\S)/;

export function parse(text) {
  return blocksOf(text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n"), 0);
}

// One line without marks, for notifications and previews.
export function plain(text) {
  return parse(text).map(said).join(" ").replace(/\s+/g, " ").trim();
}

function said(node) {
  if (node.type === "break") return " ";
  if (node.type === "mention") return `@${node.name}`;
  if (node.items) return node.items.flat().map(said).join(" ");
  return node.text ?? node.children.map(said).join(node.type === "quote" ? " " : "");
}

function blocksOf(lines, depth) {
  const blocks = [];
  let paragraph = [];
  const end = () => {
    if (paragraph.length) {
      blocks.push({ type: "paragraph", children: parseInline(paragraph.join("\n")) });
    }
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const found = blockAt(lines, at, depth);
    if (found) {
      end();
      blocks.push(found.block);
      at = found.next;
      continue;
    }
    if (lines[at].trim()) paragraph.push(lines[at].trim());
    else end();
    at += 1;
  }
  end();
  return blocks;
}

function blockAt(lines, at, depth) {
  const fence = FENCE.exec(lines[at]);
  if (fence) return codeAt(lines, at, fence);
  if (depth >= DEEPEST) return null;
  if (QUOTE.test(lines[at])) return quoteAt(lines, at, depth);
  const item = ITEM.exec(lines[at]);
  return item && listAt(lines, at, item, depth);
}

// Up to the fence that closes it, or the end: people forget it.
function codeAt(lines, at, [, fence, lang]) {
  const closing = new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},} *$`);
  let next = at + 1;
  while (next < lines.length && !closing.test(lines[next])) next += 1;
  const text = lines.slice(at + 1, next).join("\n");
  return { block: { type: "code", lang, text }, next: next + 1 };
}

function quoteAt(lines, at, depth) {
  let next = at;
  while (next < lines.length && QUOTE.test(lines[next])) next += 1;
  const inner = lines.slice(at, next).map((line) => line.replace(QUOTE, ""));
  return { block: { type: "quote", children: blocksOf(inner, depth + 1) }, next };
}

function listAt(lines, at, [, indent, mark], depth) {
  const ordered = /\d/.test(mark);
  const kind = mark.at(-1);
  const items = [];
  let next = at;
  for (; next < lines.length; next++) {
    const line = lines[next];
    const item = ITEM.exec(line);
    if (item && item[1].length <= indent.length + 1) {
      if (item[2].at(-1) !== kind) break;
      items.push([line.slice(item[0].length)]);
    } else if (/^ {2}/.test(line) && line.trim()) {
      items.at(-1).push(line.slice(Math.min(indent.length + 2, line.search(/\S/))));
    } else break;
  }
  const block = {
    type: "list",
    ordered,
    start: ordered ? parseInt(mark, 10) : 1,
    items: items.map((inner) => blocksOf(inner, depth + 1)),
  };
  return { block, next };
}
