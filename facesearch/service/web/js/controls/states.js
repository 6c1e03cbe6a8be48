// What a view shows instead of its content.
import { html } from "../html.js";

export const Loading = () => html`<p class="loading" role="status">Loading…</p>`;

export const Empty = ({ children }) => html`<div class="empty">${children}</div>`;

/** What went wrong, and what to do. */
export const Failure = ({ error }) => html`
  <div class="empty" role="alert">
    <p>${error.message}</p>
    ${error.action && html`<p class="small">${error.action}</p>`}
  </div>
`;

/** The heading of a view; it gets the focus when the view is opened. */
export const Heading = ({ children, tally = null, note = null, actions = null }) => html`
  <header class="heading">
    <div>
      <h1 tabindex="-1">${children}${tally !== null && html` <span class="tally">${tally}</span>`}</h1>
      ${note && html`<p class="soft">${note}</p>`}
    </div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </header>
`;

/** Links between parts of a view: [{text, href, isCurrent, tally}]. */
export const Tabs = ({ label, tabs }) => html`
  <nav class="tabs" aria-label=${label}>
    <ul>
      ${tabs.map(
        (tab) => html`
          <li key=${tab.text}>
            <a href=${tab.href} aria-current=${tab.isCurrent ? "page" : null}>
              ${tab.text}${tab.tally !== undefined && tab.tally !== null && html` <span class="tally">${tab.tally}</span>`}
            </a>
          </li>
        `,
      )}
    </ul>
  </nav>
`;
