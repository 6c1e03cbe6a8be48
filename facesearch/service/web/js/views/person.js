// One person: name, cover, faces by sureness or time, and everything that can be decided.
import { FaceGrid, SelectionBar, useSelection } from "../components/face_grid.js";
import { FacePicker } from "../components/face_picker.js";
import { ForgetDialog } from "../components/forget_dialog.js";
import { usePersonDrag } from "../components/person_drag.js";
import { Icon } from "../controls/icon.js";
import { Menu } from "../controls/menu.js";
import { NameField } from "../controls/name_field.js";
import { PersonPicker } from "../components/person_picker.js";
import { FaceCrop, PersonLabel, PersonLink } from "../components/picture.js";
import { Empty, Failure, Loading, Tabs, Title } from "../controls/states.js";
import { Unsearched } from "../controls/unsearched.js";
import { useLongList } from "../data/long_list.js";
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { go } from "../router.js";
import { count, number, period } from "../text.js";

const ORDERS = {
  sureness: "Surest first",
  doubt: "Doubtful first",
  time: "By time",
};

const PersonName = ({ person, isOpen, setOpen }) => {
  const { to, can } = useGallery();
  const decisions = useDecisions();
  const give = (name) => {
    setOpen(false);
    decisions.name(person.id, name);
  };
  const merge = async (other) => {
    if (await decisions.merge(other.id, [person.id])) go(to("person", other.id), { replace: true });
  };
  return html`
    <${Title} className=${isOpen ? "unseen" : ""}><${PersonLabel} person=${person} /><//>
    ${isOpen &&
    html`
      <${NameField}
        label="Name of ${person.label}"
        initial=${person.name ?? ""}
        except=${[person.id]}
        isFocused=${true}
        onName=${give}
        onPerson=${merge}
        onCancel=${() => setOpen(false)}
      />
    `}
    ${!isOpen &&
    can("decide") &&
    html`
      <button type="button" class=${person.name ? "plain" : ""} onClick=${() => setOpen(true)}>
        ${person.name ? "Rename" : "Add a name"} <kbd aria-hidden="true">n</kbd>
      </button>
    `}
  `;
};

/** A similar person; dragged onto the cover, they are merged. */
const SimilarPerson = ({ person, other }) => {
  const { can } = useGallery();
  const decisions = useDecisions();
  const [isOver, dragging] = usePersonDrag(other, can("decide"), () => decisions.merge(person.id, [other.id]));
  return html`<li class=${isOver ? "over" : ""}><${PersonLink} person=${other} more=${dragging} /></li>`;
};

const Similar = ({ person }) => {
  const { path } = useGallery();
  const { data } = useResource(path(`people/${person.id}/similar`), { limit: 8 });
  if (!data?.people.length && !data?.unsearched.length) return null;
  return html`
    <section aria-labelledby="similar">
      <h2 id="similar">Similar people</h2>
      <${Unsearched} parts=${data.unsearched} />
      <ul class="row">
        ${data.people.map((each) => html`<${SimilarPerson} key=${each.person.id} person=${person} other=${each.person} />`)}
      </ul>
    </section>
  `;
};

