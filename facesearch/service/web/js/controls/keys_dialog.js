// All keys that work in the view.
import { html } from "../html.js";
import { shortcuts } from "../keys.js";
import { Dialog } from "./dialog.js";

const NAMES = { " ": "Space", Escape: "Esc", ArrowLeft: "←", ArrowRight: "→" };

const ALWAYS = [
  { key: "Tab", does: "Go to the next control" },
  { key: "← → ↑ ↓", does: "Move in a grid of people, faces or photos; Home and End go to its ends" },
  { key: "Enter", does: "Open what has the focus" },
];

const Keys = ({ shortcut }) => html`
  ${shortcut.key === " " ? html`<kbd>Space</kbd>` : shortcut.key.split(" ").map((key) => html`<kbd>${NAMES[key] ?? key}</kbd> `)}
`;

export const KeysDialog = ({ onClose }) => html`
  <${Dialog} title="Keys" onClose=${onClose} wide=${true}>
    <dl class="keys">
      ${[...shortcuts(), ...ALWAYS].map(
        (shortcut) => html`
          <div key=${shortcut.key + shortcut.does}>
            <dt><${Keys} shortcut=${shortcut} /></dt>
            <dd>${shortcut.does}</dd>
          </div>
        `,
      )}
    </dl>
  <//>
`;
