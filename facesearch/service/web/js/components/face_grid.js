// Faces in a grid: a click opens the photo, the corner (or Space) selects.
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { count, day, percent, seen } from "../text.js";
import { toastError } from "../toasts.js";
import { Grid } from "./grid.js";
import { Icon } from "../controls/icon.js";
import { FaceCrop } from "./picture.js";

/** Which faces of a list are selected: {faces (ids), has, toggle, selectTo, clear}. */
export const useSelection = (list) => {
  const [faces, setFaces] = useState([]);
  const [anchor, setAnchor] = useState(null);
  const chosen = new Set(faces);
  const toggle = (id, index) => {
    setAnchor({ id, index });
    setFaces((before) => (before.includes(id) ? before.filter((each) => each !== id) : [...before, id]));
  };
  const selectTo = async (id, index) => {
    const from = anchor && list.at(anchor.index)?.id === anchor.id ? anchor.index : index;
    try {
      const between = await list.between(Math.min(from, index), Math.max(from, index) + 1);
      setFaces((before) => [...new Set([...before, ...between.map((face) => face.id)])]);
    } catch (error) {
      toastError(error);
    }
  };
  const clear = () => setFaces([]);
  return { faces, has: (id) => chosen.has(id), toggle, selectTo, clear };
};

const factsOf = (face) =>
  [
    day(face.photo.taken_at),
    seen(face),
    face.confirmed ? "confirmed" : face.sureness !== null && face.person && `${percent(face.sureness)} sure`,
  ].filter(Boolean);

const FaceTile = ({ face, index, tabIndex, selection }) => {
  const { to, can } = useGallery();
  const isSelected = selection.has(face.id);
  const facts = factsOf(face);
  const onClick = (event) => {
    if (!can("decide")) return;
    const isSelecting = event.ctrlKey || event.metaKey || event.shiftKey;
    if (!isSelecting) return;
    event.preventDefault();
    if (event.shiftKey) selection.selectTo(face.id, index);
    else selection.toggle(face.id, index);
  };
  return html`
    <div class="face-tile ${isSelected ? "selected" : ""}">
      <a
        class="face"
        data-cell
        href=${to("photo", face.photo.id, { face: face.id })}
        tabindex=${tabIndex}
        draggable=${false}
        aria-label=${[face.photo.name, ...facts, isSelected && "selected"].filter(Boolean).join(", ")}
        title=${[face.photo.name, ...facts].join(" · ")}
        onClick=${onClick}
      >
        <${FaceCrop} face=${face.id} />
      </a>
      ${can("decide") &&
      html`
        <button
          type="button"
          class="pick"
          tabindex="-1"
          aria-pressed=${String(isSelected)}
          aria-label="Select the face in ${face.photo.name}"
          onClick=${(event) => (event.shiftKey ? selection.selectTo(face.id, index) : selection.toggle(face.id, index))}
        >
          <${Icon} name="check" />
        </button>
      `}
    </div>
  `;
};

export const FaceGrid = ({ label, list, selection }) => {
  const { can } = useGallery();
  const onKey = (event, face, index) => {
    if (event.key !== " " || !can("decide")) return;
    event.preventDefault();
    if (event.shiftKey) selection.selectTo(face.id, index);
    else selection.toggle(face.id, index);
  };
  useKeys(can("decide") ? [{ key: " ", does: "Select the face; with Shift all up to it" }] : []);
  return html`
    <${Grid}
      label=${label}
      list=${list}
      minimum=${104}
      keyOf=${(face) => face.id}
      onKey=${onKey}
      cell=${(face, { index, tabIndex }) => html`<${FaceTile} face=${face} index=${index} tabIndex=${tabIndex} selection=${selection} />`}
    />
  `;
};

/** What to do with the selected faces: `acts` are {key, text, run(faces), isDisabled?}. */
export const SelectionBar = ({ selection, acts }) => {
  const run = (act) => {
    if (!act.isDisabled) act.run(selection.faces);
  };
  const isActive = selection.faces.length > 0;
  useKeys(
    isActive
      ? [
          ...acts.map((act) => ({ key: act.key, does: `${act.text} (selected faces)`, run: () => run(act) })),
          { key: "Escape", does: "Select nothing", run: selection.clear },
        ]
      : [],
  );
  if (!isActive) return null;
  return html`
    <div class="selection" role="region" aria-label="Selected faces">
      <p role="status">${count(selection.faces.length, "face")} selected</p>
      <div class="actions">
        ${acts.map(
          (act) => html`
            <button type="button" key=${act.text} aria-disabled=${act.isDisabled ? "true" : null} onClick=${() => run(act)}>
              ${act.text} <kbd aria-hidden="true">${act.key}</kbd>
            </button>
          `,
        )}
        <button type="button" class="plain" onClick=${selection.clear}>Clear <kbd aria-hidden="true">Esc</kbd></button>
      </div>
    </div>
  `;
};
