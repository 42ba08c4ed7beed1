// What stands in a line: {type: "text", text} | {type: "bold" | "italic" | "strike", children} |
// {type: "code", text} | {type: "link", href, children} | {type: "mention", name} |
// {type: "break"}. One pass; every mark is looked at once, and taken away once.

const DEEPEST = 16;
const LONGEST_URL = 2000;
const PLAIN = /[^\\`*_~[\]@\nhH<]+/y;
const URL_IN_TEXT = /https?:\/\/[^\s<>"`\\[\]]+/iy;
// As giestack/chat/mentions.py has them.
const NAME = /[A-Za-z0-9._-]+/y;
const NOT_BEFORE_NAME = /[\p{L}\p{N}.+/@-]/u;
const NOT_AFTER_NAME = /[\p{L}\p{N}_@]/u;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}_]/u;
const TYPES = { "*": "italic", _: "italic", "**": "bold", __: "bold", "~~": "strike" };

export function parseInline(text) {
  return new Line(text).read();
}

// Only these two schemes, and nobody's name or password in front of the host.
export function safeUrl(text) {
  if (text.length > LONGEST_URL || !/^https?:\/\//i.test(text)) return null;
  try {
    const url = new URL(text);
    return url.username || url.password ? null : url.href;
  } catch {
    return null;
  }
}

class Line {
  #text;
  #at = 0;
  #out = [];
  #plain = "";
  #openers = [];
  #open = {};
  #brackets = [];
  #ticks;
  #lastParen;

  constructor(text) {
    this.#text = text;
    this.#lastParen = text.lastIndexOf(")");
  }

  read() {
    while (this.#at < this.#text.length) this.#step(this.#text[this.#at]);
    this.#flush();
    return merged(this.#out);
  }

  #step(char) {
    if (char === "\n") this.#leaf({ type: "break" }, 1);
    else if (char === "\\") this.#escape();
    else if (char === "`") this.#code();
    else if (char === "*" || char === "_" || char === "~") this.#run(char);
    else if (char === "[") this.#bracket();
    else if (char === "]") this.#link();
    else if (char === "@") this.#mention();
    else if (char === "h" || char === "H" || char === "<") this.#autolink(char);
    else this.#say(this.#matched(PLAIN) ?? char);
  }

  #matched(pattern, at = this.#at) {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0];
  }

  #say(text) {
    this.#plain += text;
    this.#at += text.length;
  }

  #flush() {
    if (this.#plain) this.#out.push({ type: "text", text: this.#plain });
    this.#plain = "";
  }

  #leaf(node, length) {
    this.#flush();
    this.#out.push(node);
    this.#at += length;
  }

  #before() {
    return this.#at ? this.#text[this.#at - 1] : " ";
  }

  #escape() {
    const next = this.#text[this.#at + 1];
    if (next === undefined || !PUNCTUATION.test(next)) this.#say("\\");
    else {
      this.#plain += next;
      this.#at += 2;
    }
  }

  // A run of backticks closes with the next one of the same length.
  #code() {
    this.#ticks ??= runs(this.#text);
    const { length } = this.#matched(/`+/y);
    const others = this.#ticks.get(length);
    while (others.length && others.at(-1) <= this.#at) others.pop();
    const end = others.at(-1);
    if (end === undefined) {
      this.#say("`".repeat(length));
      return;
    }
    let inner = this.#text.slice(this.#at + length, end).replaceAll("\n", " ");
    if (/^ .*[^ ].* $/.test(inner)) inner = inner.slice(1, -1);
    this.#leaf({ type: "code", text: inner }, end + length - this.#at);
  }

  #run(char) {
    const start = this.#at;
    let end = start;
    while (this.#text[end] === char) end += 1;
    let left = end - start;
    const before = this.#before();
    const after = this.#text[end] ?? " ";
    if (left > 3 || (char === "~" && left !== 2)) {
      this.#say(char.repeat(left));
      return;
    }
    let opens = !/\s/.test(after);
    let closes = !/\s/.test(before);
    if (char === "_") {
      // snake_case is one word.
      opens &&= !WORD.test(before);
      closes &&= !WORD.test(after);
    }
    while (left > 0) {
      const mark = this.#mark(char, left, closes);
      if (mark.closes) this.#close(mark.text);
      else if (opens && this.#openers.length < DEEPEST) this.#opened(mark.text);
      else this.#say(mark.text);
      left -= mark.text.length;
    }
  }

  // What the next one or two characters of a run do.
  #mark(char, left, closes) {
    const one = char === "~" ? "~~" : char;
    const two = char + char;
    if (closes) {
      const fitting = (mark) => this.#open[mark] > 0 && mark.length <= left;
      const top = this.#openers.at(-1)?.mark;
      for (const mark of [top, two, one]) {
        if ((mark === one || mark === two) && fitting(mark)) return { text: mark, closes: true };
      }
    }
    return { text: left >= 2 ? two : one, closes: false };
  }

  #opened(mark) {
    this.#flush();
    this.#openers.push({ mark, index: this.#out.length });
    this.#open[mark] = (this.#open[mark] ?? 0) + 1;
    this.#out.push({ type: "text", text: mark });
    this.#at += mark.length;
  }

  #close(mark) {
    let opener;
    do opener = this.#forgetOpener();
    while (opener.mark !== mark);
    this.#flush();
    if (this.#out.length === opener.index + 1) {
      this.#say(mark);
      return;
    }
    this.#wrap(opener.index, { type: TYPES[mark] });
    this.#at += mark.length;
    while (this.#brackets.at(-1)?.index > opener.index) this.#brackets.pop();
  }

  #forgetOpener() {
    const opener = this.#openers.pop();
    this.#open[opener.mark] -= 1;
    return opener;
  }

  #wrap(index, node) {
    node.children = merged(this.#out.splice(index + 1));
    this.#out[index] = node;
  }

  #bracket() {
    this.#flush();
    this.#brackets.push({ index: this.#out.length });
    this.#leaf({ type: "text", text: "[" }, 1);
  }

  #link() {
    const bracket = this.#brackets.pop();
    const target = bracket && this.#target(this.#at + 1);
    const href = target && safeUrl(target);
    if (!href) {
      this.#say("]");
      return;
    }
    this.#flush();
    while (this.#openers.at(-1)?.index > bracket.index) this.#forgetOpener();
    if (this.#out.length === bracket.index + 1) this.#out.push({ type: "text", text: target });
    this.#wrap(bracket.index, { type: "link", href });
    this.#at += target.length + 3;
    // A link has no link in it.
    this.#brackets = [];
  }

  // What stands in "(…)", with one pair of brackets in it at most.
  #target(start) {
    if (this.#text[start] !== "(" || this.#lastParen < start) return null;
    const most = Math.min(this.#text.length, start + LONGEST_URL);
    let depth = 0;
    for (let at = start; at < most; at++) {
      const char = this.#text[at];
      if (char === "(" && ++depth > 2) return null;
      if (char === ")" && --depth === 0) return this.#text.slice(start + 1, at);
      if (/\s/.test(char)) return null;
    }
    return null;
  }

  #autolink(char) {
    const at = char === "<" ? this.#at + 1 : this.#at;
    const found = char !== "<" && WORD.test(this.#before()) ? null : this.#matched(URL_IN_TEXT, at);
    const closed = found && char === "<" && this.#text[at + found.length] === ">";
    const text = found && (closed ? found : trimmed(found));
    const href = text && (char !== "<" || closed) && safeUrl(text);
    if (!href) {
      // All of it is looked at once.
      this.#say(char === "<" ? char : text || char);
      return;
    }
    const children = [{ type: "text", text }];
    if (this.#brackets.length && this.#inLink(at + text.length)) this.#say(text);
    else this.#leaf({ type: "link", href, children }, text.length + (closed ? 2 : 0));
  }

  // "[https://a](https://b)": the text of a link, and none itself.
  #inLink(end) {
    return this.#text.startsWith("](", end);
  }

  #mention() {
    const before = this.#before();
    const found = NOT_BEFORE_NAME.test(before) ? null : this.#matched(NAME, this.#at + 1);
    const after = found && this.#text[this.#at + 1 + found.length];
    const whole = found && !(after && NOT_AFTER_NAME.test(after));
    const name = whole && unended(found, before === "_" ? "._-" : ".-");
    if (name) this.#leaf({ type: "mention", name }, name.length + 1);
    else this.#say("@");
  }
}

// Marks at a name's end are the sentence's.
function unended(name, marks) {
  let end = name.length;
  while (end > 0 && marks.includes(name[end - 1])) end -= 1;
  return name.slice(0, end);
}

// Where runs of backticks begin, by their length, the last first.
function runs(text) {
  const found = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!found.has(run.length)) found.set(run.length, []);
    found.get(run.length).push(index);
  }
  for (const one of found.values()) one.reverse();
  return found;
}

// A sentence's marks after an address are the sentence's.
function trimmed(url) {
  let end = url.length;
  let open = 0;
  for (const char of url) open += char === "(" ? 1 : char === ")" ? -1 : 0;
  for (; end > 0; end--) {
    const last = url[end - 1];
    if (last === ")" && open < 0) open += 1;
    else if (!/[.,:;!?'*_~\]]/.test(last)) break;
  }
  return url.slice(0, end);
}

function merged(nodes) {
  const out = [];
  for (const node of nodes) {
    const last = out.at(-1);
    if (node.type === "text" && last?.type === "text") {
      out[out.length - 1] = { type: "text", text: last.text + node.text };
    } else out.push(node);
  }
  return out;
}
