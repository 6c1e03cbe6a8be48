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

/** Take dropped and pasted photos while shown, calling `onPhoto` after each. */
export const useDropping = (onPhoto) => {
  useEffect(() => {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const onDragOver = (event) => hasFiles(event) && event.preventDefault();
    const onDrop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (take(event.dataTransfer)) onPhoto();
    };
    const onPaste = (event) => take(event.clipboardData) && onPhoto();
    addEventListener("dragover", onDragOver);
    addEventListener("drop", onDrop);
    addEventListener("paste", onPaste);
    return () => {
      removeEventListener("dragover", onDragOver);
      removeEventListener("drop", onDrop);
      removeEventListener("paste", onPaste);
    };
  }, [onPhoto]);
};
