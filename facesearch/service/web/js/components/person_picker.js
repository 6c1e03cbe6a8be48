// Which person? The nearest are offered, and a field finds any other.
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count } from "../text.js";
import { Dialog } from "../controls/dialog.js";
import { NameField } from "../controls/name_field.js";
import { Unsearched } from "../controls/unsearched.js";
import { FaceCrop, PersonLabel } from "./picture.js";

/** People to choose from, as buttons. */
export const PeopleChoice = ({ people, onPerson, label }) => html`
  <ul class="choice" aria-label=${label}>
    ${people.map(
      (person) => html`
        <li key=${person.id}>
          <button type="button" class="plain" onClick=${() => onPerson(person)}>
            <${FaceCrop} face=${person.cover?.face} />
            <span><${PersonLabel} person=${person} /><small class="soft">${count(person.photos, "photo")}</small></span>
          </button>
        </li>
      `,
    )}
  </ul>
`;

/** Merges `person` into the one that is chosen. */
export const PersonPicker = ({ person, onClose, onMerged = () => {} }) => {
  const { path } = useGallery();
  const decisions = useDecisions();
  const { data } = useResource(path(`people/${person.id}/similar`), { limit: 8 });
  const merge = async (other) => {
    onClose();
    if (await decisions.merge(other.id, [person.id])) onMerged(other);
  };
  return html`
    <${Dialog} title="Merge ${person.label} with" onClose=${onClose}>
      <${NameField}
        label="Name or number of the other person"
        placeholder="Name, or a number such as p12"
        except=${[person.id]}
        isFocused=${true}
        onPerson=${merge}
      />
      <h3>The most similar people</h3>
      <${Unsearched} parts=${data?.unsearched} />
      ${data &&
      html`<${PeopleChoice} label="The most similar people" people=${data.people.map((each) => each.person)} onPerson=${merge} />`}
      ${data?.people.length === 0 && html`<p class="soft">There is nobody else.</p>`}
    <//>
  `;
};
