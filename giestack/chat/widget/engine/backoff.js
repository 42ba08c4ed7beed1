// How long to wait before the next attempt: full jitter, so that clients which lost the same
// server don't all come back in the same moment.

export const SHORTEST = 500;
export const LONGEST = 30_000;

export function createBackoff(random) {
  let failures = 0;
  return {
    next() {
      const most = Math.min(LONGEST, 1000 * 2 ** failures);
      failures = Math.min(failures + 1, 10);
      return Math.round(SHORTEST + random() * (most - SHORTEST));
    },
    reset() {
      failures = 0;
    },
  };
}
