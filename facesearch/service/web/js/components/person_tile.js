// A person in the grid of people: picture, name or a field for one; dragged onto another to merge.
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { count } from "../text.js";
import { NameField } from "./name_field.js";
import { FaceCrop, PersonLabel } from "./picture.js";

const TYPE = "application/x-facesearch-person";

/** Properties of an element that can be dragged as `person`, and takes others by `onDrop(id)`. */
export const useDragging = (person, isAllowed, onDrop) => {
  const [isOver, setOver] = useState(false);
  if (!isAllowed) return [false, {}];
  const isPerson = (event) => event.dataTransfer.types.includes(TYPE);
  return [
    isOver,
    {
      draggable: true,
      onDragStart: (event) => {
        event.dataTransfer.setData(TYPE, person.id);
        event.dataTransfer.effectAllowed = "move";
      },
      onDragOver: (event) => {
        if (!isPerson(event)) return;
        event.preventDefault();
        setOver(true);
      },
      onDragLeave: () => setOver(false),
      onDrop: (event) => {
        if (!isPerson(event)) return;
        event.preventDefault();
        setOver(false);
        const other = event.dataTransfer.getData(TYPE);
        if (other !== person.id) onDrop(other);
      },
    },
  ];
};

/** `naming` is {isOpen, open, close, onName, onPerson}. */
export const PersonTile = ({ person, tabIndex, naming, onMerge }) => {
  const { to, can } = useGallery();
  const mayDecide = can("decide");
  const [isOver, dragging] = useDragging(person, mayDecide, onMerge);
  return html`
    <div class="person-tile ${isOver ? "over" : ""}" ...${dragging}>
      <a
        class="face"
        data-cell
        href=${to("person", person.id)}
        tabindex=${tabIndex}
        draggable=${false}
        aria-label="${person.label}, ${count(person.photos, "photo")}"
      >
        <${FaceCrop} face=${person.cover?.face} size=${320} />
      </a>
      ${naming.isOpen
        ? html`
            <${NameField}
              label="Name of ${person.label}"
              initial=${person.name ?? ""}
              except=${[person.id]}
              isFocused=${true}
              onName=${naming.onName}
              onPerson=${naming.onPerson}
              onCancel=${naming.close}
            />
          `
        : html`
            <div class="caption">
              ${person.name || !mayDecide
                ? html`<${PersonLabel} person=${person} />`
                : html`
                    <button type="button" class="plain add-name" tabindex="-1" aria-label="Name ${person.label}" onClick=${naming.open}>
                      Add a name
                    </button>
                  `}
              <small class="soft">${count(person.photos, "photo")}</small>
            </div>
          `}
    </div>
  `;
};
