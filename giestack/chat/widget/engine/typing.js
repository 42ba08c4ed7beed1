// Who writes is forgotten, unless it is said again.

export const TYPING_LASTS = 5_000;

// quiet(room, user): nothing was heard of it for long enough.
export function createTyping(env, quiet) {
  const timers = new Map();
  return {
    heard({ room, user }) {
      const key = JSON.stringify([room, user]);
      env.timers.clearTimeout(timers.get(key));
      const over = () => {
        timers.delete(key);
        quiet(room, user);
      };
      timers.set(key, env.timers.setTimeout(over, TYPING_LASTS));
    },
  };
}
