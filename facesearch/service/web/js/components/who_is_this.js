// One face: who it is now, the nearest people, and everything that can be corrected.
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { useKeys } from "../keys.js";
import { percent } from "../text.js";
import { NameField } from "../controls/name_field.js";
import { Unsearched } from "../controls/unsearched.js";
import { FaceCrop, PersonLabel } from "./picture.js";

const stateOf = (face) => {
  if (!face.person) return "No person has this face.";
  if (face.confirmed) return "Confirmed.";
  return face.sureness === null ? "" : `${percent(face.sureness)} sure.`;
};

const Candidates = ({ candidates, onPerson }) => html`
  <ul class="choice" aria-label="The nearest people">
    ${candidates.map(
      ({ person, within }, index) => html`
        <li key=${person.id}>
          <button type="button" class="plain" onClick=${() => onPerson(person)}>
            <${FaceCrop} face=${person.cover?.face} />
            <span><${PersonLabel} person=${person} /><small class="soft">${within ? "near" : "farther away"}</small></span>
            <kbd aria-hidden="true">${index + 1}</kbd>
          </button>
        </li>
      `,
    )}
  </ul>
`;

const Correction = ({ face }) => {
  const { path } = useGallery();
  const decisions = useDecisions();
  const { data } = useResource(path(`faces/${face.id}/candidates`), { limit: 7 });
  const candidates = (data?.people ?? []).filter(({ person }) => person.id !== face.person).slice(0, 6);
  const assign = (person) => decisions.add(person.id, [face.id]);
  const create = (name) => decisions.newPerson([face.id], name);
  const reject = () => decisions.reject(face.person, [face.id]);
  const confirm = () => decisions.confirm(face.person, [face.id]);
  const discard = () => decisions.notFaces([face.id]);
  useKeys([
    ...(face.person && !face.confirmed ? [{ key: "y", does: `Yes, this is ${face.label}`, run: confirm }] : []),
    ...candidates.map(({ person }, index) => ({
      key: String(index + 1),
      does: `This is ${person.label}`,
      run: () => assign(person),
    })),
    ...(face.person ? [{ key: "r", does: `This is not ${face.label}`, run: reject }] : []),
    { key: "x", does: "This is not a face", run: discard },
  ]);
  return html`
    <div class="actions">
      ${face.person &&
      !face.confirmed &&
      html`<button type="button" onClick=${confirm}>Yes, ${face.label} <kbd aria-hidden="true">y</kbd></button>`}
      ${face.person && html`<button type="button" onClick=${reject}>Not ${face.label} <kbd aria-hidden="true">r</kbd></button>`}
      <button type="button" onClick=${discard}>Not a face <kbd aria-hidden="true">x</kbd></button>
    </div>
    <h3>${face.person ? "Somebody else?" : "Who is this?"}</h3>
    <${NameField} key=${face.id} label="Name" placeholder="Name" except=${face.person ? [face.person] : []} onPerson=${assign} onName=${create} />
    <${Unsearched} parts=${data?.unsearched} />
    <${Candidates} candidates=${candidates} onPerson=${assign} />
  `;
};

export const WhoIsThis = ({ face, onClose }) => {
  const { to, can } = useGallery();
  return html`
    <section class="who-is-this" aria-label="Face of ${face.label ?? "nobody"}">
      <header>
        <${FaceCrop} face=${face.id} />
        <div>
          <h2>
            ${face.person
              ? html`<a href=${to("person", face.person)}><${PersonLabel} person=${{ name: face.named, label: face.label }} /></a>`
              : "Nobody yet"}
          </h2>
          <p class="soft small">${stateOf(face)}</p>
        </div>
      </header>
      ${can("decide") && html`<${Correction} face=${face} />`}
      <p><button type="button" class="plain" onClick=${onClose}>All faces of the photo <kbd aria-hidden="true">Esc</kbd></button></p>
    </section>
  `;
};
