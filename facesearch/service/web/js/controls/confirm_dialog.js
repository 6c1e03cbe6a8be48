// Are you sure? For what no undo takes back.
import { html } from "../html.js";
import { Dialog } from "./dialog.js";

export const ConfirmDialog = ({ title, confirm, onConfirm, onClose, children }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <div class="actions">
      <button type="button" class="primary" onClick=${onConfirm}>${confirm}</button>
      <button type="button" data-focus onClick=${onClose}>Cancel</button>
    </div>
  <//>
`;
