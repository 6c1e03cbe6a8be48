// Forms for accounts and tokens.
import { html, useRef } from "../../html.js";
import { ROLES } from "../../session.js";
import { Dialog } from "../../controls/dialog.js";

const LEAST_LETTERS = 10;

const LIVES = [
  { days: 30, text: "in 30 days" },
  { days: 90, text: "in 90 days" },
  { days: 365, text: "in a year" },
  { days: null, text: "never" },
];

/** A form: `onValues(values)` answers whether it was done; then its fields are empty again. */
const Form = ({ className = "", onValues, children, button }) => {
  const isAsking = useRef(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (isAsking.current) return;
    const form = event.target;
    isAsking.current = true;
    if (await onValues(Object.fromEntries(new FormData(form)))) {
      for (const input of form.querySelectorAll("input")) input.value = "";
    }
    isAsking.current = false;
  };
  return html`
    <form class="access-form ${className}" onSubmit=${onSubmit}>
      ${children}
      <button class="primary">${button}</button>
    </form>
  `;
};

const PasswordField = ({ label, name = "password", autocomplete = "new-password" }) => html`
  <label class="field">
    <span>${label}</span>
    <input
      name=${name}
      type="password"
      autocomplete=${autocomplete}
      required
      minlength=${autocomplete === "new-password" ? LEAST_LETTERS : null}
    />
    ${autocomplete === "new-password" && html`<small class="hint">${LEAST_LETTERS} letters or more; a few words in a row are easy to remember.</small>`}
  </label>
`;

const RoleField = ({ chosen }) => html`
  <label class="field">
    <span>Role</span>
    <select name="role">
      ${Object.keys(ROLES).map((role) => html`<option key=${role} value=${role} selected=${role === chosen}>${role}</option>`)}
    </select>
  </label>
`;

/** A new account; the first one administers. */
export const AccountForm = ({ isFirst, onAccount }) => html`
  <h3>${isFirst ? "The first account" : "A new account"}</h3>
  <${Form} button="Make the account" onValues=${({ name, password, role }) => onAccount({ name, password, role: isFirst ? "administer" : role })}>
    <label class="field">
      <span>Name</span><input name="name" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck=${false} />
    </label>
    <${PasswordField} label="Password" />
    ${!isFirst && html`<${RoleField} chosen="view" />`}
  <//>
`;

/** A new token, which expires. */
export const TokenForm = ({ onToken }) => {
  const make = ({ label, role, life }) => onToken({ label, role, expires_in_days: LIVES[Number(life)].days });
  return html`
    <h3>A new token</h3>
    <${Form} button="Make the token" onValues=${make}>
      <label class="field"><span>For what</span><input name="label" required maxlength="100" placeholder="The archive" autocomplete="off" /></label>
      <${RoleField} chosen="view" />
      <label class="field">
        <span>Expires</span>
        <select name="life">
          ${LIVES.map(({ days, text }, place) => html`<option key=${text} value=${place} selected=${days === 90}>${text}</option>`)}
        </select>
      </label>
    <//>
  `;
};

/** Another password for somebody else. */
export const PasswordDialog = ({ name, onPassword, onClose }) => html`
  <${Dialog} title="Another password for ${name}" onClose=${onClose}>
    <p>${name} is logged out everywhere, and can log in with the new password.</p>
    <${Form} className="tall" button="Set the password" onValues=${({ password }) => onPassword(password)}>
      <${PasswordField} label="New password" />
    <//>
  <//>
`;

/** The caller's password: the present one and the next. */
export const ChangePassword = ({ onChange }) => html`
  <${Form} className="tall" button="Change the password" onValues=${onChange}>
    <${PasswordField} label="Present password" name="old" autocomplete="current-password" />
    <${PasswordField} label="New password" name="new" />
  <//>
`;
