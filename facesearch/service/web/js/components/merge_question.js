// A name that somebody has already: is it the same person?
import { useResource } from "../data.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count } from "../text.js";
import { Dialog } from "./dialog.js";
import { FaceCrop, PersonLabel } from "./picture.js";

const Side = ({ person }) => html`
  <figure>
    <${FaceCrop} face=${person.cover?.face} size=${320} />
    <figcaption>
      <${PersonLabel} person=${person} /> <small class="soft">${person.id}, ${count(person.photos, "photo")}</small>
    </figcaption>
  </figure>
`;

/** Asks whether `person`, who was to be called `name`, is `other` (a number), who has that name. */
export const MergeQuestion = ({ person, name, other, onClose }) => {
  const { path } = useGallery();
  const { data } = useResource(path(`people/${other}`));
  const decisions = useDecisions();
  const merge = () => {
    onClose();
    decisions.merge(other, [person.id]);
  };
  return html`
    <${Dialog} title="Somebody is called ${name} already" onClose=${onClose}>
      <p>Are they the same person?</p>
      <div class="pair">
        <${Side} person=${person} />
        ${data && html`<${Side} person=${data} />`}
      </div>
      <div class="actions">
        <button type="button" class="primary" autofocus onClick=${merge}>Yes, merge them</button>
        <button type="button" onClick=${onClose}>No, I will give another name</button>
      </div>
    <//>
  `;
};
