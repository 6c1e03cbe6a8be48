// That people or photos changed, which everything that is shown follows; and what was shown last.
import { useEffect, useRef } from "../html.js";

const changes = new EventTarget();

// Who goes back sees what was shown at once, while it is loaded again.
const MOST_KEPT = 40;
const kept = new Map();

/** What was shown of an address last, or null. */
export const recall = (address) => kept.get(address) ?? null;

/** Keep what is shown of an address. */
export const keep = (address, value) => {
  kept.delete(address);
  kept.set(address, value);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
};

/** Tell all views that people or photos changed, so that they load again. */
export const announceChange = () => changes.dispatchEvent(new Event("change"));

/** Call `listener` after every change while the component is shown. */
export const useChanges = (listener) => {
  const current = useRef(listener);
  current.current = listener;
  useEffect(() => {
    const call = () => current.current();
    changes.addEventListener("change", call);
    return () => changes.removeEventListener("change", call);
  }, []);
};
