// What somebody has chosen for this browser alone; where nothing can be kept it lasts for the page.
const KEY = "giestack-chat-view";
const DEFAULTS = { language: "", theme: "", enlarged: false };

export function createChoices(storage) {
  let kept = { ...DEFAULTS };
  try {
    const read = JSON.parse(storage().getItem(KEY) ?? "{}");
    for (const key of Object.keys(DEFAULTS)) if (typeof read[key] === typeof DEFAULTS[key]) kept[key] = read[key];
  } catch { /* unreadable or forbidden: the defaults */ }
  return {
    get: (key) => kept[key],
    set(key, value) {
      kept = { ...kept, [key]: value };
      try { storage().setItem(KEY, JSON.stringify(kept)); } catch { /* for this page alone, then */ }
    },
  };
}
