// What happens at the service, as it happens: jobs, suggestions, and changes made by anybody.
import { address } from "./api.js";
import { announceChange, hearChanges } from "./data/changes.js";
import { useEffect, useRef } from "./html.js";

// A job changes the gallery many times a second; views load again at most this often.
const PAUSE = 1500;

const listeners = { job: new Set(), suggestions: new Set() };

/** Call `listener` with every event of a kind, "job" or "suggestions", while it is shown. */
export const useEvents = (kind, listener) => {
  const current = useRef(listener);
  current.current = listener;
  useEffect(() => {
    const call = (data) => current.current(data);
    listeners[kind].add(call);
    return () => listeners[kind].delete(call);
  }, [kind]);
};

/** Follow the events of a gallery while the component is shown. */
export const useEventStream = (gallery) => {
  useEffect(() => {
    if (!gallery) return undefined;
    let timer = null;
    const source = new EventSource(address("events", { gallery }));
    // What happened while the service could not be reached was not heard.
    let wasLost = false;
    source.addEventListener("error", () => {
      wasLost = true;
      hearChanges(false);
    });
    source.addEventListener("open", () => {
      hearChanges(true);
      if (wasLost) announceChange();
      wasLost = false;
    });
    source.addEventListener("gallery", () => {
      timer ??= setTimeout(() => {
        timer = null;
        announceChange();
      }, PAUSE);
    });
    for (const kind of Object.keys(listeners)) {
      source.addEventListener(kind, (event) => {
        for (const listener of listeners[kind]) listener(JSON.parse(event.data));
      });
    }
    return () => {
      clearTimeout(timer);
      source.close();
      hearChanges(false);
    };
  }, [gallery]);
};
