// Keyboard shortcuts. A view lists those it has; "?" shows all that work now.
import { useLayoutEffect, useRef } from "./html.js";

const lists = new Set();
let prefix = "";

/** Every shortcut that works now: those of the view first. */
export const shortcuts = () => [...lists].reverse().flatMap((list) => list.current);

const isTyping = (element) =>
  element.isContentEditable ||
  element.tagName === "SELECT" ||
  element.tagName === "TEXTAREA" ||
  (element.tagName === "INPUT" && !["checkbox", "radio", "button"].includes(element.type));

// A dialog has keys of its own, and the view below it rests.
const hasDialog = () => document.querySelector("dialog[open]") !== null;

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (isTyping(event.target) || hasDialog()) return;
  const pressed = prefix + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  prefix = "";
  const all = shortcuts();
  const found = all.find((each) => each.key === pressed && each.run);
  if (found) {
    event.preventDefault();
    found.run(event);
  } else if (all.some((each) => each.key.startsWith(`${pressed} `))) {
    prefix = `${pressed} `;
  }
});

/**
 * Offer shortcuts while the component is shown: a list of {key, does, run}. A key is as in
 * KeyboardEvent, or two of them, "g p". Nothing happens while somebody types into a field. Without
 * `run` the key is only listed: something that has the focus handles it.
 */
export const useKeys = (list) => {
  const current = useRef(list);
  current.current = list;
  useLayoutEffect(() => {
    lists.add(current);
    return () => lists.delete(current);
  }, []);
};
