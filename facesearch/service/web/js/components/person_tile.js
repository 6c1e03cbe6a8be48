// A person in the grid of people: picture, name or a field for one; dragged onto another to merge.
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count } from "../text.js";
import { usePersonDrag } from "./person_drag.js";
import { NameField } from "../controls/name_field.js";
import { FaceCrop, PersonLabel } from "./picture.js";

/** `naming` is {isOpen, open, close, onName, onPerson}. */
export const PersonTile = ({ person, tabIndex, isAtEnd, naming, onMerge }) => {
  const { to, can } = useGallery();
  const mayDecide = can("decide");
  const [isOver, dragging] = usePersonDrag(person, mayDecide, onMerge);
  return html`
    <div class="person-tile ${isOver ? "over" : ""} ${isAtEnd ? "at-end" : ""}" ...${naming.isOpen ? {} : dragging}>
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
