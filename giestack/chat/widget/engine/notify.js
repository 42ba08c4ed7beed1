// Says out loud that something was said, when nobody looks: a notification and a short sound.

import { plain } from "./markdown.js";
import { readJson, writeJson } from "./environment.js";

const KEY = "giechat:notify";
const USUAL = { desktop: true, sound: true, all: false };
const BODY = 140;

// texts: {title(detail), body(detail)}; onOpen(room id) when a notification is clicked.
export function createNotifier({ client, window = globalThis, storage, texts = {}, icon, onOpen }) {
  const kept = storage ?? safely(() => window.localStorage);
  const settings = { ...USUAL, ...(kept && readJson(kept, KEY)) };
  const shown = new Set();
  let audio = null;

  const permission = () => window.Notification?.permission ?? "denied";

  // Only after a click: browsers refuse otherwise, and people are right to.
  async function ask() {
    wake();
    if (permission() !== "default") return permission();
    return window.Notification.requestPermission();
  }

  // Sound needs a click of the person too, once.
  function wake() {
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (!audio && Context) audio = safely(() => new Context());
    if (audio?.state === "suspended") audio.resume().catch(() => {});
  }

  function beep() {
    if (audio?.state !== "running") return;
    const now = audio.currentTime;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.setValueAtTime(660, now);
    tone.frequency.setValueAtTime(880, now + 0.08);
    volume.gain.setValueAtTime(0.0001, now);
    volume.gain.exponentialRampToValueAtTime(0.12, now + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, now + 0.25);
    tone.connect(volume).connect(audio.destination);
    tone.start(now);
    tone.stop(now + 0.26);
  }

  function show(detail) {
    if (permission() !== "granted") return;
    const { message, room } = detail;
    const title = texts.title?.(detail) ?? message.name;
    const body = texts.body?.(detail) ?? shortened(plain(message.text));
    // Phones have no such constructor; there it stays quiet.
    const one = safely(() => new window.Notification(title, { body, icon, tag: `giechat:${room}` }));
    if (!one) return;
    shown.add(one);
    one.onclose = () => shown.delete(one);
    one.onclick = () => {
      one.close();
      window.focus?.();
      client.open(room).catch(() => {});
      onOpen?.(room);
    };
  }

  const unsubscribe = client.subscribe((kind, room, detail) => {
    if (kind !== "notify" || !detail.alert) return;
    if (!detail.mention && !detail.dm && !settings.all) return;
    if (settings.desktop) show(detail);
    if (settings.sound) beep();
  });
  const gone = () => {
    for (const one of [...shown]) one.close();
    shown.clear();
  };
  // Browsers play nothing before the first click or key of the person.
  const first = () => settings.sound && wake();
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener?.(kind, first, { once: true });

  return {
    permission,
    ask,
    settings,
    set(changes) {
      Object.assign(settings, changes);
      if (kept) writeJson(kept, KEY, settings);
    },
    clear: gone,
    stop() {
      unsubscribe();
      gone();
      for (const kind of ["pointerdown", "keydown"]) window.removeEventListener?.(kind, first);
      audio?.close?.();
    },
  };
}

function shortened(text) {
  const all = [...text];
  return all.length > BODY ? `${all.slice(0, BODY - 1).join("")}…` : text;
}

function safely(call) {
  try {
    return call();
  } catch {
    return null;
  }
}
