// The frame around the views: who looks, which gallery, and the keys that always work.
import { configure, get } from "./api.js";
import { Bar } from "./components/bar.js";
import { KeysDialog } from "./controls/keys_dialog.js";
import { Empty, Failure, Loading } from "./controls/states.js";
import { ToastList } from "./controls/toast_list.js";
import { useResource } from "./data/resource.js";
import { useDecisions } from "./decisions.js";
import { useDropping } from "./dropped.js";
import { useEventStream } from "./events.js";
import { GalleryContext, galleryContext, useGallery } from "./gallery.js";
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { useKeys } from "./keys.js";
import { go, link, useRoute } from "./router.js";
import { useScroll } from "./scroll.js";
import { SessionContext, useSession } from "./session.js";
import { FoldersView } from "./views/folders.js";
import { HistoryView } from "./views/history.js";
import { NobodyView } from "./views/nobody.js";
import { PeopleView } from "./views/people.js";
import { PersonView } from "./views/person.js";
import { PhotoView } from "./views/photo.js";
import { PhotosView } from "./views/photos.js";
import { SearchView } from "./views/search.js";
import { AccountsView } from "./views/service/accounts.js";
import { GalleriesView } from "./views/service/galleries.js";
import { JobsView } from "./views/service/jobs.js";
import { LoginView } from "./views/service/login.js";
import { SettingsView } from "./views/service/settings.js";
import { SuggestionsView } from "./views/suggestions.js";
import { TimelineView } from "./views/timeline.js";
import { UnreadView } from "./views/unread.js";

const VIEWS = {
  people: PeopleView,
  person: PersonView,
  nobody: NobodyView,
  suggestions: SuggestionsView,
  photo: PhotoView,
  photos: PhotosView,
  search: SearchView,
  timeline: TimelineView,
  folders: FoldersView,
  unread: UnreadView,
  jobs: JobsView,
  history: HistoryView,
  settings: SettingsView,
  accounts: AccountsView,
};

/** Keys "g" and a letter go to a view. */
const GO = [
  ["p", "people", "people"],
  ["s", "suggestions", "the same person?"],
  ["t", "timeline", "the timeline"],
  ["f", "folders", "folders"],
  ["x", "search", "search by photo"],
  ["j", "jobs", "jobs"],
  ["h", "history", "history"],
];

const Page = ({ route, hasSeveral }) => {
  const { info, to } = useGallery();
  const { undo } = useDecisions();
  const [areKeysShown, setKeysShown] = useState(false);
  const View = VIEWS[route.view];
  useEventStream(route.gallery);
  const isDropping = useDropping(useCallback(() => go(to("search")), [route.gallery]));
  useKeys([
    { key: "u", does: "Undo the last decision", run: () => info?.undo && undo(info.undo.batch) },
    { key: "?", does: "Show the keys", run: () => setKeysShown(true) },
    ...GO.map(([key, view, words]) => ({ key: `g ${key}`, does: `Go to ${words}`, run: () => go(to(view)) })),
  ]);
  const place = `${route.view}/${route.id}`;
  const isFirst = useRef(true);
  useScroll(place);
  useEffect(() => {
    setKeysShown(false);
    // What had the focus is gone with the view before.
    if (!isFirst.current) document.getElementById("main").focus({ preventScroll: true });
    isFirst.current = false;
  }, [place]);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Bar} view=${route.view} hasSeveral=${hasSeveral} showKeys=${() => setKeysShown(true)} />
    <main class="page" id="main" tabindex="-1">
      ${View ? html`<${View} key=${place} id=${route.id} query=${route.query} />` : html`<${Empty}><p>There is no such page.</p><//>`}
    </main>
    <${ToastList} />
    ${areKeysShown && html`<${KeysDialog} onClose=${() => setKeysShown(false)} />`}
    ${isDropping && html`<div class="dropping" aria-hidden="true"><p>Drop the photo to search with it</p></div>`}
  `;
};

// The hash is the address of the view, so the link must not change it.
const skip = (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
};

const Gallery = ({ route, hasSeveral }) => {
  const { role } = useSession();
  const { data, error, set } = useResource(`galleries/${encodeURIComponent(route.gallery)}`);
  if (error && !data && error.code !== "unauthenticated") return html`<main id="main"><${Failure} error=${error} /></main>`;
  const noteUndo = (undo) => data && set({ ...data, undo });
  const context = galleryContext(route.gallery, data, role, noteUndo);
  return html`
    <${GalleryContext.Provider} value=${context}>
      <${Page} route=${route} hasSeveral=${hasSeveral} />
    <//>
  `;
};

const Galleries = ({ route }) => {
  const { data, error } = useResource("galleries");
  const only = data?.galleries.length === 1 ? data.galleries[0].id : null;
  useEffect(() => {
    if (only && !route.gallery) go(link(only), { replace: true });
  }, [only, route.gallery]);
  if (route.gallery) {
    return html`<${Gallery} key=${route.gallery} route=${route} hasSeveral=${data?.galleries.length > 1} />`;
  }
  if (error) return html`<main id="main"><${Failure} error=${error} /></main>`;
  if (!data || only) return html`<main id="main"><${Loading} /></main>`;
  return html`<${GalleriesView} galleries=${data.galleries} />`;
};

export const Application = () => {
  const route = useRoute();
  const [session, setSession] = useState(null);
  const [error, setError] = useState(null);
  const begin = (found) => {
    // Also where nobody had to log in before: the first account may have been made meanwhile.
    const onSignedOut = () => setSession({ ...found, required: true, user: null, role: null });
    configure({ csrf: found.csrf, onSignedOut });
    setSession(found);
  };
  const renew = () => get("auth").then(begin, setError);
  useEffect(() => void renew(), []);
  if (error) return html`<main id="main"><${Failure} error=${error} /></main>`;
  if (!session) return html`<main id="main"><${Loading} /></main>`;
  if (session.required && !session.user) return html`<${LoginView} onLogin=${begin} />`;
  return html`
    <${SessionContext.Provider} value=${{ ...session, renew }}>
      <${Galleries} route=${route} />
    <//>
  `;
};
