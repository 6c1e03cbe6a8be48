// What a view shows instead of its content.
import { html, useEffect, useRef } from "../html.js";

export const Loading = () => html`<p class="loading" role="status">Loading…</p>`;

export const Empty = ({ children }) => html`<div class="empty">${children}</div>`;

/** What went wrong, and what to do. */
export const Failure = ({ error }) => html`
  <div class="empty" role="alert">
    <p>${error.message}</p>
    ${error.action && html`<p class="small">${error.action}</p>`}
  </div>
`;

/** A heading of the first level, which is the title of the page in the browser too. */
export const Title = ({ children, className = "" }) => {
  const element = useRef(null);
  useEffect(() => {
    document.title = `${element.current.textContent.trim()} · facesearch`;
  });
  return html`<h1 ref=${element} class=${className}>${children}</h1>`;
};

/** The heading of a view. */
export const Heading = ({ children, tally = null, note = null, actions = null }) => html`
  <header class="heading">
    <div>
      <${Title}>${children}${tally !== null && html` <span class="tally">${tally}</span>`}<//>
      ${note && html`<p class="soft">${note}</p>`}
    </div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </header>
`;

/** Links between parts of a view: [{text, href, isCurrent, tally}]. */
export const Tabs = ({ label, tabs }) => {
  const element = useRef(null);
  const current = tabs.find((tab) => tab.isCurrent)?.text;
  useEffect(() => {
    // On a phone not all fit beside each other.
    const room = element.current;
    const link = room.querySelector("[aria-current]");
    if (link) room.scrollLeft = Math.max(room.scrollLeft, link.offsetLeft + link.offsetWidth - room.offsetLeft - room.clientWidth);
  }, [current]);
  return html`
    <nav ref=${element} class="tabs" aria-label=${label}>
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
};