const Faces = ({ person, order }) => {
  const { path, to, can } = useGallery();
  const decisions = useDecisions();
  const list = useLongList(path(`people/${person.id}/faces`), "faces", { order });
  const selection = useSelection(list);
  const [picking, setPicking] = useState(false);
  useEffect(selection.clear, [person.id]);
  const doing = (decide) => async (faces) => {
    const result = await decide(faces);
    if (result) selection.clear();
    return result;
  };
  const split = async (faces) => {
    const result = await doing((chosen) => decisions.split(person.id, chosen))(faces);
    if (result?.person) go(to("person", result.person.id));
  };
  const acts = [
    { key: "y", text: `Yes, ${person.label}`, run: doing((faces) => decisions.confirm(person.id, faces)) },
    { key: "r", text: `Not ${person.label}`, run: doing((faces) => decisions.reject(person.id, faces)) },
    { key: "a", text: "Somebody else…", run: () => setPicking(true) },
    { key: "s", text: "A new person", run: split },
    { key: "x", text: "Not a face", run: doing(decisions.notFaces) },
    {
      key: "c",
      text: "Use as cover",
      run: doing(([face]) => decisions.cover(person.id, face)),
      isDisabled: selection.faces.length !== 1,
    },
  ];
  if (list.error) return html`<${Failure} error=${list.error} />`;
  const tabs = Object.entries(ORDERS).map(([key, text]) => ({
    text,
    href: to("person", person.id, { order: key === "sureness" ? null : key }),
    isCurrent: key === order,
  }));
  return html`
    <div class="toolbar"><${Tabs} label="Order of the faces" tabs=${tabs} /></div>
    ${list.total === 0 && html`<${Empty}><p>No face is left here.</p><//>`}
    <${FaceGrid} label="Faces of ${person.label}" list=${list} selection=${selection} />
    ${can("decide") && html`<${SelectionBar} selection=${selection} acts=${acts} />`}
    ${picking &&
    html`<${FacePicker} faces=${selection.faces} except=${[person.id]} onClose=${() => setPicking(false)} onDone=${selection.clear} />`}
  `;
};

const Masthead = ({ person, ask }) => {
  const { to, can } = useGallery();
  const decisions = useDecisions();
  const [isNaming, setNaming] = useState(false);
  const hide = () => (person.hidden ? decisions.unhide(person.id) : decisions.hide(person.id));
  const mayDecide = can("decide");
  const [isOver, dragging] = usePersonDrag(person, mayDecide, (other) => decisions.merge(person.id, [other]));
  useKeys(
    mayDecide
      ? [
          { key: "n", does: "Give a name", run: () => setNaming(true) },
          { key: "m", does: "Merge with another person", run: () => ask("merge") },
          { key: "h", does: person.hidden ? "Show the person again" : "Hide the person", run: hide },
        ]
      : [],
  );
  const items = [
    { text: "Photos of this person", href: to("photos", "", { people: person.id }) },
    mayDecide && { text: "Merge with…", key: "m", run: () => ask("merge") },
    mayDecide && person.confirmed < person.faces && { text: "All faces are right", run: () => decisions.confirm(person.id) },
    mayDecide && { text: person.hidden ? "Show again" : "Hide", key: "h", run: hide },
    { text: "History", href: to("history", "", { person: person.id }) },
    can("administer") && { text: "Forget…", isDanger: true, run: () => ask("forget") },
  ].filter(Boolean);
  const dates = period(person.first_taken, person.last_taken);
  return html`
    <header class="masthead">
      <div class="cover ${isOver ? "over" : ""}" ...${dragging}><${FaceCrop} face=${person.cover?.face} size=${320} /></div>
      <div>
        <div class="title"><${PersonName} person=${person} isOpen=${isNaming} setOpen=${setNaming} /></div>
        <p class="facts soft">
          ${count(person.photos, "photo")}<span class="dot" />${count(person.faces, "face")}${person.confirmed > 0 &&
          html`<span class="dot" />${number(person.confirmed)} confirmed`}${dates && html`<span class="dot" />${dates}`}
          ${person.name && html`<span class="dot" />${person.id}`}${person.hidden && html`<span class="dot" />hidden`}
        </p>
      </div>
      <${Menu} label="More about ${person.label}" items=${items}><${Icon} name="more" /><//>
    </header>
  `;
};

export const PersonView = ({ id, query }) => {
  const { path, to } = useGallery();
  const { data: person, error } = useResource(path(`people/${id}`));
  const [asking, setAsking] = useState(null);
  useEffect(() => setAsking(null), [id]);
  useEffect(() => {
    // A person that was merged into another is shown as that one.
    if (person && person.id !== id) go(to("person", person.id), { replace: true });
  }, [person?.id]);
  if (error) return html`<${Failure} error=${error} />`;
  if (!person) return html`<${Loading} />`;
  const close = () => setAsking(null);
  return html`
    <${Masthead} person=${person} ask=${setAsking} />
    <${Faces} person=${person} order=${ORDERS[query.order] ? query.order : "sureness"} />
    <${Similar} person=${person} />
    ${asking === "merge" &&
    html`
      <${PersonPicker}
        person=${person}
        onClose=${close}
        onMerged=${(other) => go(to("person", other.id), { replace: true })}
      />
    `}
    ${asking === "forget" && html`<${ForgetDialog} person=${person} onClose=${close} />`}
  `;
};
