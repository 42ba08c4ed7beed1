// Words in the reader's language, from catalogues: {"key": "text with {name}"} or {"key": {"one": …, "other": …}}.
export const SHIPPED = ["en", "de"];

const FOREIGN = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;
const isolated = (text) => (FOREIGN.test(text) ? `\u2068${text}\u2069` : text);

// Which catalogues to try for somebody who reads `wanted` languages, best first, each once.
export function candidates(wanted, served = SHIPPED) {
  const found = [];
  for (const tag of wanted.filter(Boolean)) {
    const parts = tag.split("-");
    const match = served.find((one) => one.toLowerCase() === tag.toLowerCase()) ?? served.find((one) => one === parts[0].toLowerCase());
    if (match && !found.includes(match)) found.push(match);
  }
  return found.includes("en") ? found : [...found, "en"];
}

// Fetches the best catalogue there is; English fills what it lacks.
export async function loadTexts(files, wanted, served) {
  const catalogue = async (language) => {
    const answer = await fetch(`${files}locale/${language}.json`);
    if (!answer.ok) throw new Error(`no catalogue ${language}`);
    return answer.json();
  };
  const english = await catalogue("en");
  for (const language of candidates(wanted, served)) {
    if (language === "en") break;
    try {
      return new Texts(language, await catalogue(language), english);
    } catch { /* the next one will do */ }
  }
  return new Texts("en", english, english);
}

export class Texts {
  constructor(language, catalogue, english = catalogue) {
    this.language = language;
    this.direction = catalogue.direction ?? "ltr";
    this.catalogue = catalogue;
    this.english = english;
    this.plural = new Intl.PluralRules(language);
    this.numbers = new Intl.NumberFormat(language);
    this.lists = new Intl.ListFormat(language, { type: "conjunction" });
    const format = (options) => new Intl.DateTimeFormat(language, options);
    this.clocks = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.fulls = format({ dateStyle: "full", timeStyle: "short" });
    this.shorts = format({ dateStyle: "medium", timeStyle: "short" });
    this.days = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
    this.relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  }

  template(key, values) {
    const found = this.catalogue[key] ?? this.english[key] ?? key;
    if (typeof found === "string") return found;
    return found[this.plural.select(values.count ?? 0)] ?? found.other;
  }

  // A text; numbers are written as the language does, and foreign names keep their direction.
  say(key, values = {}) {
    return this.template(key, values).replace(/\{(\w+)\}/g, (hole, name) => {
      const value = values[name];
      if (value === undefined) return hole;
      return typeof value === "number" ? this.numbers.format(value) : isolated(String(value));
    });
  }

  // The same as a list of strings and nodes: values may be nodes, and texts become nodes by `wrap`.
  nodes(key, values, wrap) {
    return this.template(key, values).split(/(\{\w+\})/).filter(Boolean).map((part) => {
      const value = values[/^\{(\w+)\}$/.exec(part)?.[1]];
      if (value === undefined) return part;
      if (typeof value === "number") return this.numbers.format(value);
      return typeof value === "string" ? wrap(value) : value;
    });
  }

  number(value) { return this.numbers.format(value); }
  list(names) { return this.lists.format(names.map((name) => isolated(name))); }
  clock(ms) { return this.clocks.format(ms); }
  full(ms) { return this.fulls.format(ms); }
  short(ms) { return this.shorts.format(ms); }

  // The name of a day: today and yesterday have their own.
  day(ms, now) {
    const start = (time) => new Date(time).setHours(0, 0, 0, 0);
    const ago = Math.round((start(ms) - start(now)) / 86400000);
    if (ago < -1 || ago > 0) return this.days.format(ms);
    const word = this.relative.format(ago, "day");
    return word.charAt(0).toLocaleUpperCase(this.language) + word.slice(1);
  }

  // What a language calls itself.
  name(language) {
    const own = new Intl.DisplayNames([language], { type: "language" }).of(language);
    return own.charAt(0).toLocaleUpperCase(language) + own.slice(1);
  }
}
