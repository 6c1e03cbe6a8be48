// Short messages about what was just done.
import { useEffect, useState } from "./html.js";

const SECONDS = 12;
const MOST = 3;

let shown = [];
let number = 0;
const listeners = new Set();

const set = (list) => {
  shown = list;
  for (const listener of listeners) listener(shown);
};

export const dismiss = (id) => set(shown.filter((each) => each.id !== id));

/** Show a message: {text, notes?, kind?: "error", undo?: function, isUndone?, act?: {text, run}}. */
export const toast = (message) => {
  const id = ++number;
  // What can be undone is the last decision only, so an older offer goes.
  const kept = message.undo || message.isUndone ? shown.filter((each) => !each.undo) : shown;
  set([...kept, { ...message, id }].slice(-MOST));
  setTimeout(() => dismiss(id), SECONDS * 1000 * (message.kind === "error" ? 2 : 1));
};

/** Show what went wrong, and what to do. */
export const toastError = (error) =>
  toast({ text: error.message, notes: error.action ? [error.action] : [], kind: "error" });

export const useToasts = () => {
  const [list, setList] = useState(shown);
  useEffect(() => {
    listeners.add(setList);
    return () => listeners.delete(setList);
  }, []);
  return list;
};
