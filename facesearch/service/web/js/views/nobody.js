// Faces that no person has: give them to somebody, or say that they are no faces.
import { FaceGrid, SelectionBar, useSelection } from "../components/face_grid.js";
import { FacePicker } from "../components/face_picker.js";
import { Empty, Failure, Heading } from "../controls/states.js";
import { useLongList } from "../data/long_list.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { number } from "../text.js";

export const NobodyView = () => {
  const { path, can } = useGallery();
  const decisions = useDecisions();
  const list = useLongList(path("nobody/faces"), "faces");
  const selection = useSelection(list);
  const [picking, setPicking] = useState(false);
  const doing = (decide) => async (faces) => {
    if (await decide(faces)) selection.clear();
  };
  const acts = [
    { key: "a", text: "Who is this?", run: () => setPicking(true) },
    { key: "s", text: "A new person", run: doing((faces) => decisions.newPerson(faces)) },
    { key: "x", text: "Not a face", run: doing(decisions.notFaces) },
  ];
  return html`
    <${Heading}
      tally=${list.total === null ? null : number(list.total)}
      note="Too small, too blurred or too unlike the others to be assigned to a person; some are not faces."
    >
      Faces of nobody
    <//>
    ${list.error && html`<${Failure} error=${list.error} />`}
    ${list.total === 0 && html`<${Empty}><p>Every face has a person.</p><//>`}
    <${FaceGrid} label="Faces of nobody" list=${list} selection=${selection} />
    ${can("decide") && html`<${SelectionBar} selection=${selection} acts=${acts} />`}
    ${picking &&
    html`<${FacePicker} faces=${selection.faces} onClose=${() => setPicking(false)} onDone=${selection.clear} />`}
  `;
};
