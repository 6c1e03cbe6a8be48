// Photos dropped or pasted anywhere on the page: they are searched with.
import { useEffect, useState } from "./html.js";

let file = null;
const listeners = new Set();

const take = (data) => {
  const files = [...(data?.files ?? [])];
  // Browsers do not know the type of every photo; the service says what it cannot use.
  const found = files.find((each) => each.type.startsWith("image/")) ?? files[0];
  if (!found) return false;
  file = found;
  for (const listener of listeners) listener(found);
  return true;
};

/** The photo dropped last, once. */
export const takeDropped = () => {
  const taken = file;
  file = null;
  return taken;
};

/** The photo dropped last, to notice that there is one. */
export const useDropped = () => {
  const [latest, setLatest] = useState(null);
  useEffect(() => {
    listeners.add(setLatest);
    return () => listeners.delete(setLatest);
  }, []);
  return latest;
};

/** Take dropped and pasted photos while shown, calling `onPhoto` after each; whether one is held over the page. */
export const useDropping = (onPhoto) => {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const onDragOver = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    // Leaving the window leads nowhere; going on to another element of the page leads there.
    const onDragLeave = (event) => event.relatedTarget === null && setOver(false);
    const onDrop = (event) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (take(event.dataTransfer)) onPhoto();
    };
    const onPaste = (event) => take(event.clipboardData) && onPhoto();
    const heard = { dragover: onDragOver, dragleave: onDragLeave, drop: onDrop, paste: onPaste };
    for (const [name, listener] of Object.entries(heard)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(heard)) removeEventListener(name, listener);
    };
  }, [onPhoto]);
  return isOver;
};
