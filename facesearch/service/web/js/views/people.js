// The people of the gallery, as a grid: search them, name one after another, merge by dragging.
import { usePages } from "../data.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { Grid } from "../components/grid.js";
import { PersonPicker } from "../components/person_picker.js";
import { PersonTile } from "../components/person_tile.js";
import { SearchField } from "../controls/search_field.js";
import { Empty, Failure, Heading, Tabs } from "../controls/states.js";
import { Together } from "../components/together.js";
import { html, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { go } from "../router.js";
import { asked, count, number } from "../text.js";

const CAPTION = 58;

const FILTERS = {
  all: { text: "Everybody", params: { hidden: "false" } },
  named: { text: "Named", params: { hidden: "false", named: true } },
  unnamed: { text: "Unnamed", params: { hidden: "false", named: false } },
  hidden: { text: "Hidden", params: { hidden: "true" } },
};

const NothingHere = ({ wanted, show }) => {
  const { info, to } = useGallery();
  if (wanted) return html`<${Empty}><p>Nobody has a name that begins with “${wanted}”.</p><//>`;
  if (show !== "all" || info?.people) return html`<${Empty}><p>Nobody here.</p><//>`;
  return html`
    <${Empty}>
      <p>${info?.faces ? "Faces were found, and not grouped into people yet." : "No faces yet."}</p>
      <a class="button primary" href=${to("jobs")}>${info?.faces ? "Group the faces" : "Find faces in photos"}</a>
    <//>
  `;
};

/** Names given in the grid, one after the other: which field is open, and what it does. */
const useNaming = (items, decisions) => {
  const [open, setOpen] = useState(null);
  const openNext = (person) => {
    const at = items.findIndex((each) => each.id === person?.id);
    setOpen(items.slice(at + 1).find((each) => !each.name)?.id ?? null);
  };
  const moveOn = (person) => (person.name ? setOpen(null) : openNext(person));
  const of = (person) => ({
    isOpen: open === person.id,
    open: () => setOpen(person.id),
    close: () => setOpen(null),
    onName: (name) => {
      moveOn(person);
      decisions.name(person.id, name);
    },
    onPerson: (other) => {
      moveOn(person);
      decisions.merge(other.id, [person.id]);
    },
  });
  return { of, openNext };
};

const PeopleGrid = ({ show, wanted }) => {
  const { info, path, to, can } = useGallery();
  const decisions = useDecisions();
  const list = usePages(path("people"), "people", { ...FILTERS[show].params, q: wanted });
  const naming = useNaming(list.items, decisions);
  const [merging, setMerging] = useState(null);
  const acts = {
    n: (person) => naming.of(person).open(),
    m: setMerging,
    h: (person) => (person.hidden ? decisions.unhide(person.id) : decisions.hide(person.id)),
  };
  const onKey = (event, person) => {
    if (!acts[event.key] || !can("decide")) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key](person);
  };
  useKeys(
    can("decide")
      ? [
          { key: "n", does: "Name the person, or the first unnamed one", run: () => naming.openNext(null) },
          { key: "m", does: "Merge the person with another" },
          { key: "h", does: "Hide the person, or show the person again" },
        ]
      : [],
  );
  if (list.error) return html`<${Failure} error=${list.error} />`;
  if (list.total === 0) return html`<${NothingHere} wanted=${wanted} show=${show} />`;
  const tile = (person, { tabIndex }) => html`
    <${PersonTile}
      person=${person}
      tabIndex=${tabIndex}
      naming=${naming.of(person)}
      onMerge=${(other) => decisions.merge(person.id, [other])}
    />
  `;
  return html`
    <${Grid}
      label="People"
      list=${list}
      minimum=${132}
      caption=${CAPTION}
      keyOf=${(person) => person.id}
      onKey=${onKey}
      cell=${tile}
    />
    ${show === "all" &&
    !wanted &&
    info?.faces_of_nobody > 0 &&
    html`<p class="after"><a href=${to("nobody")}>${count(info.faces_of_nobody, "face")} of nobody</a></p>`}
    ${merging && html`<${PersonPicker} person=${merging} onClose=${() => setMerging(null)} />`}
  `;
};

const tallies = (info) => ({
  all: info.people,
  named: info.people_named,
  hidden: info.people_hidden,
});

export const PeopleView = ({ query }) => {
  const { info, to } = useGallery();
  const show = FILTERS[query.show] ? query.show : "all";
  const shown = show === "all" ? null : show;
  const wanted = query.q ?? "";
  const names = asked(wanted);
  const total = info ? tallies(info) : {};
  const tabs = Object.entries(FILTERS).map(([key, filter]) => ({
    text: filter.text,
    href: to("people", "", { show: key === "all" ? null : key, q: wanted }),
    isCurrent: key === show,
    tally: total[key] === undefined ? null : number(total[key]),
  }));
  return html`
    <${Heading} note=${info && `${count(info.faces, "face")} in ${count(info.photos, "photo")}`}>People<//>
    <div class="toolbar">
      <${Tabs} label="Which people" tabs=${tabs} />
      <${SearchField}
        label="Find people"
        placeholder="Anna, or Anna and Ben"
        value=${wanted}
        onSearch=${(q) => go(to("people", "", { show: shown, q }), { replace: true })}
      />
    </div>
    ${info?.outdated && html`<p class="notice">${info.outdated} <a href=${to("jobs")}>Group again</a></p>`}
    ${names.length > 1
      ? html`<${Together} names=${names} />`
      : html`<${PeopleGrid} show=${show} wanted=${wanted} />`}
  `;
};
