// A token that was just made: it is shown this once.
import { html, useEffect, useRef, useState } from "../../html.js";
import { moment } from "../../text.js";

export const MadeToken = ({ made, onClose }) => {
  const field = useRef(null);
  const [isCopied, setCopied] = useState(false);
  const select = () => field.current.select();
  useEffect(() => {
    field.current.focus();
    select();
  }, []);
  // Browsers have a clipboard only on https and localhost; elsewhere the selected text is copied by hand.
  const copy = async () => {
    select();
    try {
      await navigator.clipboard.writeText(made.token);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return html`
    <div class="made-token" role="group" aria-label="The token for ${made.label}">
      <label class="field">
        <span>The token for <bdi>${made.label}</bdi>. Keep it now: it is not shown again.</span>
        <input ref=${field} readonly value=${made.token} spellcheck=${false} onFocus=${select} />
      </label>
      <p class="soft small">
        Role ${made.role}, ${made.expires_at ? `expires ${moment(made.expires_at)}` : "never expires"}.
        <span role="status">${isCopied && " It is copied."}</span>
      </p>
      <div class="actions">
        ${navigator.clipboard && html`<button type="button" class="primary" onClick=${copy}>Copy</button>`}
        <button type="button" onClick=${onClose}>I have it</button>
      </div>
    </div>
  `;
};
