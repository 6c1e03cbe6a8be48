// A window over the page. The browser keeps the focus in it and gives it back.
import { html, useLayoutEffect, useRef } from "../html.js";
import { Icon } from "./icon.js";

export const Dialog = ({ title, onClose, children, wide = false }) => {
  const element = useRef(null);
  useLayoutEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog.showModal();
    // A field that is meant to be typed into; else the browser chooses the first control.
    dialog.querySelector("[data-focus]")?.focus();
    return () => {
      dialog.close();
      // What opened it may be gone by now, with the view that it was in.
      if (opener?.isConnected) opener.focus();
    };
  }, []);
  const onClick = (event) => event.target === element.current && onClose();
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`
    <dialog
      ref=${element}
      class=${wide ? "dialog wide" : "dialog"}
      aria-labelledby="dialog-title"
      onClick=${onClick}
      onCancel=${onCancel}
    >
      <div class="dialog-body">
        <header>
          <h2 id="dialog-title">${title}</h2>
          <button type="button" class="plain round" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
        </header>
        ${children}
      </div>
    </dialog>
  `;
};
