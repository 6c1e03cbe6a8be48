// People in a grid: named one after the other, merged by dragging, hidden by a key.
import { get } from "../api.js";
import { useLongList } from "../data/long_list.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { count } from "../text.js";
import { toastError } from "../toasts.js";
import { Failure } from "../controls/states.js";
import { Grid } from "./grid.js";
import { PersonPicker } from "./person_picker.js";
import { PersonTile } from "./person_tile.js";

const CAPTION = 58;

/** Names given in the grid, one after the other: whose field is open, and what it does. */
const useNaming = (list, decisions, placeOfUnnamed) => {
  const [open, setOpen] = useState(null);
  /** Open the field of the next person without a name, after the one at `index`. */
  const openAfter = async (index) => {
    let at = index + 1;
    while (list.at(at)?.name) at++;
    if (at < list.total && !list.at(at)) {
      // Not loaded: the service knows where the next one is.
      at = (await placeOfUnnamed(at)) ?? list.total;
      if (at < list.total) await list.between(at, at + 1);
    }
    const person = list.at(at);
    setOpen(person ? { id: person.id, index: at } : null);
  };
  const openNext = (index) => openAfter(index).catch(toastError);
  const moveOn = (person, index) => (person.name ? setOpen(null) : openNext(index));
  const of = (person, index) => ({
    isOpen: open?.id === person.id,
    open: () => setOpen({ id: person.id, index }),
    close: () => setOpen(null),
    onName: (name) => {
      moveOn(person, index);
      decisions.name(person.id, name);
    },
    onPerson: (other) => {
      moveOn(person, index);
      decisions.merge(other.id, [person.id]);
    },
  });
  return { of, openNext, place: open?.index ?? null };
};

/** The people whom `params` ask for; `empty` is shown where there are none. */
export const PeopleGrid = ({ params, empty }) => {
  const { path, can } = useGallery();
  const decisions = useDecisions();
  const list = useLongList(path("people"), "people", params);
  const placeOfUnnamed = async (start) => (await get(path("people"), { ...params, start, limit: 1 })).unnamed;
  const naming = useNaming(list, decisions, placeOfUnnamed);
  const [merging, setMerging] = useState(null);
  const acts = {
    n: (person, index) => naming.of(person, index).open(),
    m: setMerging,
    h: (person) => (person.hidden ? decisions.unhide(person.id) : decisions.hide(person.id)),
  };
  const onKey = (event, person, index) => {
    if (!acts[event.key] || !can("decide")) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key](person, index);
  };
  useKeys(
    can("decide")
      ? [
          { key: "n", does: "Name the person, or the first unnamed one", run: () => naming.openNext(-1) },
          { key: "m", does: "Merge the person with another" },
          { key: "h", does: "Hide the person, or show the person again" },
        ]
      : [],
  );
  if (list.error) return html`<${Failure} error=${list.error} />`;
  if (list.total === 0) return empty;
  const tile = (person, { index, tabIndex, isAtEnd }) => html`
    <${PersonTile}
      person=${person}
      tabIndex=${tabIndex}
      isAtEnd=${isAtEnd}
      naming=${naming.of(person, index)}
      onMerge=${(other) => decisions.merge(person.id, [other])}
    />
  `;
  return html`
    ${params.q && list.total !== null && html`<p class="found" role="status">${count(list.total, "person", "people")} found.</p>`}
    <${Grid}
      label="People"
      list=${list}
      minimum=${132}
      caption=${CAPTION}
      keyOf=${(person) => person.id}
      onKey=${onKey}
      cell=${tile}
      revealed=${naming.place}
    />
    ${merging && html`<${PersonPicker} person=${merging} onClose=${() => setMerging(null)} />`}
  `;
};
