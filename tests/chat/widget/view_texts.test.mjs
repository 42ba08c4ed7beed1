// Words and their catalogues: complete, alike, and used.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Texts, candidates } from "../../../giestack/chat/widget/view/texts.js";
import { createChoices } from "../../../giestack/chat/widget/view/choices.js";

const WIDGET = new URL("../../../giestack/chat/widget/", import.meta.url);
const read = (path) => readFileSync(new URL(path, WIDGET), "utf8");
const catalogues = new Map(readdirSync(new URL("locale/", WIDGET)).map((name) => [name.replace(".json", ""), JSON.parse(read(`locale/${name}`))]));
const english = catalogues.get("en");
const code = readdirSync(new URL("view/", WIDGET)).filter((name) => name.endsWith(".js")).map((name) => read(`view/${name}`)).join("\n");
const words = (value) => (typeof value === "string" ? [value] : Object.values(value));
const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("English and German are there", () => {
  assert.ok(catalogues.has("en") && catalogues.has("de"));
});

for (const [language, catalogue] of catalogues) {
  test(`${language} has the keys of English, each once, and their holes`, () => {
    const raw = [...read(`locale/${language}.json`).matchAll(/^ {2}"([^"]+)":/gm)].map(([, key]) => key);
    assert.deepEqual(raw, [...new Set(raw)]);
    assert.deepEqual(Object.keys(catalogue).sort(), Object.keys(english).sort());
    for (const [key, value] of Object.entries(catalogue)) {
      const wanted = new Set(words(english[key]).flatMap(holes));
      for (const text of words(value)) for (const hole of holes(text)) assert.ok(wanted.has(hole), `${key}: {${hole}}`);
    }
  });

  test(`${language} has each form of its plurals`, () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, value] of Object.entries(catalogue)) {
      if (typeof value !== "string") for (const form of forms) assert.ok(value[form], `${key}: ${form}`);
    }
  });
}

test("each key that the code names is in the catalogue, and the other way round", () => {
  const literals = new Set([...code.matchAll(/"([a-z_]+(?:\.[a-z_]+)*)"/g)].map(([, one]) => one));
  const groups = new Set(Object.keys(english).filter((key) => key.includes(".")).map((key) => key.split(".")[0]));
  const asked = [...literals].filter((one) => one.includes(".") && groups.has(one.split(".")[0]));
  assert.deepEqual(asked.filter((key) => !(key in english)), []);
  assert.deepEqual(Object.keys(english).filter((key) => key !== "direction" && !literals.has(key)), []);
  for (const [, key] of code.matchAll(/\b(?:say|nodes)\("([^"]+)"/g)) assert.ok(key in english, key);
});

test("the best catalogue comes first, English last", () => {
  assert.deepEqual(candidates(["de-AT", "fr"]), ["de", "en"]);
  assert.deepEqual(candidates(["", undefined, "fr", "pt-BR"], ["en", "pt-br", "pt"]), ["pt-br", "en"]);
  assert.deepEqual(candidates(["en-GB", "de"]), ["en", "de"]);
});

test("texts have plurals, numbers as the language writes them, and holes", () => {
  const german = new Texts("de", catalogues.get("de"), english);
  assert.equal(german.say("unread", { count: 1 }), "1 ungelesene Nachricht");
  assert.equal(german.say("unread", { count: 12345 }), "12.345 ungelesene Nachrichten");
  assert.equal(german.say("message.deleted_by", { name: "$& {name}" }), "$& {name} hat diese Nachricht gelöscht.");
  assert.equal(german.say("no.such"), "no.such");
});

test("what a catalogue lacks is said in English", () => {
  assert.equal(new Texts("fr", { chat: "Causerie" }, english).say("form.cancel"), "Cancel");
});

test("names that run the other way keep it to themselves", () => {
  const texts = new Texts("en", english);
  assert.equal(texts.say("note.joined", { names: "bob" }), "bob joined");
  assert.equal(texts.say("note.joined", { names: "\u05d0\u05d1" }), "\u2068\u05d0\u05d1\u2069 joined");
  assert.equal(texts.say("note.joined", { names: "a\u202eb" }), "\u2068a\u202eb\u2069 joined");
});

test("nodes stand where their holes are", () => {
  const node = {};
  const texts = new Texts("en", english);
  assert.deepEqual(texts.nodes("message.deleted_why", { name: node, reason: "spam" }, (text) => [text]), [node, " deleted this message: ", ["spam"]]);
});

test("days near now have names", () => {
  const texts = new Texts("en", english);
  const now = new Date(2026, 10, 21, 0, 30).getTime();
  assert.equal(texts.day(now, now), "Today");
  assert.equal(texts.day(now - 3_600_000, now), "Yesterday");
  assert.match(texts.day(now - 3 * 86_400_000, now), /2026/);
  assert.equal(texts.clock(new Date(2026, 10, 21, 15, 5)), "15:05");
});

test("a language is called as it calls itself", () => {
  assert.equal(new Texts("en", english).name("de"), "Deutsch");
});

test("choices are kept, and odd ones are not believed", () => {
  const kept = new Map();
  const storage = () => ({ getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) });
  createChoices(storage).set("theme", "dark");
  assert.equal(createChoices(storage).get("theme"), "dark");
  kept.set([...kept.keys()][0], '{"theme": 7, "language": "de"}');
  assert.equal(createChoices(storage).get("theme"), "");
  assert.equal(createChoices(storage).get("language"), "de");
  kept.set([...kept.keys()][0], "{");
  assert.equal(createChoices(storage).get("language"), "");
});

test("without storage choices last for the page", () => {
  const choices = createChoices(() => { throw new Error("denied"); });
  choices.set("enlarged", true);
  assert.equal(choices.get("enlarged"), true);
});
