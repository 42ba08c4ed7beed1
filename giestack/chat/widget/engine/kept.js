// What a tab keeps over a reload: how far each room was heard, and what is half written.

import { readJson, writeJson } from "./environment.js";

const SOON = 1_000;

export function createKept(env, model) {
  const marksKey = `giechat:marks:${env.base}`;
  const draftsKey = (user) => `giechat:drafts:${env.base}:${user}`;
  let timer = null;
  let drafts = {};
  let owner = null;

  function save() {
    env.timers.clearTimeout(timer);
    timer = null;
    if (!model.epoch) return;
    const { epoch, me } = model;
    writeJson(env.sessionStorage, marksKey, { user: me.id, epoch, rooms: model.marks() });
  }

  return {
    save,
    saveSoon() {
      timer ??= env.timers.setTimeout(save, SOON);
    },
    marks: () => readJson(env.sessionStorage, marksKey),
    forget() {
      env.timers.clearTimeout(timer);
      timer = null;
      writeJson(env.sessionStorage, marksKey, null);
    },
    drafts: () => drafts,
    belongsTo(user) {
      if (user === owner) return;
      owner = user;
      drafts = readJson(env.sessionStorage, draftsKey(user)) ?? {};
    },
    setDraft(room, text) {
      if (text) drafts[room] = text;
      else delete drafts[room];
      if (owner) {
        writeJson(env.sessionStorage, draftsKey(owner), Object.keys(drafts).length ? drafts : null);
      }
    },
  };
}
