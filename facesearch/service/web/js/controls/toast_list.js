// What was just done, with the undo of it.
import { html } from "../html.js";
import { dismiss, useToasts } from "../toasts.js";
import { Icon } from "./icon.js";

/** A button of a message, which closes it. */
const ToastButton = ({ id, run, children }) => {
  const onClick = () => {
    dismiss(id);
    run();
  };
  return html`<button type="button" onClick=${onClick}>${children}</button>`;
};

const Toast = ({ id, text, notes = [], kind, undo, act }) => html`
  <li class="toast ${kind ?? ""}">
    <div>
      <p>${text}</p>
      ${notes.map((note) => html`<p class="note" key=${note}>${note}</p>`)}
    </div>
    ${act && html`<${ToastButton} id=${id} run=${act.run}>${act.text}<//>`}
    ${undo && html`<${ToastButton} id=${id} run=${undo}>Undo <kbd aria-hidden="true">u</kbd><//>`}
    <button type="button" class="plain round" aria-label="Close this message" onClick=${() => dismiss(id)}>
      <${Icon} name="close" />
    </button>
  </li>
`;

export const ToastList = () => {
  const toasts = useToasts();
  return html`
    <div class="toasts" role="status" aria-live="polite">
      <ul>
        ${toasts.map((each) => html`<${Toast} key=${each.id} ...${each} />`)}
      </ul>
    </div>
  `;
};
