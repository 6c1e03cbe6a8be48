// Stays at hand while scrolling: the parts of the gallery, undo, and everything else in a menu.
import { post } from "../api.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useRef } from "../html.js";
import { useSession } from "../session.js";
import { useTheme } from "../theme.js";
import { Icon } from "../controls/icon.js";
import { Menu } from "../controls/menu.js";

const PARTS = [
  { view: "people", text: "People", shows: ["person", "nobody"] },
  { view: "suggestions", text: "Same person?", shows: [] },
  { view: "timeline", text: "Timeline", shows: [] },
  { view: "folders", text: "Folders", shows: [] },
  { view: "search", text: "Search by photo", shows: [] },
];

const THEMES = { system: "as the system", light: "light", dark: "dark" };

const UndoButton = () => {
  const { info, can } = useGallery();
  const { undo } = useDecisions();
  if (!can("decide")) return null;
  const last = info?.undo;
  return html`
    <button
      type="button"
      class="undo"
      aria-disabled=${last ? null : "true"}
      title=${last ? `Undo: ${last.text}` : "Nothing to undo"}
      aria-label=${last ? `Undo: ${last.text}` : "Nothing to undo"}
      onClick=${() => last && undo(last.batch)}
    >
      <${Icon} name="undo" /><span>Undo</span>
    </button>
  `;
};

export const Bar = ({ view, hasSeveral, showKeys }) => {
  const { user } = useSession();
  const { info, id, to, can } = useGallery();
  const [theme, nextTheme] = useTheme();
  const parts = useRef(null);
  useEffect(() => {
    // On a phone not all parts fit beside each other.
    parts.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  // Loaded from its beginning, so that nothing of what was shown stays in memory.
  const logOut = () => post("auth/logout").finally(() => location.reload());
  const items = [
    { text: "Faces of nobody", href: to("nobody") },
    { text: "Not read", href: to("unread") },
    { text: "Jobs", href: to("jobs") },
    { text: "History", href: to("history") },
    { text: "Settings", href: to("settings") },
    can("administer") && { text: "Accounts", href: to("accounts") },
    hasSeveral && { text: "Other galleries", href: "#/galleries" },
    { text: `Colours: ${THEMES[theme]}`, run: nextTheme },
    { text: "Keys", key: "?", run: showKeys },
    user && { text: `Log out ${user.name}`, run: logOut },
  ].filter(Boolean);
  return html`
    <header class="bar">
      <a class="brand" href=${to("people")}><bdi>${info?.title ?? id}</bdi></a>
      <nav ref=${parts} aria-label="Parts of the gallery">
        <ul>
          ${PARTS.map(
            (part) => html`
              <li key=${part.view}>
                <a href=${to(part.view)} aria-current=${view === part.view || part.shows.includes(view) ? "page" : null}>${part.text}</a>
              </li>
            `,
          )}
        </ul>
      </nav>
      <div class="tools">
        <${UndoButton} />
        <${Menu} label="More" items=${items} className="at-end"><${Icon} name="more" /><//>
      </div>
    </header>
  `;
};
