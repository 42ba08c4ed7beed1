// Which of a browser's tabs holds the connection: the one that has the lock. The others speak
// with it over a channel. Without locks or channels each tab is for itself.

export const LEADER_PATIENCE = 4_000;

// told: lead(whether), message(message of another tab).
export function createTabs(env, told) {
  const name = `giechat:${env.base}`;
  const id = env.uuid().replaceAll("-", "").slice(0, 12);
  const alone = !env.locks?.request || !env.BroadcastChannel;
  let channel = null;
  let waiting = null;
  let release = null;
  let leading = false;
  let doubt = null;

  function lead(whether) {
    if (leading === whether) return;
    leading = whether;
    told.lead(whether);
  }

  const hold = () =>
    new Promise((resolve) => {
      release = resolve;
      lead(true);
    });

  function request(steal) {
    const mine = new AbortController();
    waiting?.abort();
    waiting = mine;
    const options = steal ? { steal: true } : { signal: mine.signal };
    const over = () => {
      if (waiting !== mine) return;
      release = null;
      lead(false);
      // Another tab took it by force: stand in line again.
      if (channel) request(false);
    };
    try {
      env.locks.request(name, options, hold).then(over, (error) => {
        if (error?.name === "AbortError") over();
        else if (waiting === mine) lead(true);
      });
    } catch {
      lead(true);
    }
  }

  function heard(message) {
    if (!channel || (message.to && message.to !== id)) return;
    if (message.k === "ping") {
      if (leading) post({ k: "pong", to: message.from });
      return;
    }
    if (leading === false && message.leader) calm();
    told.message(message);
  }

  function post(message) {
    channel?.postMessage({ ...message, from: id, leader: leading });
  }

  function calm() {
    env.timers.clearTimeout(doubt);
    doubt = null;
  }

  return {
    id,
    post,
    get leading() {
      return leading;
    },
    start() {
      if (alone) {
        lead(true);
        return;
      }
      try {
        channel = new env.BroadcastChannel(name);
      } catch {
        lead(true);
        return;
      }
      channel.onmessage = (event) => heard(event.data);
      request(false);
    },
    stop() {
      calm();
      channel?.close();
      channel = null;
      const old = waiting;
      waiting = null;
      old?.abort();
      release?.();
      release = null;
      leading = false;
    },
    // A tab that the browser has put to sleep keeps its lock: ask, and take it if nobody answers.
    check() {
      if (alone || leading || doubt || !channel) return;
      post({ k: "ping" });
      doubt = env.timers.setTimeout(() => {
        doubt = null;
        if (!leading && channel && env.visible()) request(true);
      }, LEADER_PATIENCE);
    },
  };
}
