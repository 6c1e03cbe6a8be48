// Who is this? A dialog for selected faces: the nearest people, any other by name, or a new one.
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count } from "../text.js";
import { Dialog } from "../controls/dialog.js";
import { NameField } from "../controls/name_field.js";
import { Unsearched } from "../controls/unsearched.js";
import { PeopleChoice } from "./person_picker.js";

/** Assigns `faces` to the person who is chosen; `except` are people not to offer. */
export const FacePicker = ({ faces, except = [], onClose, onDone }) => {
  const { path } = useGallery();
  const decisions = useDecisions();
  const { data } = useResource(path(`faces/${faces[0]}/candidates`), { limit: 9 });
  const people = data?.people.map((each) => each.person).filter((person) => !except.includes(person.id));
  const finish = (result) => {
    onClose();
    if (result) onDone();
  };
  const assign = async (person) => finish(await decisions.add(person.id, faces));
  const create = async (name) => finish(await decisions.newPerson(faces, name));
  return html`
    <${Dialog} title=${faces.length === 1 ? "Who is this?" : `Who are these ${count(faces.length, "face")}?`} onClose=${onClose}>
      <${NameField} label="Name" placeholder="Name of the person" isFocused=${true} onPerson=${assign} onName=${create} />
      <${Unsearched} parts=${data?.unsearched} />
      ${people?.length > 0 &&
      html`
        <h3>The nearest people</h3>
        <${PeopleChoice} label="The nearest people" people=${people} onPerson=${assign} />
      `}
    <//>
  `;
};
