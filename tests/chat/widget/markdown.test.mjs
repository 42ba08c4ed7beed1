// Text to tree: what is a mark, what is not, and nothing takes long.

import assert from "node:assert/strict";
import test from "node:test";

import { safeUrl } from "../../../giestack/chat/widget/engine/inline.js";
import { parse, plain } from "../../../giestack/chat/widget/engine/markdown.js";

// A tree in short: tags with their inside.
function short(node) {
  if (Array.isArray(node)) return node.map(short).join("");
  switch (node.type) {
    case "text": return node.text;
    case "break": return "<br>";
    case "mention": return `<@${node.name}>`;
    case "code": return `<code${node.lang ? ` ${node.lang}` : ""}>${node.text}</code>`;
    case "link": return `<a ${node.href}>${short(node.children)}</a>`;
    case "list": {
      const tag = node.ordered ? `ol ${node.start}` : "ul";
      return `<${tag}>${node.items.map((one) => `<li>${short(one)}</li>`).join("")}</${tag}>`;
    }
    case "paragraph": return `<p>${short(node.children)}</p>`;
    default: return `<${node.type}>${short(node.children)}</${node.type}>`;
  }
}
const inline = (text) => short(parse(text)).replace(/^<p>|<\/p>$/g, "");

const CASES = [
  ["plain", "plain"],
  ["a\nb", "a<br>b"],
  ["**b** *i* ~~s~~ `c`", "<bold>b</bold> <italic>i</italic> <strike>s</strike> <code>c</code>"],
  ["__b__ _i_", "<bold>b</bold> <italic>i</italic>"],
  ["***both***", "<italic><bold>both</bold></italic>", "<bold><italic>both</italic></bold>"],
  ["**a *b* c**", "<bold>a <italic>b</italic> c</bold>"],
  ["*a **b***", "<italic>a <bold>b</bold></italic>"],
  ["**a *b***", "<bold>a <italic>b</italic></bold>"],
  ["a*b*c", "a<italic>b</italic>c"],
  ["snake_case_name and __init__.py", "snake_case_name and <bold>init</bold>.py"],
  ["2 * 3 * 4", "2 * 3 * 4"],
  ["*open", "*open"],
  ["**open *closed*", "**open <italic>closed</italic>"],
  ["*a ~~b* c~~", "<italic>a ~~b</italic> c~~"],
  ["** a **", "** a **"],
  ["****", "****"],
  ["~one~", "~one~"],
  ["\\*not\\* \\a \\", "*not* \\a \\"],
  ["`a*b*` ``a`b`` `open", "<code>a*b*</code> <code>a`b</code> `open"],
  ["`` ` ``", "<code>`</code>"],
  ["*a`*`b*", "<italic>a<code>*</code>b</italic>"],
  ["<b>&amp;</b><img src=x onerror=1>", "<b>&amp;</b><img src=x onerror=1>"],
  ["[Galaxy](https://galaxy.example/x?a=1)", "<a https://galaxy.example/x?a=1>Galaxy</a>"],
  ["[**b** `c`](http://x.example)", "<a http://x.example/><bold>b</bold> <code>c</code></a>"],
  ["[w](https://en.example/A_(b))", "<a https://en.example/A_(b)>w</a>"],
  ["[x](javascript:alert(1))", "[x](javascript:alert(1))"],
  ["[x](JaVaScRiPt:alert`1`)", "[x](JaVaScRiPt:alert<code>1</code>)"],
  ["[x](data:text/html,x)", "[x](data:text/html,x)"],
  ["[x](//evil.example)", "[x](//evil.example)"],
  ["[x](https://bank.example@evil.example/)", "[x](https://bank.example@evil.example/)"],
  ["[](https://x.example/)", "<a https://x.example/>https://x.example/</a>"],
  ["[x] (https://x.example/)", "[x] (<a https://x.example/>https://x.example/</a>)"],
  ["[a [b](https://x.example/) c](https://y.example/)",
    "[a <a https://x.example/>b</a> c](<a https://y.example/>https://y.example/</a>)"],
  ["[https://a.example](https://b.example/)", "<a https://b.example/>https://a.example</a>"],
  ["[https://a.example/x](https://b.example/)", "<a https://b.example/>https://a.example/x</a>"],
  ["[see https://a.example/x](https://b.example/)", "<a https://b.example/>see https://a.example/x</a>"],
  ["[https://a.example/x] **b**", "[<a https://a.example/x>https://a.example/x</a>] <bold>b</bold>"],
  ["https://a@b.example/ **b**", "https://a@b.example/ <bold>b</bold>"],
  ["*[a*](https://x.example/)", "<italic>[a</italic>](<a https://x.example/>https://x.example/</a>)"],
  ["[a*](https://x.example/)*", "<a https://x.example/>a*</a>*"],
  ["see https://x.example/a_b_c.", "see <a https://x.example/a_b_c>https://x.example/a_b_c</a>."],
  ["(https://x.example/a)", "(<a https://x.example/a>https://x.example/a</a>)"],
  ["https://x.example/A_(b), ok", "<a https://x.example/A_(b)>https://x.example/A_(b)</a>, ok"],
  ["<https://x.example/>", "<a https://x.example/>https://x.example/</a>"],
  ["xhttps://x.example", "xhttps://x.example"],
  ["**https://x.example**", "<bold><a https://x.example/>https://x.example</a></bold>"],
  ["ftp://x.example http:// https://", "ftp://x.example http:// https://"],
  ["@alice: hi @bob.", "<@alice>: hi <@bob>."],
  ["a@b.example @ @@x .@x /@x", "a@b.example @ @@x .@x /@x"],
  ["@j.r_1-x @room! @Jürgen @a@b", "<@j.r_1-x> <@room>! @Jürgen @a@b"],
  ["_@alice_ *@bob* @c_", "<italic><@alice></italic> <italic><@bob></italic> <@c_>"],
  ["`@alice`", "<code>@alice</code>"],
];

