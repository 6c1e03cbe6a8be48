// That people or photos changed, which everything that is shown follows; and what was shown last.
import { useEffect, useRef } from "../html.js";

const changes = new EventTarget();

// Who goes back sees what was shown at once, while it is loaded again.
const MOST_KEPT = 40;
const kept = new Map();

// What was read after the last change is so still, as long as the changes of others are heard of.
let generation = 0;
let isHeard = false;

/** What was shown of an address last, or null. */
export const recall = (address) => kept.get(address) ?? null;

/** Keep what is shown of an address. */
export const keep = (address, value) => {
  kept.delete(address);
  kept.set(address, value);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
};

/** Whether the service is heard of, which tells what others change. */
export const hearChanges = (value) => {
  isHeard = value;
};

/** A mark of now, to be kept with what is read now: isUnchanged tells later whether that is so still. */
export const markNow = () => (isHeard ? generation : null);

/** Whether nothing has changed since a mark was made, as far as that is known. */
export const isUnchanged = (mark) => isHeard && mark === generation;

/** Tell all views that people or photos changed, so that they load again. */
export const announceChange = () => {
  generation++;
  changes.dispatchEvent(new Event("change"));
};

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
