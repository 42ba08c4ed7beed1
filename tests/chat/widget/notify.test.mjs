// Notifications and the sound.

import assert from "node:assert/strict";
import test from "node:test";

import { createNotifier } from "../../../giestack/chat/widget/engine/notify.js";
import { MemoryStorage } from "./fakes.mjs";

function begin({ permission = "granted", storage = new MemoryStorage(), audio = "running" } = {}) {
  const shown = [];
  const opened = [];
  let beeps = 0;
  let tell;
  const window = new EventTarget();
  window.focus = () => opened.push("focus");
  window.Notification = class {
    static permission = permission;
    static requestPermission = async () => (this.permission = "granted");
    static {
      window.Asked = this;
    }
    constructor(title, options) {
      Object.assign(this, { title, ...options });
      shown.push(this);
    }
    close() {
      this.closed = true;
      this.onclose?.();
    }
  };
  const ramp = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
  window.AudioContext = class {
    state = audio;
    currentTime = 0;
    createOscillator = () => ({
      frequency: ramp,
      connect: (one) => one,
      start: () => (beeps += 1),
      stop() {},
    });
    createGain = () => ({ gain: ramp, connect: (one) => one });
    resume = async () => (this.state = "running");
    close() {}
  };
  const client = {
    subscribe: (call) => {
      tell = call;
      return () => (tell = () => {});
    },
    open: async (room) => opened.push(room),
  };
  const notifier = createNotifier({ client, window, storage, onOpen: (room) => opened.push(`on ${room}`) });
  const say = (more) => {
    const message = { name: "Bob", text: "**Hi** @alice" };
    tell("notify", "r1", { room: "r1", message, mention: true, dm: false, alert: true, ...more });
  };
  return { window, notifier, shown, opened, say, storage, beeps: () => beeps };
}

test("mentions and direct messages always, others if chosen", () => {
  const { say, shown, notifier } = begin();
  say();
  say({ mention: false, dm: true });
  say({ mention: false });
  say({ alert: false });
  assert.equal(shown.length, 2);
  notifier.set({ all: true });
  say({ mention: false });
  assert.equal(shown.length, 3);
  assert.deepEqual([shown[0].title, shown[0].body, shown[0].tag], ["Bob", "Hi @alice", "giechat:r1"]);
});

test("the choice is kept", () => {
  const { notifier, storage } = begin();
  notifier.set({ all: true, sound: false });
  const { settings } = begin({ storage }).notifier;
  assert.deepEqual(settings, { desktop: true, sound: false, all: true });
});

test("nothing without permission, and asking only when told to", async () => {
  const { notifier, say, shown } = begin({ permission: "default" });
  say();
  assert.equal(shown.length, 0);
  assert.equal(notifier.permission(), "default");
  assert.equal(await notifier.ask(), "granted");
  say();
  assert.equal(shown.length, 1);
});

test("a sound, once somebody has touched the page", async () => {
  const { window, say, beeps, notifier } = begin({ audio: "suspended" });
  say();
  assert.equal(beeps(), 0);
  window.dispatchEvent(new Event("pointerdown"));
  say();
  assert.equal(beeps(), 1);
  notifier.set({ sound: false });
  say();
  assert.equal(beeps(), 1);
});

test("a click opens the room", async () => {
  const { say, shown, opened } = begin();
  say();
  shown[0].onclick();
  assert.deepEqual(opened, ["focus", "r1", "on r1"]);
  assert.equal(shown[0].closed, true);
});

test("a long message is cut, between characters", () => {
  const { say, shown } = begin();
  say({ message: { name: "Bob", text: "😀".repeat(500) } });
  assert.equal([...shown[0].body].length, 140);
});

test("stopped: no more, and what is shown goes", () => {
  const { say, shown, notifier } = begin();
  say();
  notifier.stop();
  say();
  assert.equal(shown.length, 1);
  assert.equal(shown[0].closed, true);
});

test("a browser that has none of it", () => {
  const { say, window, notifier } = begin();
  delete window.Notification;
  delete window.AudioContext;
  say();
  assert.equal(notifier.permission(), "denied");
  window.Notification = class {
    static permission = "granted";
    constructor() {
      throw new TypeError("Illegal constructor");
    }
  };
  say();
});