for (const [text, ...expected] of CASES) {
  test(JSON.stringify(text), () => assert.ok(expected.includes(inline(text)), inline(text)));
}

const BLOCKS = [
  ["a\n\nb", "<p>a</p><p>b</p>"],
  ["", ""],
  ["\n \n", ""],
  ["```python\nx = 1\n  y\n```\nend", "<code python>x = 1\n  y</code><p>end</p>"],
  ["```\nopen **x**", "<code>open **x**</code>"],
  ["````\n```\n````", "<code>```</code>"],
  ["~~~\nx\n~~~", "<code>x</code>"],
  ["> a\n> b\nc", "<quote><p>a<br>b</p></quote><p>c</p>"],
  ["> > deep\n> ```\n> x\n> ```", "<quote><quote><p>deep</p></quote><code>x</code></quote>"],
  ["- a\n- b\n  more\n- c", "<ul><li><p>a</p></li><li><p>b<br>more</p></li><li><p>c</p></li></ul>"],
  ["3. a\n4. b", "<ol 3><li><p>a</p></li><li><p>b</p></li></ol 3>"],
  ["- a\n  - b\n- c", "<ul><li><p>a</p><ul><li><p>b</p></li></ul></li><li><p>c</p></li></ul>"],
  ["- a\n1. b", "<ul><li><p>a</p></li></ul><ol 1><li><p>b</p></li></ol 1>"],
  ["-not a list\n1.2 neither", "<p>-not a list<br>1.2 neither</p>"],
  ["a\r\nb\rc", "<p>a<br>b<br>c</p>"],
];

for (const [text, expected] of BLOCKS) {
  test(`blocks of ${JSON.stringify(text)}`, () => assert.equal(short(parse(text)), expected));
}

test("plain text of a message", () => {
  assert.equal(plain("**Hi** @bob,\n> quoted\n\n- `a`\n- [b](https://x.example/)\n```\nc\n```"),
    "Hi @bob, quoted a b c");
});

test("an address is http or https, and goes where it seems to go", () => {
  assert.equal(safeUrl("https://x.example"), "https://x.example/");
  for (const bad of ["javascript:1", " https://x", "https://a:b@x.example", "https://", "x"]) {
    assert.equal(safeUrl(bad), null);
  }
  assert.equal(safeUrl(`https://x.example/${"a".repeat(2000)}`), null);
});

const HOSTILE = [
  "*", "**", "***", "* ", "*a", "*a ", "a*", "_a", "_a_", "*_~~", "~~", "`", "``a`", "` ", "[", "]",
  "[]", "[](", "[a](", "[a](x", "[[a](https://x.example)", "](", "(", ")", "\\", "\\*", ">", "> ",
  "> > > > > ", "- ", "- - - ", "1. ", "@", "@a", "@a.", "h", "http", "http://", "http://a@", "https://(",
  "<http://", "**a *b ~~c ", "*a **b ", "\n", "\n\n", " ", "```\n", "> ```\n", "- a\n  ", "  - a\n", "\n> ",
  "a**b__c", "[*a](https://b.example)*", "😀*", "\ud83d",
];

// A bound that only more than linear work can break, also on a busy machine.
test("hostile text of any kind is read, all of it, and soon", () => {
  for (const one of HOSTILE) {
    const text = one.repeat(Math.ceil(4000 / one.length)).slice(0, 4000);
    const start = process.cpuUsage().user;
    for (const some of [text, `*a [b ~~${text}`, `${text}*](https://x.example/)`]) {
      const tree = parse(some);
      assert.ok(depth(tree) <= 60, one);
    }
    const ms = (process.cpuUsage().user - start) / 1000;
    assert.ok(ms < 1500, `${JSON.stringify(one)} took ${ms} ms`);
  }
});

test("no text is lost but the marks", () => {
  let state = 7;
  const random = (n) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  const pieces = [...HOSTILE.filter((one) => !/http|\n|[>\-1]|^ +$|\\/.test(one)), "word", "x y", "Ü"];
  for (let round = 0; round < 2000; round++) {
    const text = `.${Array.from({ length: 12 }, () => pieces[random(pieces.length)]).join("")}`;
    const letters = (some) => some.replace(/[^\p{L}\p{N}]/gu, "");
    const shown = short(parse(text)).replace(/<@([^>]*)>/g, "$1").replace(/<[^>]*>/g, "");
    assert.equal(letters(shown), letters(text), text);
  }
});

function depth(nodes) {
  const inner = (node) => node.children ?? node.items?.flat() ?? [];
  return nodes.length ? 1 + Math.max(...nodes.map((one) => depth(inner(one)))) : 0;
}
