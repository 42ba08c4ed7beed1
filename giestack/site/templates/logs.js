// Follows the log: new lines come by themselves, and nothing moves under who has scrolled up.
const log = document.getElementById("log");
const empty = document.getElementById("empty");
const latest = document.getElementById("latest");
const following = document.getElementById("following");
const MOST = 5000;
const ENDS = {401: "You are logged out.", 403: "This is no longer yours to see.", 404: "This session has ended."};
const UNSEEN = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
let pause = 1, count = 0;

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
const toEnd = () => { log.scrollTop = log.scrollHeight; latest.hidden = true; };
const say = (text) => { following.firstChild.data = `${text} `; };

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function add(text) {
  const stay = !atEnd();
  const clean = text.replace(UNSEEN, "");
  count += clean.split("\n").length - 1;
  log.append(clean);
  if (count > 2 * MOST) {
    log.textContent = log.textContent.split("\n").slice(-MOST - 1).join("\n");
    count = MOST;
  }
  empty.hidden = log.textContent !== "";
  if (stay) latest.hidden = false;
  else toEnd();
}

// Follows once; returns whether to try again.
async function follow() {
  const began = performance.now();
  const answer = await fetch(log.dataset.stream, { cache: "no-store" });
  if (answer.status in ENDS) { say(ENDS[answer.status]); return false; }
  if (!answer.ok) throw new Error(answer.status);
  // The stream begins with the last lines once more.
  log.textContent = "";
  count = 0;
  say("New lines appear by themselves.");
  pause = 1;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    add(value);
  }
  say("It prints nothing more.");
  // What ends at once has ended; else the server may have been started anew, or the session.
  return performance.now() - began > 2000;
}

async function keep() {
  let on = true;
  while (on) {
    try {
      on = await follow();
      if (on) await wait(2);
    } catch {
      say("The server does not answer right now.");
      await wait(pause);
      pause = Math.min(30, 2 * pause);
    }
  }
}

latest.addEventListener("click", () => { toEnd(); log.focus(); });
log.addEventListener("scroll", () => { if (atEnd()) latest.hidden = true; });
toEnd();
keep();
