// Links to things in Galaxy, and their titles.

import assert from "node:assert/strict";
import test from "node:test";

import { chipOf, createTitles, findChips } from "../../../giestack/chat/widget/engine/chips.js";

const GALAXY = "https://galaxy.example/galaxy/";
const ID = "0123456789abcdef";

const FOUND = {
  [`https://galaxy.example/galaxy/histories/view?id=${ID}`]: { kind: "history", id: ID },
  [`https://galaxy.example/galaxy/published/history?id=${ID}`]: { kind: "history", id: ID },
  "https://galaxy.example/galaxy/u/alice/h/my-history": { kind: "history", user: "alice", slug: "my-history" },
  [`https://galaxy.example/galaxy/datasets/${ID}`]: { kind: "dataset", id: ID },
  [`https://galaxy.example/galaxy/datasets/${ID}/preview`]: { kind: "dataset", id: ID },
  [`https://galaxy.example/galaxy/workflows/run?id=${ID}`]: { kind: "workflow", id: ID },
  [`https://galaxy.example/galaxy/published/workflow?id=${ID}`]: { kind: "workflow", id: ID },
  "http://galaxy.example/galaxy/u/alice/w/wf": { kind: "workflow", user: "alice", slug: "wf" },
};

test("addresses of things", () => {
  for (const [href, expected] of Object.entries(FOUND)) {
    assert.deepEqual(chipOf(href, GALAXY), { ...expected, href });
    assert.equal(findChips(`see ${href}, please`, GALAXY)[0].end, 4 + href.length);
  }
});

test("other addresses are just links", () => {
  for (const href of [
    `https://other.example/galaxy/datasets/${ID}`,
    `https://galaxy.example/datasets/${ID}`,
    `https://galaxy.example.evil.example/galaxy/datasets/${ID}`,
    `https://user@galaxy.example/galaxy/datasets/${ID}`,
    "https://galaxy.example/galaxy/datasets/../../x",
    "https://galaxy.example/galaxy/datasets/list",
    "https://galaxy.example/galaxy/histories/view?id=%2e%2e%2fapi",
    "https://galaxy.example/galaxy/histories/list?id=" + ID,
    "https://galaxy.example/galaxy/u/alice",
    "https://galaxy.example/galaxy/",
    "javascript:alert(1)",
    "nonsense",
  ]) {
    assert.equal(chipOf(href, GALAXY), null, href);
  }
  assert.deepEqual(findChips("history:0123456789abcdef", null), []);
  assert.equal(chipOf(`https://galaxy.example/datasets/${ID}`, "nonsense"), null);
});

test("things by their name", () => {
  const text = `try history:${ID} or workflow:${ID.toUpperCase()}; dataset:123 and prehistory:${ID} are none`;
  const chips = findChips(text, GALAXY);
  assert.deepEqual(chips.map(({ kind, id, href }) => [kind, id, href]), [
    ["history", ID, `https://galaxy.example/galaxy/histories/view?id=${ID}`],
    ["workflow", ID, `https://galaxy.example/galaxy/published/workflow?id=${ID}`],
  ]);
  assert.equal(text.slice(chips[0].start, chips[0].end), `history:${ID}`);
});

function galaxy(answers) {
  const asked = [];
  const fetch = async (url, options) => {
    asked.push(url);
    assert.equal(options.credentials, "same-origin");
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { asked, titles: createTitles({ galaxyUrl: GALAXY, fetch, origin: "https://galaxy.example" }) };
}
const json = (body, status = 200) => new Response(JSON.stringify(body), { status });

test("titles are asked once, of each kind in its place", async () => {
  const { asked, titles } = galaxy([json({ name: "Mine" }), json({ name: "Reads" }), json({ name: "Map" })]);
  assert.equal(await titles.title({ kind: "history", id: ID }), "Mine");
  assert.equal(await titles.title({ kind: "history", id: ID }), "Mine");
  assert.equal(await titles.title({ kind: "dataset", id: ID }), "Reads");
  assert.equal(await titles.title({ kind: "workflow", id: ID }), "Map");
  assert.deepEqual(asked, [
    `https://galaxy.example/galaxy/api/histories/${ID}?keys=name`,
    `https://galaxy.example/galaxy/api/datasets/${ID}?keys=name`,
    `https://galaxy.example/galaxy/api/workflows/${ID}`,
  ]);
});

test("what Galaxy doesn't tell has no title", async () => {
  const { titles } = galaxy([json({ err_msg: "no" }, 403), json({ name: 7 }), json(null), new TypeError()]);
  for (const kind of ["history", "dataset", "workflow"]) {
    assert.equal(await titles.title({ kind, id: ID }), null);
  }
});

test("after a broken network it is asked again", async () => {
  const { titles } = galaxy([new TypeError(), json({ name: "Mine" })]);
  assert.equal(await titles.title({ kind: "history", id: ID }), null);
  assert.equal(await titles.title({ kind: "history", id: ID }), "Mine");
});

test("another origin is not asked, nor for what has no id", async () => {
  const fetch = () => assert.fail("asked");
  for (const galaxyUrl of ["https://other.example/", "", null, "nonsense"]) {
    const { title } = createTitles({ galaxyUrl, fetch, origin: "https://galaxy.example" });
    assert.equal(await title({ kind: "history", id: ID }), null);
  }
  const { title } = createTitles({ galaxyUrl: GALAXY, fetch, origin: "https://galaxy.example" });
  assert.equal(await title({ kind: "history", user: "alice", slug: "x" }), null);
});

test("hostile text", () => {
  for (const one of ["https://", "history:", "history:0", "https://galaxy.example/galaxy/u/a/h/"]) {
    findChips(one.repeat(1000), GALAXY);
  }
});
