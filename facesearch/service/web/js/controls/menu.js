// A button that opens a list of actions or links.
import { html, useEffect, useRef, useState } from "../html.js";

/** `items` are {text, run} or {text, href}, each with an optional `key` (shown) and `isDanger`. */
export const Menu = ({ label, items, children, className = "" }) => {
  const [isOpen, setOpen] = useState(false);
  const element = useRef(null);
  const button = useRef(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    element.current.querySelector('[role="menuitem"]')?.focus();
    const closeOutside = (event) => element.current.contains(event.target) || setOpen(false);
    addEventListener("pointerdown", closeOutside);
    return () => removeEventListener("pointerdown", closeOutside);
  }, [isOpen]);

  const close = () => {
    setOpen(false);
    button.current.focus();
  };
  const entries = () => [...element.current.querySelectorAll(`[role="menuitem"]`)];
  const place = () => entries().indexOf(document.activeElement);
  const focusOn = (index) => entries().at(index % entries().length)?.focus();
  const onKeyDown = (event) => {
    if (!isOpen) return;
    const acts = {
      Escape: close,
      ArrowDown: () => focusOn(place() + 1),
      ArrowUp: () => focusOn(place() - 1),
      Home: () => focusOn(0),
      End: () => focusOn(-1),
    };
    const act = acts[event.key];
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      act();
    } else if (event.key === "Tab") setOpen(false);
  };
  const choose = (item) => {
    close();
    item.run?.();
  };
  return html`
    <div class="menu ${className}" ref=${element} onKeyDown=${onKeyDown}>
      <button
        type="button"
        ref=${button}
        aria-label=${label}
        aria-haspopup="menu"
        aria-expanded=${String(isOpen)}
        onClick=${() => setOpen(!isOpen)}
      >
        ${children}
      </button>
      ${isOpen &&
      html`
        <ul role="menu" aria-label=${label}>
          ${items.map(
            (item) => html`
              <li role="none" key=${item.text}>
                ${item.href
                  ? html`<a role="menuitem" tabindex="-1" href=${item.href} onClick=${() => setOpen(false)}>${item.text}</a>`
                  : html`
                      <button
                        type="button"
                        role="menuitem"
                        tabindex="-1"
                        class=${item.isDanger ? "danger" : ""}
                        onClick=${() => choose(item)}
                      >
                        ${item.text}${item.key && html`<kbd aria-hidden="true">${item.key}</kbd>`}
                      </button>
                    `}
              </li>
            `,
          )}
        </ul>
      `}
    </div>
  `;
};
