// Who may use the service: accounts of people, and tokens of programs. For who administers.
import { patch, post, remove } from "../../api.js";
import { ConfirmDialog } from "../../controls/confirm_dialog.js";
import { Failure, Heading, Loading } from "../../controls/states.js";
import { useResource } from "../../data/resource.js";
import { html, useState } from "../../html.js";
import { ROLES, useSession } from "../../session.js";
import { moment } from "../../text.js";
import { toast, toastError } from "../../toasts.js";
import { AccountForm, PasswordDialog, TokenForm } from "./access_forms.js";
import { MadeToken } from "./made_token.js";

/** Does something at the service, says it, and loads the list again; whether it was done. */
const useAct = (reload) => async (request, text) => {
  try {
    await request();
    toast({ text });
    reload();
    return true;
  } catch (error) {
    toastError(error);
    return false;
  }
};

const userPath = (name) => `users/${encodeURIComponent(name)}`;

const UserRow = ({ user, isMe, act, ask }) => {
  const change = (event) => {
    const { value } = event.target;
    act(() => patch(userPath(user.name), { role: value }), `${user.name} may now ${ROLES[value]}.`).then((done) => {
      // What was refused is not what the field may show.
      if (!done) event.target.value = user.role;
    });
  };
  return html`
    <tr>
      <th scope="row"><bdi>${user.name}</bdi>${isMe && html` <span class="mark">you</span>`}</th>
      <td>
        <select aria-label="Role of ${user.name}" value=${user.role} onChange=${change}>
          ${Object.keys(ROLES).map((role) => html`<option key=${role} value=${role}>${role}</option>`)}
        </select>
      </td>
      <td class="soft">${user.locked_until ? `Waits until ${moment(user.locked_until)}, after failed logins` : `Since ${moment(user.created_at)}`}</td>
      <td>
        <div class="actions">
          <button type="button" onClick=${() => ask("password")}>Password…<span class="unseen"> of ${user.name}</span></button>
          <button type="button" class="danger" onClick=${() => ask("remove")}>Remove…<span class="unseen"> ${user.name}</span></button>
        </div>
      </td>
    </tr>
  `;
};

const Users = ({ users, act }) => {
  const { user: me, renew } = useSession();
  const [asking, setAsking] = useState(null);
  const close = () => setAsking(null);
  const give = async (password) => {
    const { name } = asking.user;
    const request = () => patch(userPath(name), { password });
    if (!(await act(request, `${name} has another password, and must log in again.`))) return;
    close();
    if (name === me?.name) renew();
  };
  const drop = async () => {
    const { name } = asking.user;
    if (await act(() => remove(userPath(name)), `${name} was removed.`)) close();
  };
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Table of accounts">
      <table>
        <thead>
          <tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">State</th><th scope="col">Change</th></tr>
        </thead>
        <tbody>
          ${users.map(
            (user) => html`
              <${UserRow} key=${user.name} user=${user} isMe=${user.name === me?.name} act=${act} ask=${(what) => setAsking({ what, user })} />
            `,
          )}
        </tbody>
      </table>
    </div>
    ${asking?.what === "password" && html`<${PasswordDialog} name=${asking.user.name} onPassword=${give} onClose=${close} />`}
    ${asking?.what === "remove" &&
    html`
      <${ConfirmDialog} title="Remove ${asking.user.name}" confirm="Remove ${asking.user.name}" onConfirm=${drop} onClose=${close}>
        <p>${asking.user.name} can no longer log in, at once. What ${asking.user.name} decided stays in the history.</p>
      <//>
    `}
  `;
};

const Accounts = () => {
  const { data, error, reload } = useResource("users");
  const { renew } = useSession();
  const act = useAct(reload);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  const isFirst = data.users.length === 0;
  const make = async (account) => {
    const done = await act(() => post("users", account), `${account.name} can log in now.`);
    // From the first account on, whoever is here must log in too.
    if (done && isFirst) renew();
    return done;
  };
  return html`
    <section aria-labelledby="users-title">
      <h2 id="users-title">Accounts</h2>
      ${isFirst
        ? html`<p>Nobody has to log in on this machine, and nobody else can reach the service. With the first account everybody must log in.</p>`
        : html`<${Users} users=${data.users} act=${act} />`}
      <${AccountForm} isFirst=${isFirst} onAccount=${make} />
    </section>
    ${!isFirst && html`<${Tokens} />`}
  `;
};

const TokenRow = ({ token, onRevoke }) => {
  const isOver = token.expires_at && new Date(token.expires_at) <= new Date();
  return html`
    <tr>
      <th scope="row"><bdi>${token.label}</bdi></th>
      <td>${token.role}</td>
      <td class="soft">${moment(token.created_at)}, by ${token.created_by}</td>
      <td class="soft">${!token.expires_at ? "never" : isOver ? html`<span class="mark">expired</span>` : moment(token.expires_at)}</td>
      <td class="soft">${moment(token.last_used_at) || "never"}</td>
      <td><button type="button" class="danger" onClick=${onRevoke}>Revoke…<span class="unseen"> ${token.label}</span></button></td>
    </tr>
  `;
};

const TokenTable = ({ tokens, onRevoke }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label="Table of tokens">
    <table>
      <thead>
        <tr>
          <th scope="col">For what</th><th scope="col">Role</th><th scope="col">Made</th><th scope="col">Expires</th>
          <th scope="col">Last used</th><th scope="col">Change</th>
        </tr>
      </thead>
      <tbody>
        ${tokens.map((token) => html`<${TokenRow} key=${token.id} token=${token} onRevoke=${() => onRevoke(token)} />`)}
      </tbody>
    </table>
  </div>
`;

const Tokens = () => {
  const { data, error, reload } = useResource("tokens");
  const act = useAct(reload);
  const [made, setMade] = useState(null);
  const [revoking, setRevoking] = useState(null);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  const make = async (wanted) => {
    let token = null;
    const request = async () => {
      token = await post("tokens", wanted);
    };
    const done = await act(request, `There is a token for ${wanted.label} now.`);
    if (done) setMade(token);
    return done;
  };
  const revoke = async () => {
    const path = `tokens/${encodeURIComponent(revoking.id)}`;
    if (!(await act(() => remove(path), `The token for ${revoking.label} is worth nothing now.`))) return;
    if (made?.id === revoking.id) setMade(null);
    setRevoking(null);
  };
  return html`
    <section aria-labelledby="tokens-title">
      <h2 id="tokens-title">Tokens</h2>
      <p>A program sends a token in place of a name and a password: <code>Authorization: Bearer fst_…</code></p>
      ${made && html`<${MadeToken} key=${made.id} made=${made} onClose=${() => setMade(null)} />`}
      ${data.tokens.length > 0 && html`<${TokenTable} tokens=${data.tokens} onRevoke=${setRevoking} />`}
      <${TokenForm} onToken=${make} />
    </section>
    ${revoking &&
    html`
      <${ConfirmDialog} title="Revoke ${revoking.label}" confirm="Revoke ${revoking.label}" onConfirm=${revoke} onClose=${() => setRevoking(null)}>
        <p>Programs that send this token are refused, at once. Another one has to be made for them.</p>
      <//>
    `}
  `;
};

export const AccountsView = () => html`
  <${Heading} note="Roles, each with what those before it may do: ${Object.entries(ROLES)
    .map(([role, may]) => `${role} (${may})`)
    .join(", ")}.">
    Who may use the service
  <//>
  <div class="settings wide"><${Accounts} /></div>
`;
